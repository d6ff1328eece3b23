// Measures how long `kubepass sweep` takes for many bound Secrets.
//   npm run bench:sweep -- [--secrets 10000]
import { join } from 'node:path'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { admin, apply, kubectl, waitForPolicies } from '../cluster/admin.ts'
import { boundSecretOf, Room } from '../cluster/bound-secrets.ts'
import { startCluster } from '../cluster/cluster.ts'
import { Terminal } from '../hosts/terminal.ts'

const { values } = parseArgs({ options: { secrets: { type: 'string', default: '10000' } } })
const progress = (line: string): void => void process.stderr.write(`${line}\n`)
const count = Number(values.secrets)
if (!Number.isInteger(count) || count < 1) throw new Error('--secrets must be a positive integer')

progress('starting a cluster')
await using cluster = await startCluster({ tokenCacheTTL: '10s', controllers: true, progress })
const { info } = cluster
for (const folder of ['base', 'sweeper']) await apply(info, fileURLToPath(new URL(`../../deploy/${folder}`, import.meta.url)))
const hard = { 'count/secrets': String(count) }
await kubectl(info, 'patch', 'resourcequota', 'kubepass', '--namespace', 'kubepass', '--patch', JSON.stringify({ spec: { hard } }))
await waitForPolicies(info)
await using terminal = new Terminal(info)
const path = '/api/v1/namespaces/kubepass-issuer/serviceaccounts/sweeper/token'
const { body } = await admin(info).create<{ status: { token: string } }>(path, { spec: {} })
const file = join(terminal.home, 'sweeper.token')
writeFileSync(file, body.status.token, { mode: 0o600 })

progress(`creating ${String(count)} bound Secrets`)
const namespace = new Room(info, 'kubepass')
await namespace.fill(Array.from({ length: count }, (_, index) => boundSecretOf({ run: String(index + 1) })))

progress('sweeping')
const started = performance.now()
const flags = ['--server', info.server, '--certificate-authority', info.ca, '--service-account', 'kubepass/scanner', '--token-file', file]
const { code, stdout, stderr } = await terminal.run(['sweep', ...flags, '--json'])
const seconds = (performance.now() - started) / 1000
const { secrets } = JSON.parse(stdout) as { secrets: { outcome: string }[] }
const deleted = secrets.filter(({ outcome }) => outcome === 'deleted').length
const left = (await namespace.names()).length
if (code !== 0 || deleted !== count || left !== 0)
  throw new Error(`kubepass sweep ended with ${String(code)}, deleted ${String(deleted)} Secrets and left ${String(left)}:\n${stderr}`)
process.stdout.write(`${String(count)} bound Secrets deleted in ${seconds.toFixed(1)} s\n`)
