import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { buildCluster } from './build.ts'
import { USUAL, type Version } from './versions.ts'

/** A running cluster as plain data, which a process can pass to another one. */
export interface ClusterInfo {
  server: string
  /** The issuer of all ID tokens. Before Kubernetes 1.30 the API server trusts one issuer, and one audience: its own URL. */
  soleIssuer?: string
  pid: number
  dir: string
  /** How long the API server caches an accepted token. */
  tokenCacheMs: number
  /** The ports of the proxies. The API server accepts loopback URLs with these ports as audiences of an ID token. */
  proxyPorts: number[]
  /** Further ports with accepted audiences. Each of these ports belongs to one test, which can close it and open it again. */
  ownPorts: number[]
  // The fields below are paths.
  kubectl: string
  adminKubeconfig: string
  ca: string
  otherCA: string
  serverCert: string
  serverKey: string
  adminCert: string
  adminKey: string
  /** A client certificate of the user ci:client in the group ci:clients, which has the issuer's rights. */
  clientCert: string
  clientKey: string
  serviceAccountKey: string
  issuerKey: string
  auditLog: string
}

export interface Cluster extends AsyncDisposable {
  readonly info: ClusterInfo
  /** Kills the cluster and removes its folder. A graceful stop would wait a minute for open watches. */
  stop(): Promise<void>
}

export interface ClusterOptions {
  /** The Kubernetes version; the default version when undefined. */
  version?: Version
  tokenCacheTTL: '0s' | '10s'
  controllers: boolean
  /** Accepted audiences of ID tokens besides the URLs of the server and its proxies. */
  audiences?: string[]
  progress?: (line: string) => void
}

const START_MS = 120_000
const PROXY_PORTS = 48
const OWN_PORTS = 16

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { version = USUAL, tokenCacheTTL, controllers, audiences = [], progress } = options
  const binaries = await buildCluster(version, progress)
  const dir = await mkdtemp(join(tmpdir(), 'kubepass-cluster-'))
  const at = (name: string): string => join(dir, name)
  const ports = somePorts(PROXY_PORTS + OWN_PORTS)
  const trusted = [...audiences, ...ports.map((port) => `https://127.0.0.1:${String(port)}`)]
  const log = await open(at('log'), 'wx', 0o600)
  // The end of this process closes the cluster's standard input. The cluster then ends and removes its folder.
  const child = spawn(
    binaries.cluster,
    ['--dir', dir, '--token-cache-ttl', tokenCacheTTL, `--controllers=${String(controllers)}`, '--audiences', trusted.join(',')],
    { stdio: ['pipe', log.fd, log.fd] },
  )
  const stop = async (): Promise<void> => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      child.ref()
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    await rm(dir, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    const { server, soleIssuer } = await ready(child, dir)
    // Node.js must not wait for the cluster if a caller does not stop it.
    child.unref()
    if (child.stdin instanceof Socket) child.stdin.unref()
    const info: ClusterInfo = {
      server,
      ...(soleIssuer !== '' && { soleIssuer }),
      pid: child.pid ?? 0,
      dir,
      tokenCacheMs: Number.parseInt(tokenCacheTTL) * 1000,
      proxyPorts: ports.slice(0, PROXY_PORTS),
      ownPorts: ports.slice(PROXY_PORTS),
      kubectl: binaries.kubectl,
      adminKubeconfig: at('admin.kubeconfig'),
      ca: at('ca.crt'),
      otherCA: at('other-ca.crt'),
      serverCert: at('server.crt'),
      serverKey: at('server.key'),
      adminCert: at('admin.crt'),
      adminKey: at('admin.key'),
      clientCert: at('client.crt'),
      clientKey: at('client.key'),
      serviceAccountKey: at('service-accounts.key'),
      issuerKey: at('issuer.key'),
      auditLog: at('audit.log'),
    }
    return { info, stop, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  } finally {
    await log.close()
  }
}

async function ready(child: ChildProcess, dir: string): Promise<{ server: string; soleIssuer: string }> {
  let failure: string | undefined
  child.once('error', (error) => (failure = error.message))
  child.once('exit', (code, signal) => (failure = `ended with ${String(signal ?? code)}`))
  const file = join(dir, 'ready.json')
  for (const deadline = Date.now() + START_MS; !existsSync(file); await delay(25)) {
    if (Date.now() > deadline) failure = `was not ready after ${String(START_MS / 1000)} s`
    if (failure === undefined) continue
    const log = await readFile(join(dir, 'log'), 'utf8')
    throw new Error(`The test cluster ${failure}. The last lines of its log:\n${log.trimEnd().split('\n').slice(-20).join('\n')}`)
  }
  return JSON.parse(await readFile(file, 'utf8')) as { server: string; soleIssuer: string }
}

/** Consecutive free ports below the system's ephemeral ports. */
function somePorts(count: number): number[] {
  const first = 12_000 + Math.floor(Math.random() * (20_000 - count))
  return Array.from({ length: count }, (_, index) => first + index)
}
