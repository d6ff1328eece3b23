import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { createHash, randomInt } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse, stringify } from 'yaml'
import { boundSecretOf, Room, sweepAlone } from '../cluster/bound-secrets.ts'
import { signIdToken } from '../cluster/token.ts'
import { gitlabClaims } from '../hosts/gitlab-context.ts'
import type { Pipeline } from '../runners/gitlab-ci-local.ts'
import { buildStandalone } from '../standalone.ts'
import { clusters, ONE_SECRET, SECRETS, underGitlabCiLocal, type PipelineFixture } from './scenario.ts'

const dist = fileURLToPath(new URL('../../dist', import.meta.url))
const examples = fileURLToPath(new URL('../../docs/examples/gitlab/', import.meta.url))
/** gitlab-ci-local finds a component under this host in the project itself. */
const COMPONENT = '$CI_SERVER_FQDN/$CI_PROJECT_PATH/kubepass@$CI_COMMIT_SHA'

const folder = mkdtempSync(join(tmpdir(), 'kubepass-archive-'))
const standalone = { program: 'standalone', program_url: join(folder, 'kubepass.tgz'), program_sha256: '' }
beforeAll(async () => {
  const program = await buildStandalone()
  const { program_url } = standalone
  execFileSync('tar', ['-c', '-I', 'gzip -1', '-f', program_url, '-C', dirname(program), '--transform=s/.*/kubepass/', basename(program)])
  standalone.program_sha256 = createHash('sha256').update(readFileSync(program_url)).digest('hex')
}, 120_000)
afterAll(() => {
  rmSync(folder, { recursive: true })
})

interface Project {
  include?: { component: string; inputs: Record<string, string> }[]
  [job: string]: unknown
}

/** Runs the pipeline with the CA file in the project, and with an ID token, which gitlab-ci-local does not issue. */
async function run({ project, info, proxy }: PipelineFixture, yaml: Project, variables: Record<string, string> = {}): Promise<Pipeline> {
  project.write('ci/kubernetes-ca.crt', readFileSync(info.ca, 'utf8'))
  project.write('.gitlab-ci.yml', stringify(yaml))
  return project.run({
    variables: { KUBEPASS_ID_TOKEN: idTokenFor(proxy.url), ...variables },
    path: [join(project.tree, 'tools'), dirname(info.kubectl)],
  })
}

function idTokenFor(audience: string): string {
  const job = { jobId: '1', jobName: 'kubepass', pipelineId: '1', timeout: 1800, folder: '/builds/group/project', jobToken: '' }
  return signIdToken(clusters.quick, gitlabClaims(job, audience))
}

/** Runs a pipeline that consists of the component only. */
function runComponent(fixture: PipelineFixture, inputs: Record<string, string>): Promise<Pipeline> {
  const common = { ...fixture.inputs, certificate_authority: 'ci/kubernetes-ca.crt', audience: fixture.proxy.url, program_url: dist }
  return run(fixture, { include: [{ component: COMPONENT, inputs: { ...common, ...inputs } }] })
}

underGitlabCiLocal(
  'gitlab-ci-local: script runs the command, revokes and proves, and after_script has nothing left to do',
  async (fixture) => {
    const { stdout, jobs } = await runComponent(fixture, { command: 'kubectl get ns kubepass -o name; kubectl config view --raw' })
    expect(stdout).toMatch(/> namespace\/kubepass$/m)
    expect(stdout).toMatch(/ server: https:\/\/127\.0\.0\.1:\d+$/m)
    expect(stdout).toMatch(/ token: \*\*\*$/m)
    expect(stdout).toMatch(/Credential: revoked .*, proven dead/)
    expect(jobs).toEqual({ kubepass: 'PASS' })
    expect(fixture.proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)).toEqual([200, 404, 404, 404])
  },
)

underGitlabCiLocal("gitlab-ci-local: the job has the command's exit code", async (fixture) => {
  const { stdout, stderr, jobs } = await runComponent(fixture, { command: 'exit 42' })
  expect(stderr).toMatch(/kubepass finished in .* FAIL 42/)
  expect(stdout).toMatch(/Credential: revoked .*, proven dead/)
  expect(jobs).toEqual({ kubepass: 'FAIL' })
})

underGitlabCiLocal('gitlab-ci-local: the job runs the standalone program from a .tgz with the right digest', async (fixture) => {
  const { stdout, jobs } = await runComponent(fixture, {
    ...standalone,
    command: 'readlink "/proc/$PPID/exe"; kubectl get ns kubepass -o name',
    isolate: 'off',
  })
  expect(stdout).toMatch(/> \S+\/kubepass-program-\S+\/kubepass$/m)
  expect(stdout).toMatch(/> namespace\/kubepass$/m)
  expect(stdout).toMatch(/Credential: revoked .*, proven dead/)
  expect(jobs).toEqual({ kubepass: 'PASS' })
})

underGitlabCiLocal('gitlab-ci-local: the job does not start a program with a wrong digest', async (fixture) => {
  const { stdout, stderr } = await runComponent(fixture, { ...standalone, program_sha256: '0'.repeat(64), command: 'true' })
  expect(stdout).toContain('the file at program_url does not have the digest program_sha256')
  expect(stderr).toMatch(/kubepass finished in .* FAIL 79/)
  expect(fixture.proxy.seen('POST', SECRETS)).toEqual([])
})

underGitlabCiLocal('gitlab-ci-local: the component needs no audience for an identity without an ID token', async (fixture) => {
  const inputs = { ...fixture.inputs, certificate_authority: 'ci/kubernetes-ca.crt', program_url: dist, command: 'true' }
  const include = (more: Record<string, string>): Project => ({ include: [{ component: COMPONENT, inputs: { ...inputs, ...more } }] })
  const KUBEPASS_TOKEN = await fixture.identityOf('issuer')
  expect((await run(fixture, include({ identity: 'token' }), { KUBEPASS_TOKEN })).jobs).toEqual({ kubepass: 'PASS' })
  const unnamed = await run(fixture, include({ identity: 'auto' }), { KUBEPASS_TOKEN })
  expect(unnamed.stdout).toMatch(
    /On GitLab the identity token \(a token was given\) is used only if identity names it\.\n.*Set identity to token/,
  )
  expect(unnamed.jobs).toEqual({ kubepass: 'FAIL' })
  for (const [identity, identityLine] of [
    ['gitlab-oidc', /audience is missing: the ID token is issued for it; for example: https:\/\/127/],
    ['auto', /Give the template's input audience, the API server's URL/],
  ] as const) {
    const ended = await run(fixture, include({ identity }))
    expect(ended.stdout).toMatch(identityLine)
    expect(ended.jobs).toEqual({ kubepass: 'FAIL' })
  }
})

underGitlabCiLocal('gitlab-ci-local: all reports become artifacts, although the folder CI_PROJECT_DIR does not exist', async (fixture) => {
  const { stdout, jobs } = await runComponent(fixture, { command: 'echo found > audit.xml', artifacts_paths: '{audit.xml,none}' })
  expect(jobs).toEqual({ kubepass: 'PASS' })
  expect(stdout).not.toContain('could not be written')
  const folder = join(fixture.project.tree, '.gitlab-ci-local/artifacts/kubepass')
  expect(readdirSync(folder).toSorted()).toEqual(['audit.xml', 'kubepass-reports'])
  expect(readdirSync(join(folder, 'kubepass-reports')).toSorted()).toEqual(['annotations.json', 'evidence.json', 'junit.xml'])
})

for (const [outcome, program_url, after, code] of [
  ['does its work', dist, 'for each in one two\ndo echo "$each"\ndone', 'PASS'],
  ['fails', '/nowhere', 'echo one && echo two', 'FAIL'],
] as const) {
  underGitlabCiLocal(
    `gitlab-ci-local: a line of the user after !reference [kubepass, after_script] runs when after_script ${outcome}`,
    async (fixture) => {
      const inputs = {
        ...fixture.inputs,
        certificate_authority: 'ci/kubernetes-ca.crt',
        audience: fixture.proxy.url,
        program_url,
        command: 'true',
      }
      const text = stringify({ include: [{ component: COMPONENT, inputs: { ...inputs, after } }] })
      fixture.project.write('ci/kubernetes-ca.crt', readFileSync(fixture.info.ca, 'utf8'))
      fixture.project.write(
        '.gitlab-ci.yml',
        `${text}audit:\n  extends: kubepass\n  after_script:\n    - !reference [kubepass, after_script]\n    - echo my own line\n`,
      )
      const { stdout, stderr, jobs } = await fixture.project.run({
        variables: { KUBEPASS_ID_TOKEN: idTokenFor(fixture.proxy.url) },
        path: [dirname(fixture.info.kubectl)],
      })
      expect(stdout + stderr).toMatch(/^kubepass .*> two$/m)
      expect(stdout).toMatch(/^audit .*> two$[^]*^audit .*> my own line$/m)
      expect([jobs['kubepass'], jobs['audit']]).toEqual([code, code])
    },
  )
}

interface Example {
  /** Stand-ins for the programs that the example calls, by name. */
  tools?: Record<string, string>
  variables?: Record<string, string>
  jobs: Pipeline['jobs']
  output?: RegExp
}

/** A stand-in for a tool, which must find the credential where such tools look for it. */
const LOOK = 'kubectl get pods --namespace kubepass -o name'

const exampleRuns: Record<string, ((fixture: PipelineFixture) => Example | Promise<Example>)[]> = {
  'cinc-auditor.yml': [
    () => ({ tools: { 'cinc-auditor': `${LOOK}\nexit 100` }, jobs: { audit: 'WARN' } }),
    () => ({ tools: { 'cinc-auditor': `${LOOK}\nexit 1` }, jobs: { audit: 'FAIL' } }),
  ],
  'kubectl.yml': [() => ({ tools: { jq: 'cat' }, jobs: { kubepass: 'PASS' } })],
  'sweep.yml': [
    async ({ info }) => {
      const [over = ''] = await new Room(info, 'kubepass').fill([boundSecretOf({ platform: 'gitlab', run: String(randomInt(1e6, 1e9)) })])
      const npx = `shift 2\nexec ${process.execPath} ${join(dist, 'cli/index.js')} "$@"`
      return { tools: { npx }, jobs: { sweep: 'PASS' }, output: new RegExp(`> ${over} .* expired +deleted$`, 'm') }
    },
  ],
  'token.yml': [async ({ identityOf }) => ({ variables: { KUBEPASS_TOKEN: await identityOf('issuer') }, jobs: { kubepass: 'PASS' } })],
}

test('the tests run every pipeline of docs/examples/gitlab', () => {
  expect(Object.keys(exampleRuns).toSorted()).toEqual(readdirSync(examples).toSorted())
})

/** The pipeline of an example, with the component and the programs of this repository. */
function examplePipeline(name: string, server: string): Project {
  const text = readFileSync(`${examples}${name}`, 'utf8').replaceAll('https://k8s.example.com:6443', server)
  const pipeline = parse(text) as Project
  // gitlab-ci-local simulates a push pipeline.
  for (const job of Object.values(pipeline)) if (typeof job === 'object' && job !== null && 'rules' in job) delete job.rules
  for (const include of pipeline.include ?? []) {
    include.component = COMPONENT
    // The template of a release would download the program.
    Object.assign(include.inputs, include.inputs['program'] === 'standalone' ? standalone : { program_url: dist })
  }
  return pipeline
}

for (const [name, runs] of Object.entries(exampleRuns)) {
  for (const [index, scenario] of runs.entries()) {
    underGitlabCiLocal(`docs/examples/gitlab/${name} (${String(index + 1)})`, async (fixture) => {
      using resources = new DisposableStack()
      if (name === 'sweep.yml') resources.use(await sweepAlone(fixture.info))
      const { tools = {}, variables = {}, jobs, output = /Credential: revoked .*, proven dead/ } = await scenario(fixture)
      for (const [tool, script] of Object.entries(tools)) fixture.project.write(`tools/${tool}`, `#!/bin/sh\n${script}\n`, 0o755)
      const ended = await run(fixture, examplePipeline(name, fixture.proxy.url), variables)
      expect(ended.stdout).toMatch(output)
      expect(ended.jobs).toEqual(jobs)
    })
  }
}
