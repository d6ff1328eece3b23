import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { stripVTControlCharacters } from 'node:util'
import { errnoOf, KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { parseCertificate } from '../config/certificates.ts'
import type { ClusterAccess } from '../config/cluster-access.ts'
import { explainInvalid, InvalidValue } from '../config/invalid-value.ts'
import { checkKeyPair, sealKey, sealToken } from '../config/seal-credentials.ts'
import type { Seal } from '../redact/sealed-string.ts'
import { killQuietly } from '../system/process-handle.ts'
import type { AuthInfo } from './identity.ts'
import type { Exec } from './read-kubeconfig.ts'

export interface ExecCredential {
  readonly authInfo: AuthInfo
  /** Milliseconds since 1970; undefined if the plugin states no expiry. */
  readonly expiresAt: number | undefined
}

const MAX_OUTPUT_BYTES = 1024 * 1024
const OURS = /^(INPUT|STATE|KUBEPASS)_/
const SECRET_NAME = /TOKEN|SECRET|PASSWORD|KEY/i
const SECRET_FLAG = /^-.*(token|secret|password|key)$/i
/** Matches a word that may be a secret, or the URL of a page. A failing program may print either. */
const SECRET_LIKE = /(?:https:\/\/)?[\w.=+/~-]{20,}/g
/** How many lines of the program's standard error to show. */
const LAST_LINES = 10
const KEPT_BYTES = 16 * 1024
const ASKS = /\b(device ?code|devicelogin|enter the code|browser|sign in|log ?in|password|passphrase|otp)\b/i
/** How long to wait for the end of the outputs after the program and its process group have ended. */
const OUTPUT_GRACE_MS = 1_000

/** The value of KUBERNETES_EXEC_INFO, as client-go gives it to a plugin. */
export function execInfo({ apiVersion, clusterInfo }: Exec, cluster: ClusterAccess): string {
  const about = clusterInfo && {
    server: cluster.server,
    'certificate-authority-data': Buffer.from(cluster.certificateAuthority).toString('base64'),
    ...(cluster.tlsServerName === undefined ? {} : { 'tls-server-name': cluster.tlsServerName }),
    ...(cluster.proxyUrl === undefined ? {} : { 'proxy-url': cluster.proxyUrl.href }),
    ...(clusterInfo.config === undefined ? {} : { config: clusterInfo.config }),
  }
  return JSON.stringify({ apiVersion, kind: 'ExecCredential', spec: { interactive: false, ...(about && { cluster: about }) } })
}

/** Seals each variable and argument of the plugin whose name suggests a secret. */
export function sealSecrets({ args, env }: Exec, seal: Seal): void {
  const ofVariables = env.filter(({ name }) => SECRET_NAME.test(name)).map(({ value }) => value)
  const ofFlags = args.map((arg, index) => {
    const [flag = '', ...inline] = arg.split('=')
    return SECRET_FLAG.test(flag) ? inline.join('=') || args[index + 1] : undefined
  })
  for (const value of [...ofVariables, ...ofFlags]) if (value !== undefined && value.length >= 16) seal(value)
}

/** Runs the plugin once, without standard input. When `signal` aborts, the plugin is killed. */
export async function runExecPlugin(exec: Exec, env: NodeJS.ProcessEnv, seal: Seal, signal: AbortSignal): Promise<ExecCredential> {
  const inherited = Object.fromEntries(Object.entries(env).filter(([name]) => !OURS.test(name)))
  const { stdout, stderr } = await outputsOf(exec, inherited, signal)
  return explainInvalid(
    () => credentialOf(stdout, exec.apiVersion, seal),
    (fault) => failed(exec, `printed no credential: ${fault}`, lastLines(stderr)),
  )
}

async function outputsOf(exec: Exec, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<{ stdout: string; stderr: string }> {
  const inTime = (printed: string): void => {
    if (!signal.aborted) return
    throw signal.reason instanceof KubepassError
      ? signal.reason
      : failed(exec, 'did not end in time', [lastLines(printed) ?? [], 'If it needs longer, raise deadline.'].flat().join('\n'))
  }
  inTime('')
  try {
    // In its own process group, so that its child processes are killed with it.
    const child = spawn(exec.command, exec.args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    const stop = (): void => {
      if (child.pid !== undefined) killQuietly(-child.pid, 'SIGKILL')
    }
    const [stdout, stderr] = [collect(child.stdout, stop), collectEnd(child.stderr)]
    const closed = new Promise((resolve) => child.once('close', resolve))
    signal.addEventListener('abort', stop, { once: true })
    try {
      const [code, killedBy] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
      stop()
      // A process that has left the group may keep an output open.
      await Promise.race([closed, sleep(OUTPUT_GRACE_MS, undefined, { ref: false })])
      inTime(stderr())
      if (stdout.isOver()) throw failed(exec, 'printed over 1 MiB')
      if (code !== 0) throw failed(exec, `ended with ${killedBy ?? `exit code ${String(code)}`}`, lastLines(stderr()))
      return { stdout: stdout.text(), stderr: stderr() }
    } finally {
      signal.removeEventListener('abort', stop)
      child.stdout.destroy()
      child.stderr.destroy()
    }
  } catch (error) {
    if (error instanceof KubepassError) throw error
    throw failed(exec, `could not be started (${errnoOf(error)})`, exec.installHint && `The kubeconfig says: ${quote(exec.installHint)}`)
  }
}

/** https://kubernetes.io/docs/reference/config-api/client-authentication.v1/#client-authentication-k8s-io-v1-ExecCredential */
function credentialOf(text: string, apiVersion: string, seal: Seal): ExecCredential {
  const status = statusIn(text, apiVersion)
  return { authInfo: authInfoIn(status, seal), expiresAt: expiryIn(status) }
}

/** The status of the plugin's answer; empty if it has none. */
function statusIn(text: string, apiVersion: string): Record<string, unknown> {
  const { status, ...about } = parseObject(text)
  if (about['kind'] !== 'ExecCredential') throw new InvalidValue('its answer is no ExecCredential')
  if (about['apiVersion'] !== apiVersion) throw new InvalidValue(`its answer is not of ${apiVersion}, the version in the kubeconfig`)
  return isObject(status) ? status : {}
}

/** Milliseconds since 1970; undefined if the plugin states no expiry, or one that is no time. */
function expiryIn({ expirationTimestamp }: Record<string, unknown>): number | undefined {
  const expiry = typeof expirationTimestamp === 'string' ? Date.parse(expirationTimestamp) : NaN
  return Number.isNaN(expiry) ? undefined : expiry
}

function authInfoIn({ token, clientCertificateData, clientKeyData }: Record<string, unknown>, seal: Seal): AuthInfo {
  const bearer = given(token) ? named('status.token', () => sealToken(token, seal)) : undefined
  const key = given(clientKeyData) ? named('status.clientKeyData', () => sealKey(clientKeyData, seal)) : undefined
  if (bearer !== undefined && key !== undefined)
    throw new InvalidValue('its answer has a token and a client certificate: which of them counts?')
  if (bearer !== undefined) return { bearer }
  if (key === undefined || !given(clientCertificateData))
    throw new InvalidValue('its answer has neither a token nor a client certificate with its key')
  return named('status.clientCertificateData', () => checkKeyPair({ certificate: parseCertificate(clientCertificateData), key }))
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The error is dropped, because its message quotes the text.
  }
  if (!isObject(value)) throw new InvalidValue('its answer is no JSON object')
  return value
}

function named<T>(field: string, read: () => T): T {
  return explainInvalid(read, (fault) => new InvalidValue(`its ${field} ${fault}`))
}

function collect(stream: Readable, whenOver: () => void): { text: () => string; isOver: () => boolean } {
  const chunks: Buffer[] = []
  let size = 0
  stream.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size <= MAX_OUTPUT_BYTES) chunks.push(chunk)
    else whenOver()
  })
  return { text: () => Buffer.concat(chunks).toString(), isOver: () => size > MAX_OUTPUT_BYTES }
}

/** Keeps the end of an output, without a word that was cut, because the rest of it may be a part of a secret. */
function collectEnd(stream: Readable): () => string {
  let end = Buffer.alloc(0)
  let isCut = false
  stream.on('data', (chunk: Buffer) => {
    const all = Buffer.concat([end, chunk])
    isCut ||= all.length > KEPT_BYTES
    end = all.subarray(-KEPT_BYTES)
  })
  return () => (isCut ? end.toString().replace(/^\S+/, '') : end.toString())
}

/** Returns the last lines of an output, each in quotes. Three dots replace each word that may be a secret. */
function lastLines(text: string): string | undefined {
  const lines = stripVTControlCharacters(text)
    .split(/[\r\n]+/)
    .filter((line) => line.trim() !== '')
    .slice(-LAST_LINES)
    .map((line) => `  ${quote(line.replaceAll(SECRET_LIKE, (run) => (isPage(run) ? run : '...')))}`)
  if (lines.length === 0) return undefined
  const advice = lines.some((line) => ASKS.test(line))
    ? '\nIf it asks for a sign-in: in a job it gets no answer. Let it use an identity of the job, such as a service account or workload identity.'
    : ''
  return `The last lines of its standard error:\n${lines.join('\n')}${advice}`
}

/** Whether a text is the URL of a page and consists of words only, so that it contains no secret. */
function isPage(text: string): boolean {
  const [scheme, address = ''] = text.split('://')
  return scheme === 'https' && address.split(/[./_-]/).every((part) => /^[A-Z]?[a-z]{0,20}\d{0,2}$/.test(part))
}

function failed({ command }: Exec, fault: string, hint?: string): KubepassError {
  return new KubepassError('IDENTITY', `The program of the kubeconfig, ${quote(command)}, ${fault}.`, { hint })
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function given(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
