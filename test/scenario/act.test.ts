import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { randomInt } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { kubectl } from '../cluster/admin.ts'
import { boundSecretOf, Room, sweepAlone } from '../cluster/bound-secrets.ts'
import { buildAct, CHECKOUT, type ActOptions } from '../runners/act.ts'
import { base64Of, execCredential, execEntry, kubeconfigOf, RunnerDisk } from './kubeconfigs.ts'
import { actionInPod, Pod, whyNoPod } from './pod.ts'
import { clusters, ONE_SECRET, underAct, type ActFixture } from './scenario.ts'

beforeAll(async () => {
  await buildAct()
  // The command of the README.
  await kubectl(clusters.quick, 'create', 'namespace', 'payments')
  await kubectl(
    clusters.quick,
    ...['create', 'rolebinding', 'scanner', '--namespace', 'payments', '--clusterrole', 'view', '--serviceaccount', 'kubepass:scanner'],
  )
}, 300_000)

/** A job that checks out the repository and then runs these steps. */
function job(...steps: object[]): object {
  return { on: 'push', jobs: { scan: { 'runs-on': 'ubuntu-24.04', steps: [{ uses: CHECKOUT }, ...steps] } } }
}

underAct('act: main runs the command and revokes, and post has nothing left to do', async ({ act, inputs, proxy }) => {
  const { code, stdout } = await act.run(
    job({ id: 'scan', uses: './', with: { ...inputs, command: 'kubectl get ns kubepass -o name; kubectl config view --raw' } }),
  )
  expect(stdout).toMatch(/\| namespace\/kubepass$/m)
  expect(stdout).toMatch(/ server: https:\/\/127\.0\.0\.1:\d+$/m)
  expect(stdout).toMatch(/ token: \*\*\*$/m)
  expect(stdout).toMatch(/Credential: revoked .*, proven dead/)
  expect(stdout).toContain('Success - Post ./')
  expect(code).toBe(0)
  expect(act.idTokens.audiences).toEqual([proxy.url, proxy.url])
  expect(proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)).toEqual([200, 404])
})

underAct("act: a failing command fails the job with the command's code, and post runs", async ({ act, inputs }) => {
  const { code, stdout } = await act.run(
    job(
      { id: 'scan', uses: './', with: { ...inputs, command: 'exit 7' } },
      {
        if: 'always()',
        run: 'echo "its outcome: $OUTCOME $CODE"',
        env: { OUTCOME: '${{ steps.scan.outcome }}', CODE: '${{ steps.scan.outputs.exit_code }}' },
      },
    ),
  )
  expect(stdout).toMatch(/exit status 7$|exitcode '7'/m)
  expect(stdout).toContain('its outcome: failure 7')
  expect(stdout).toContain('Success - Post ./')
  expect(code).toBe(1)
})

underAct('act: without a command the later steps have the credential until post revokes it', async ({ act, inputs, proxy }) => {
  const use = 'kubectl get ns kubepass -o name; echo "$CREDENTIAL" | grep ^JTI='
  const { code, stdout } = await act.run(
    job(
      { id: 'kubepass', uses: './', with: inputs },
      { run: use, env: { CREDENTIAL: '${{ steps.kubepass.outputs.credential_id }}' } },
      { run: 'kubectl config view --raw; exit 5' },
    ),
  )
  expect(stdout).toMatch(/\| namespace\/kubepass$/m)
  expect(stdout).toMatch(/\| JTI=/)
  expect(stdout).toContain('exit status 5')
  expect(stdout).toMatch(/Credential: revoked .*, proven dead/)
  expect(stdout).toContain('Success - Post ./')
  expect(code).toBe(1)
  expect(proxy.seen('DELETE', ONE_SECRET)).toHaveLength(1)
})

underAct('act: when act is interrupted and kills main, post ends the scan, revokes and proves', async ({ act, inputs }) => {
  const command = 'echo it began; sleep 600'
  const running = act.start(job({ uses: './', with: { ...inputs, command, delivery: 'kubeconfig' } }))
  await running.seen(/\| it began$/m)
  running.kill('SIGINT')
  const { code, stdout } = await running.ended
  expect(stdout).not.toContain('Stopped by SIGINT')
  expect(stdout).toMatch(/outlived the scan and were ended/)
  expect(stdout).toMatch(/Credential: revoked .*, proven dead/)
  expect(stdout).toContain('Success - Post ./')
  expect(code).toBe(1)
})

const REVOKED = /Credential: revoked .*, proven dead/
const cli = fileURLToPath(new URL('../../dist/cli/index.js', import.meta.url))
const examples = fileURLToPath(new URL('../../docs/examples/', import.meta.url))

interface Workflow {
  jobs: Record<string, { steps: { uses?: string }[] }>
}

/** An example workflow, changed to use the test's server and the action of the working tree. */
function example(name: string, server: string): Workflow {
  const text = readFileSync(`${examples}${name}`, 'utf8').replaceAll('https://k8s.example.com:6443', server)
  const workflow = parse(text) as Workflow
  for (const job of Object.values(workflow.jobs)) {
    // The test has no cloud and no artifact service, and Node.js is installed.
    const steps = job.steps.filter(({ uses }) => uses === undefined || !/^(aws-actions|actions\/(setup-node|upload-artifact))/.test(uses))
    job.steps = steps
    for (const step of steps) if (step.uses?.startsWith('kubepass/kubepass@') === true) step.uses = './'
    if (!steps.some(({ uses }) => uses?.startsWith('actions/checkout@') === true)) steps.unshift({ uses: CHECKOUT })
  }
  return workflow
}

/** A stand-in for a tool, which must find the credential where such tools look for it. */
const LOOK = 'kubectl get pods --namespace payments -o name'

interface Example extends ActOptions {
  /** Resources that are disposed after the run. */
  uses?: AsyncDisposable
  /** Stand-ins for the programs that the example calls, by name. */
  tools?: Record<string, string>
  code?: number
  output: RegExp
  /** The log line about the credential's end; undefined if the run has no credential. */
  ends?: RegExp | undefined
}

const disk = new RunnerDisk()
afterAll(() => disk[Symbol.dispose]())
const V1BETA1 = 'client.authentication.k8s.io/v1beta1'
const noPod = whyNoPod()

const exampleRuns: Record<string, ((fixture: ActFixture) => Example | Promise<Example>)[]> = {
  'cinc-auditor.yml': [100, 101, 1].map((ended) => () => ({
    tools: { 'cinc-auditor': `${LOOK}\necho "[]" > audit.json\nexit ${String(ended)}` },
    code: ended === 101 ? 0 : 1,
    output:
      ended === 100
        ? /Failure - Main Fail the job if a control failed/
        : ended === 101
          ? /exit_code=101/
          : /Failure - Main kubepass|Failure - Main \.\//,
  })),
  'eks.yml': [
    async ({ identityOf, info, proxy }) => {
      const answer = execCredential({ token: await identityOf('issuer'), expirationTimestamp: '2100-01-01T00:00:00Z' }, V1BETA1)
      const user = execEntry('aws', { apiVersion: V1BETA1, args: ['eks', 'get-token'], env: null, interactiveMode: 'IfAvailable' })
      const [credential, kubeconfig] = [disk.write('credential', answer), disk.write('eks', kubeconfigOf(info, proxy.url, user))]
      return {
        event: 'workflow_dispatch',
        tools: { aws: `if [ "$2" = get-token ]; then cat ${credential}; else cat ${kubeconfig} > "$6"; fi` },
        output: /Identity: kubeconfig, because it was asked for/,
      }
    },
  ],
  'in-cluster.yml': [
    async ({ act, identityOf, info, proxy }) => {
      const pod = await Pod.start({ token: await identityOf('issuer'), ca: info.ca })
      actionInPod(act.repository, pod.variables(proxy))
      return { uses: pod, event: 'workflow_dispatch', output: /Identity: in-cluster, because it was asked for/ }
    },
  ],
  'kubeconfig.yml': [
    ({ info, proxy }) => {
      const user = { 'client-certificate-data': base64Of(info.clientCert), 'client-key-data': base64Of(info.clientKey) }
      const content = Buffer.from(kubeconfigOf(info, proxy.url, user)).toString('base64')
      return {
        event: 'workflow_dispatch',
        secrets: { KUBERNETES_ISSUER_KUBECONFIG: content },
        output: /Identity: kubeconfig, because it was asked for/,
      }
    },
  ],
  'kubectl.yml': [() => ({ event: 'schedule', tools: existsSync('/usr/bin/jq') ? {} : { jq: 'cat' }, output: /exit_code=0/ })],
  'later-steps.yml': [() => ({ event: 'workflow_dispatch', tools: { trivy: LOOK }, output: /\| JTI=\S+ would expire 20/ })],
  'sweep.yml': [
    async ({ info }) => {
      const [over = ''] = await new Room(info, 'kubepass').fill([boundSecretOf({ run: String(randomInt(1e6, 1e9)) })])
      return {
        event: 'schedule',
        tools: {
          curl: `exec /usr/bin/curl --cacert ${info.ca} "$@"`,
          jq: `exec ${process.execPath} -p 'JSON.parse(fs.readFileSync(0)).value'`,
          npx: `shift 2\nexec ${process.execPath} ${cli} "$@"`,
        },
        output: new RegExp(`\\| ${over} .* expired +deleted$`, 'm'),
        ends: undefined,
      }
    },
  ],
  'token.yml': [
    async ({ identityOf }) => ({
      event: 'workflow_dispatch',
      secrets: { KUBERNETES_ISSUER_TOKEN: await identityOf('issuer') },
      output: /Identity: token, because it was asked for/,
    }),
  ],
}

test('the tests run every workflow of docs/examples', () => {
  expect(Object.keys(exampleRuns).toSorted()).toEqual(
    readdirSync(examples)
      .filter((name) => name.endsWith('.yml'))
      .toSorted(),
  )
})

for (const [name, runs] of Object.entries(exampleRuns)) {
  for (const [index, scenario] of runs.entries()) {
    const title = `docs/examples/${name} (${String(index + 1)})`
    if (name === 'in-cluster.yml' && noPod !== undefined) {
      console.warn(`Skipped: ${title}: ${noPod}.`)
      test.skip(title, () => undefined)
      continue
    }
    underAct(title, async (fixture) => {
      const { act, info, proxy } = fixture
      await using resources = new AsyncDisposableStack()
      if (name === 'sweep.yml') resources.use(await sweepAlone(info))
      const { tools = {}, code = 0, output, uses, ends, ...options } = { ends: REVOKED, ...(await scenario(fixture)) }
      if (uses !== undefined) resources.use(uses)
      for (const [tool, script] of Object.entries(tools)) act.standIn(tool, script)
      const vars = { KUBERNETES_CA: readFileSync(info.ca, 'utf8') }
      const ended = await act.run(example(name, proxy.url), { ...options, vars })
      expect(ended.stdout).toMatch(output)
      if (ends !== undefined) expect(ended.stdout).toMatch(ends)
      expect(ended.code).toBe(code)
    })
  }
}
