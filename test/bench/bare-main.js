// Makes the same calls as kubepass and starts the same scan, without checks, masks, cleanup and useful errors. The file is JavaScript,
// because Node.js would need time to strip types.
import { spawn } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'

const { INPUT_SERVER, INPUT_CERTIFICATE_AUTHORITY, INPUT_SERVICE_ACCOUNT, INPUT_TOKEN, INPUT_COMMAND, BENCH_BOUND_SECRET, RUNNER_TEMP } =
  process.env
const [namespace, name] = INPUT_SERVICE_ACCOUNT.split('/')
const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: INPUT_CERTIFICATE_AUTHORITY })

function post(path, bearer, document) {
  const body = JSON.stringify(document)
  const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
  return new Promise((resolve, reject) => {
    const outgoing = request(INPUT_SERVER + path, { method: 'POST', agent, headers }, (incoming) => {
      let text = ''
      incoming.on('data', (chunk) => (text += chunk))
      incoming.on('end', () => (incoming.statusCode === 201 ? resolve(JSON.parse(text)) : reject(new Error(text))))
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

const namespacePath = `/api/v1/namespaces/${namespace}`
const secret = { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata: { name: BENCH_BOUND_SECRET } }
const { uid } = (await post(`${namespacePath}/secrets`, INPUT_TOKEN, secret)).metadata
const boundObjectRef = { apiVersion: 'v1', kind: 'Secret', name: BENCH_BOUND_SECRET, uid }
const tokenRequest = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 900, boundObjectRef } }
const { token } = (await post(`${namespacePath}/serviceaccounts/${name}/token`, INPUT_TOKEN, tokenRequest)).status
await post('/apis/authentication.k8s.io/v1/selfsubjectreviews', token, {
  apiVersion: 'authentication.k8s.io/v1',
  kind: 'SelfSubjectReview',
})

const KUBECONFIG = join(mkdtempSync(join(RUNNER_TEMP, 'bare-')), 'kubeconfig')
const ca = Buffer.from(INPUT_CERTIFICATE_AUTHORITY).toString('base64')
const kubeconfig = {
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'bare', cluster: { server: INPUT_SERVER, 'certificate-authority-data': ca } }],
  users: [{ name: 'bare', user: { token } }],
  contexts: [{ name: 'bare', context: { cluster: 'bare', user: 'bare', namespace } }],
  'current-context': 'bare',
}
writeFileSync(KUBECONFIG, JSON.stringify(kubeconfig), { mode: 0o600 })
const scan = ['--noprofile', '--norc', '-eo', 'pipefail', '-c', INPUT_COMMAND]
spawn('bash', scan, { env: { ...process.env, KUBECONFIG }, stdio: 'inherit' }).on('exit', () => agent.destroy())
