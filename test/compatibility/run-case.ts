import { expect } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { admin } from '../cluster/admin.ts'
import type { ClusterInfo } from '../cluster/cluster.ts'
import { goTool } from '../cluster/go-tool.ts'
import { startProxy, type Exchange, type Proxy } from '../cluster/proxy.ts'
import type { Ended } from '../hosts/child.ts'
import { Terminal } from '../hosts/terminal.ts'
import { findLeftovers } from '../leftovers.ts'
import { Gateway } from '../scenario/gateway.ts'
import { RunnerDisk } from '../scenario/kubeconfigs.ts'
import { SECRETS } from '../scenario/scenario.ts'
import { kubeconfigFor, type Case, type Materials, type Section } from './cases.ts'
import { startSocks } from './socks.ts'

/** One row of docs/compatibility.md. */
export interface Row {
  title: string
  kubectl: string
  kubepass: string
  remark: string
}

/** The certificates of all cases. */
export class Certificates implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'kubepass-certificates-'))

  static async write(): Promise<Certificates> {
    const certificates = new Certificates()
    execFileSync(await goTool('certificates'), [certificates.folder])
    return certificates
  }

  pem(file: string): string {
    return readFileSync(join(this.folder, file), 'utf8')
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

const KUBECTL = `run() { kubectl auth whoami --request-timeout=30s --kubeconfig "$1"; }`
const KUBEPASS = `program=("$@"); run() { "\${program[@]}" --kubeconfig "$1" -- true; }`

interface ProgramRun {
  ended: Ended
  /** Whether the program used one of the proxies. */
  route: 'by the proxy' | 'directly'
  /** The request that shows the identity. */
  exchange: Exchange | undefined
}

/** Runs kubectl and kubepass with the same input. */
export async function runCase({ byProxy }: Section, one: Case, info: ClusterInfo, certificates: Certificates): Promise<Row> {
  using disk = new RunnerDisk()
  const { serverKey, serverCert } = serverFilesOf(one, info, certificates, disk)
  // This API server also accepts client certificates of the other CA.
  const ca = disk.write('cas.crt', readFileSync(info.ca, 'utf8') + certificates.pem('root.crt'))
  await using proxy = await startProxy({ ...info, serverKey, serverCert, ca })
  using front = await relayOnIPv6(proxy)
  using gateway = await Gateway.start()
  using socks = await startSocks()
  await using terminal = new Terminal(info)
  const token = await issuerToken(info)
  const materials: Materials = {
    info,
    disk,
    token,
    pem: (file) => certificates.pem(file),
    port: new URL(proxy.url).port,
    port6: String(front.port),
    gateway: gateway.url,
    socks: `socks5://127.0.0.1:${String(socks.port)}`,
  }
  const given = one.given(materials)
  const right = kubeconfigFor(given, materials)
  const FILE = disk.kubeconfig(given.text?.(right) ?? right)
  const env = { ...given.env, FILE }

  const run = async (definition: string, flags: string[]): Promise<ProgramRun> => {
    proxy.exchanges.length = 0
    gateway.targets.length = 0
    const before = socks.requests()
    const script = `exec bash -c "$RUN" bash "$0" "$@"`
    const ended = await terminal.shell(script, ['run', ...flags], {
      env: { ...env, RUN: `${definition}\n${given.script ?? 'run "$FILE"'}` },
    })
    const route = gateway.targets.length > 0 || socks.requests() > before ? 'by the proxy' : 'directly'
    return { ended, route, exchange: proxy.exchanges.find(({ path }) => SECRETS.test(path)) ?? proxy.exchanges[0] }
  }
  const kubectl = await run(KUBECTL, [])
  const kubepass = await run(KUBEPASS, [
    '--service-account',
    'kubepass/scanner',
    '--isolate',
    'off',
    '--prove',
    'off',
    ...(given.flags ?? []),
  ])
  expect(await findLeftovers({ info, proxy, host: terminal, secrets: [token] })).toEqual([])
  if (kubectl.ended.code === 0 && kubepass.ended.code === 0) expectSameIdentity(kubectl, kubepass)
  const refused = kubepass.ended.code !== 0
  if (refused) expect([80, 81, 82, 83]).toContain(kubepass.ended.code)
  return {
    title: one.title,
    kubectl: kubectl.ended.code === 0 ? acceptance(kubectl, byProxy) : 'refuses',
    kubepass: refused ? `refuses (${String(kubepass.ended.code)})` : acceptance(kubepass, byProxy),
    remark: refused ? reasonOf(kubepass.ended, materials) : (one.remark ?? ''),
  }
}

/** The key and the certificate chain that the API server shows. */
function serverFilesOf(
  { shows }: Case,
  { serverKey, serverCert }: ClusterInfo,
  certificates: Certificates,
  disk: RunnerDisk,
): Pick<ClusterInfo, 'serverKey' | 'serverCert'> {
  if (shows === undefined) return { serverKey, serverCert }
  const files = shows.map((file) => certificates.pem(file))
  return { serverKey: disk.write('server.key', files.at(-1) ?? ''), serverCert: disk.write('server.crt', files.slice(0, -1).join('')) }
}

/** Compares the identities that the API server sees. It checks a certificate before a token. */
function expectSameIdentity(kubectl: ProgramRun, kubepass: ProgramRun): void {
  expect(kubepass.exchange?.certificate).toBe(kubectl.exchange?.certificate)
  if (kubectl.exchange?.certificate === '') expect(kubepass.exchange?.bearer).toBe(kubectl.exchange.bearer)
}

function acceptance({ route }: ProgramRun, byProxy: true | undefined): string {
  return byProxy === true ? route : 'accepts'
}

/** The first line of the message, without the parts that differ in each run. After a TLS failure the reason is at the end. */
function reasonOf({ code, stderr }: Ended, { port, port6, gateway }: Materials): string {
  const [, first = ''] = /^kubepass: error: (?:\d inputs are wrong:\n- )?(.*)$/m.exec(stderr) ?? []
  const reason = code === 83 ? first.slice(first.lastIndexOf(': ') + 2) : first.replace(/; for example: .*/, '.')
  expect(reason).not.toBe('')
  return reason
    .replaceAll(/"[^"]*(?:\/kubepass-|[0-9a-f]{8}-[0-9a-f]{4}-)[^"]*"/g, '"..."')
    .replaceAll(/\b\d{4,5}\b/g, (number) => ([port, port6, new URL(gateway).port].includes(number) ? 'PORT' : number))
}

async function issuerToken(info: ClusterInfo): Promise<string> {
  const { body } = await admin(info).create<{ status: { token: string } }>(
    '/api/v1/namespaces/kubepass-issuer/serviceaccounts/issuer/token',
    { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
  )
  return body.status.token
}

async function relayOnIPv6({ url }: Proxy): Promise<{ port: number } & Disposable> {
  const server = createServer((client) => {
    const upstream = connect(Number(new URL(url).port), '127.0.0.1')
    client.pipe(upstream).pipe(client)
    client.on('error', () => upstream.destroy())
    upstream.on('error', () => client.destroy())
  }).listen(0, '::1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, [Symbol.dispose]: () => void server.close() }
}
