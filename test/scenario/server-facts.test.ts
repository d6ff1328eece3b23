import { expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Evidence } from '../../src/state/evidence.ts'
import { admin } from '../cluster/admin.ts'
import type { ClusterInfo } from '../cluster/cluster.ts'
import { documented } from '../documented.ts'
import { schemaErrors } from './schema.ts'
import {
  credentialIdOf,
  killWhileScanning,
  onEachCi,
  onGithub,
  inTerminal,
  runInTerminal,
  status,
  TOKEN,
  VERSION,
  WHOAMI,
  type GithubFixture,
} from './scenario.ts'

const dist = new URL('../../dist', import.meta.url).pathname

/** The digest that a documented command prints. */
function digest(field: string, command: string, cwd: string, change = (text: string): string => text): string {
  return execFileSync('bash', ['-c', change(documented(field, command))], { cwd, encoding: 'utf8' }).split(' ', 1)[0] ?? ''
}

function caSha256(info: ClusterInfo): string {
  return digest('ca_sha256', 'openssl x509 -in ca.crt -outform DER | sha256sum', '/', (text) => text.replace('ca.crt', `'${info.ca}'`))
}

async function versionOf(info: ClusterInfo): Promise<unknown> {
  return (await admin(info).get<{ gitVersion: unknown }>('/version')).body.gitVersion
}

/** Reads the file, which must conform to the schema. */
function evidenceIn(path: string): Evidence {
  const evidence = JSON.parse(readFileSync(path, 'utf8')) as Evidence
  expect(schemaErrors(evidence)).toEqual([])
  return evidence
}

onEachCi(
  'the evidence says who requested the credential, for which command, with which program, from which API server',
  async ({ ci, info, proxy, step, job, identityOf }) => {
    const token = await identityOf('issuer')
    const evidence = join(job.home, 'evidence.json')
    const main = await step({ token, command: ' true\n', evidence }).main()
    expect({ code: main.code, log: main.log }).toMatchObject({ code: 0 })
    const onGitlab = { actor: 'sample-user', commit: '714a629c0b401fdce83e847fc9589983fc6f46bc' }
    expect(evidenceIn(evidence)).toMatchObject({
      run: {
        ...(ci === 'gitlab' ? onGitlab : { actor: 'octocat', commit: '6dcb09b5b57875f334f61aebed695e2e4193db5e' }),
        ref: 'refs/heads/main',
        event: 'push',
      },
      issuer: { username: 'system:serviceaccount:kubepass-issuer:issuer', credential_id: credentialIdOf(token) },
      api_server: { version: await versionOf(info), ca_sha256: caSha256(info) },
      command_sha256: execFileSync('sh', ['-c', 'printf %s true | sha256sum'], { encoding: 'utf8' }).slice(0, 64),
      error: null,
    })
    expect(proxy.seen('POST', WHOAMI).filter(({ bearer }) => bearer === token)).toHaveLength(1)
  },
  { idToken: false },
)

onGithub('the digest of the program is that of main, also in the evidence of post', async ({ step, job }) => {
  const expected = digest('program_sha256', 'sha256sum dist/main/index.js', join(dist, '..'))
  const evidence = join(job.workspace, 'evidence.json')
  const use = step({ command: 'echo started; exec sleep 600', evidence })
  await killWhileScanning(use)
  expect((await use.post()).code).toBe(0)
  const { program_sha256, command_sha256 } = evidenceIn(evidence)
  expect(program_sha256).toBe(expected)
  expect(command_sha256).toMatch(/^[0-9a-f]{64}$/)
})

test('a scan that changes the file of the program does not change its digest', async () => {
  const copy = mkdtempSync(join(tmpdir(), 'server-facts-test-'))
  cpSync(dist, copy, { recursive: true })
  const program = join(copy, 'cli/index.js')
  await runInTerminal(
    async ({ terminal, flags, identityOf }) => {
      const stdin = await identityOf('issuer')
      const evidence = join(terminal.folder, 'evidence.json')
      const before = readFileSync(program)
      const scan = ['sh', '-c', 'echo "// changed" >> "$1"', 'x', program]
      const { code } = await terminal.run(['run', ...flags, '--token-file', '-', '--evidence', evidence, '--', ...scan], { stdin })
      expect(code).toBe(0)
      expect(readFileSync(program)).not.toEqual(before)
      expect(evidenceIn(evidence).program_sha256).toBe(createHash('sha256').update(before).digest('hex'))
    },
    [process.execPath, program],
  )
  rmSync(copy, { recursive: true })
})

inTerminal('in a terminal the evidence has the digest of the words, and no job', async ({ info, terminal, flags, identityOf }) => {
  const stdin = await identityOf('issuer')
  const evidence = join(terminal.folder, 'evidence.json')
  const { code } = await terminal.run(
    ['run', ...flags, '--token-file', '-', '--evidence', evidence, '--', 'sh', '-c', 'exit "$1"', 'x', '0'],
    { stdin },
  )
  expect(code).toBe(0)
  expect(evidenceIn(evidence)).toMatchObject({
    run: { actor: '', commit: '', ref: '', event: '' },
    issuer: { username: 'system:serviceaccount:kubepass-issuer:issuer' },
    api_server: { ca_sha256: caSha256(info) },
    program_sha256: execFileSync('sha256sum', [join(dist, 'cli/index.js')], { encoding: 'utf8' }).slice(0, 64),
    command_sha256: digest('command_sha256', "printf '%s\\0' kubectl get pods | sha256sum", '/', (text) =>
      text.replace('kubectl get pods', `sh -c 'exit "$1"' x 0`),
    ),
  })
})

onGithub('without a command the evidence has the issuer and the API server, too', async ({ info, proxy, step, job }) => {
  const evidence = join(job.workspace, 'evidence.json')
  const use = step({ evidence })
  expect((await use.main()).code).toBe(0)
  const idToken = proxy.seen('POST', TOKEN)[0]?.bearer ?? ''
  const { username } = await admin(info).whoami(idToken)
  const facts = { issuer: { username }, api_server: { version: await versionOf(info) }, command_sha256: null }
  expect(evidenceIn(evidence)).toMatchObject({ issuer: null, command_sha256: null })
  expect((await use.post()).code).toBe(0)
  expect(evidenceIn(evidence)).toMatchObject(facts)
})

/** Runs a job, and lets the proxy treat what kubepass asks for the evidence alone. */
async function withDisturbedFacts(
  { proxy, step, job }: GithubFixture,
  disturb: () => Parameters<GithubFixture['proxy']['on']>[1],
): Promise<Evidence> {
  const evidence = join(job.workspace, 'evidence.json')
  const reaction = disturb()
  proxy.on({ method: 'POST', path: WHOAMI }, (exchange) => (proxy.tokens.includes(exchange.bearer) ? undefined : reaction(exchange)))
  proxy.on({ method: 'GET', path: VERSION }, reaction)
  const main = await step({ command: 'echo scanned', evidence }).main()
  expect({ code: main.code, log: main.log }).toMatchObject({ code: 0 })
  expect(main.log).toContain('\nscanned\n')
  expect(main.annotations).toEqual([])
  const { error, warnings, proven, ...facts } = evidenceIn(evidence)
  expect({ error, warnings, samples: proven?.samples }).toEqual({ error: null, warnings: [], samples: 3 })
  return { error, warnings, proven, ...facts }
}

for (const [what, answer] of Object.entries({
  'are forbidden': status(403, 'Forbidden', 'no'),
  'get the answer of a gateway': { status: 502, headers: { 'content-type': 'text/html' }, body: '<html>' },
  'are cut off': 'reset' as const,
  'get a text of another form': {
    status: 201,
    body: JSON.stringify({ status: { userInfo: { username: '\n::error::x' } }, gitVersion: '\n' }),
  },
})) {
  onGithub(`if the requests for the evidence ${what}, the evidence lacks their facts and nothing else changes`, async (fixture) => {
    const { issuer, api_server } = await withDisturbedFacts(fixture, () => () => answer)
    expect(issuer).toBeNull()
    expect(api_server).toEqual({ version: null, ca_sha256: caSha256(fixture.info) })
    // Each request is sent once.
    expect(fixture.proxy.seen('GET', VERSION)).toHaveLength(1)
  })
}

onGithub('the requests for the evidence come after the revocation, which does not wait for their answers', async (fixture) => {
  const { issuer, api_server } = await withDisturbedFacts(fixture, () => () => 'hang')
  expect(issuer).toBeNull()
  expect(api_server).toEqual({ version: null, ca_sha256: caSha256(fixture.info) })
  const { exchanges, tokens } = fixture.proxy
  const ofEvidence = exchanges.findIndex(({ bearer, path }) => WHOAMI.test(path) && !tokens.includes(bearer))
  expect(ofEvidence).toBeGreaterThan(exchanges.findIndex(({ method }) => method === 'DELETE'))
})

onGithub('if a gateway answers with the signature of the token as the name of the user, the evidence hides it', async (fixture) => {
  const signatureOf = (bearer: string): string => bearer.split('.')[2] ?? ''
  const { issuer } = await withDisturbedFacts(fixture, () => ({ bearer }) => ({
    status: 201,
    body: JSON.stringify({ status: { userInfo: { username: `user ${signatureOf(bearer)}` } } }),
  }))
  const signature = signatureOf(fixture.proxy.seen('POST', TOKEN)[0]?.bearer ?? '')
  expect(signature.length).toBeGreaterThan(50)
  expect(issuer?.username).toMatch(/^user /)
  expect(issuer?.username).not.toContain(signature)
})

onGithub('kubepass asks for the facts of the evidence once, however often it renews the credential', async ({ job, proxy, step }) => {
  proxy.shortTokens(4)
  const go = join(job.home, 'go')
  const phase = step({ command: `until [ -f ${go} ]; do sleep 0.05; done` }).start('main')
  await phase.seen('Renewed the credential')
  writeFileSync(go, '')
  const main = await phase.done
  expect(main.code).toBe(0)
  expect(proxy.seen('POST', WHOAMI).filter(({ bearer }) => !proxy.tokens.includes(bearer))).toHaveLength(1)
  expect(proxy.seen('GET', VERSION)).toHaveLength(1)
})
