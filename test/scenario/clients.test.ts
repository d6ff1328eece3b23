// Clients other than kubectl reach the API server through the API proxy without a change.
import { expect, test } from '@jest/globals'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeFileSync } from 'node:fs'
import { buildHelm } from '../runners/helm.ts'
import { installPythonClient, missingForPython } from '../runners/python-client.ts'
import { onGithub, runOnGithub, type GithubFixture } from './scenario.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Lists, and watches until the first event. */
const PYTHON = `
from kubernetes import client, config, watch
config.load_kube_config()
api = client.CoreV1Api()
print('listed', [each.metadata.name for each in api.list_namespace().items if each.metadata.name == 'kubepass'])
for event in watch.Watch().stream(api.list_namespace, timeout_seconds=20):
    if event['object'].metadata.name == 'kubepass':
        print('watched', event['type'])
        break
`

/** A version that respects NO_PROXY, and one that does not: its configuration forgets the variable. */
const [WITH_NO_PROXY, WITHOUT_NO_PROXY] = ['32.0.1', '34.1.0']

function withPython(name: string, scenario: (fixture: GithubFixture) => Promise<void>): void {
  const missing = missingForPython()
  if (missing !== undefined) console.warn(`Skipped: ${name}: ${missing}.`)
  const testHere = missing === undefined ? test : test.skip
  testHere(name, () => runOnGithub(scenario))
}

withPython('the client for Python lists and watches, also behind an HTTP proxy', async ({ job, step }) => {
  const file = join(job.workspace, 'scan.py')
  writeFileSync(file, PYTHON)
  const python = async (version: string, env: Record<string, string>): ReturnType<ReturnType<typeof step>['main']> =>
    step({ command: 'python3 scan.py', pass_env: 'PYTHONPATH' }, { PYTHONPATH: await installPythonClient(version), ...env }).main()
  const unusable = { HTTPS_PROXY: 'http://127.0.0.1:9', NO_PROXY: '127.0.0.1' }
  for (const [version, env] of [
    [WITH_NO_PROXY, {}],
    [WITH_NO_PROXY, unusable],
    [WITHOUT_NO_PROXY, {}],
  ] as const) {
    const main = await python(version, env)
    expect(main.code).toBe(0)
    expect(main.log).toContain("listed ['kubepass']\n")
    expect(main.log).toContain('watched ADDED\n')
  }
  const lost = await python(WITHOUT_NO_PROXY, unusable)
  expect(lost.code).toBe(1)
  expect(lost.messages).toEqual([
    expect.stringMatching(/The scan sent no request to the API proxy at .* its client ignores NO_PROXY behind an HTTP proxy/),
  ])
})

const STRICT = `
import http.client, json, os, ssl
cluster = json.load(open(os.environ['KUBECONFIG']))
import base64
ca = base64.b64decode(cluster['clusters'][0]['cluster']['certificate-authority-data']).decode()
context = ssl.create_default_context(cadata=ca)
context.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
host, port = cluster['clusters'][0]['cluster']['server'].removeprefix('https://').split(':')
connection = http.client.HTTPSConnection(host, int(port), context=context)
connection.request('GET', '/version', headers={'Authorization': 'Bearer ' + cluster['users'][0]['user']['token']})
print('answer', connection.getresponse().status)
`

withPython('the certificate of the API proxy satisfies the strict flags that Python sets from 3.13 on', async ({ job, step }) => {
  writeFileSync(join(job.workspace, 'scan.py'), STRICT)
  const main = await step({ command: 'python3 scan.py' }).main()
  expect(main.log).toContain('answer 200\n')
  expect(main.code).toBe(0)
})

const JAVASCRIPT = `
import { CoreV1Api, KubeConfig, Watch } from '${root}node_modules/@kubernetes/client-node/dist/index.js'
const config = new KubeConfig()
config.loadFromDefault()
const { items } = await config.makeApiClient(CoreV1Api).listNamespace()
console.log('listed', items.some(({ metadata }) => metadata.name === 'kubepass'))
const watching = await new Watch(config).watch('/api/v1/namespaces', {}, (type, object) => {
  if (object.metadata.name !== 'kubepass') return
  console.log('watched', type)
  watching.abort()
  process.exit(0)
}, () => process.exit(1))
`

onGithub('the client for JavaScript lists and watches', async ({ job, step }) => {
  writeFileSync(join(job.workspace, 'scan.mjs'), JAVASCRIPT)
  const main = await step({ command: 'node scan.mjs' }).main()
  expect(main.log).toContain('listed true\n')
  expect(main.log).toContain('watched ADDED\n')
  expect(main.code).toBe(0)
})

onGithub('helm lists releases', async ({ step }) => {
  const helm = await buildHelm()
  // The scanner of the tests may not read Secrets, so helm keeps its releases in ConfigMaps.
  const main = await step({ command: `'${helm}' list --namespace kubepass` }, { HELM_DRIVER: 'configmap' }).main()
  expect(main.log).toMatch(/^NAME\s+NAMESPACE\s+REVISION/m)
  expect(main.code).toBe(0)
})
