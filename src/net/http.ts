import { request as plainRequest } from 'node:http'
import { Agent, type AgentOptions, request as tlsRequest } from 'node:https'
import { isIP, isIPv6 } from 'node:net'
import type { Duplex } from 'node:stream'
import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import { deadlineAfter } from '../base/deadline.ts'
import type { SealedString } from '../redact/sealed-string.ts'
import { openTunnel } from './tunnel.ts'

/** No answer that kubepass needs is near this size. */
const MAX_RESPONSE_BYTES = 4 * 1024 * 1024
/** How long a proxy may take to open a tunnel. */
const TUNNEL_MS = 10_000
/** Longer than any exchange may take. */
const DAY_MS = 86_400_000

export interface HttpRequest {
  url: URL
  method: 'GET' | 'POST' | 'DELETE'
  headers: Record<string, string>
  body?: string
  /** Shown when the connection is made. */
  clientCertificate?: ClientCertificate | undefined
  signal: AbortSignal
}

/** Both are PEM. */
export interface ClientCertificate {
  readonly certificate: string
  readonly key: SealedString
}

export interface HttpResponse {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: string
}

export interface TlsSettings {
  /** PEM; nothing else is trusted. The system's roots when undefined. */
  ca: string | undefined
  /** The host or the IP address in the certificate, if it differs from the host of the URL. */
  serverName: string | undefined
  /** The proxy to use. The environment has no say here. */
  proxyUrl: URL | undefined
}

/** What came is no answer that can be used. Its message is ours. */
export class InvalidResponse extends Error {}

/** Nothing was sent: no connection came about, or none became free. Its cause says why. */
export class NotSent extends Error {}

export class ResponseTooLarge extends InvalidResponse {
  override readonly message = 'the answer is over 4 MiB'
}

/**
 * Exchanges over TLS, one at a time unless more are allowed: no redirect is followed, no answer over 4 MiB is read. A network
 * failure rejects with Node's own error, an abort with the signal's reason; before the connection stood, with NotSent.
 */
export class Http {
  /** Its certificate is not judged by the API server's CA. */
  readonly hasTlsProxy: boolean
  readonly #options: AgentOptions
  readonly #proxyUrl: URL | undefined
  /** One for each certificate, and one for none: what a connection has shown counts for each of its calls. */
  readonly #agents = new Map<ClientCertificate | undefined, Agent>()

  readonly #connections: number

  /** @param connections at most, of those that are kept open; what waits for one is sent in its turn */
  constructor({ ca, serverName, proxyUrl }: TlsSettings, connections = 1) {
    this.#connections = connections
    this.#proxyUrl = proxyUrl
    this.hasTlsProxy = proxyUrl?.protocol === 'https:'
    this.#options = {
      // Pinned, so that NODE_TLS_REJECT_UNAUTHORIZED=0 cannot switch it off.
      rejectUnauthorized: true,
      // The caller may give an intermediate CA, or the server's own certificate.
      allowPartialTrustChain: true,
      minVersion: 'TLSv1.2',
      checkServerIdentity: (host, certificate) => wrongName(serverName ?? host, certificate),
      ...(ca === undefined ? {} : { ca }),
      // TLS sends no IP address as the server's name.
      ...(serverName === undefined ? {} : { servername: isIP(serverName) === 0 ? serverName : '' }),
    }
  }

  exchange(request: HttpRequest): Promise<HttpResponse> {
    const { clientCertificate } = request
    const agent = this.#agents.get(clientCertificate) ?? this.#agentFor(clientCertificate)
    this.#agents.set(clientCertificate, agent)
    return exchange(request, agent)
  }

  /** On a connection of its own, which may reach another server behind a balancer; no client certificate is shown there. */
  async exchangeOnNewConnection(request: Omit<HttpRequest, 'clientCertificate'>): Promise<HttpResponse> {
    const agent = new TunnelingAgent({ ...this.#options, keepAlive: false, maxCachedSessions: 0 }, this.#proxyUrl)
    try {
      return await exchange(request, agent)
    } finally {
      agent.destroy()
    }
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy()
  }

  #agentFor(shown: ClientCertificate | undefined): Agent {
    const options = {
      ...this.#options,
      keepAlive: true,
      maxSockets: this.#connections,
      ...(shown && { cert: shown.certificate, key: shown.key.reveal() }),
    }
    return new TunnelingAgent(options, this.#proxyUrl)
  }
}

/** Node.js alone would accept a common name as the host. */
function wrongName(host: string, certificate: PeerCertificate): Error | undefined {
  if (certificate.subjectaltname !== undefined) return checkServerIdentity(host, certificate)
  return Object.assign(new Error('the certificate names no host'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
}

/** Connects through the proxy, if there is one. destroy() ends each connection, also a connection that waits for the proxy. */
class TunnelingAgent extends Agent {
  readonly #proxyUrl: URL | undefined
  readonly #connections = new Set<Duplex>()
  readonly #ending = new AbortController()

  constructor(options: AgentOptions, proxyUrl: URL | undefined) {
    super(options)
    this.#proxyUrl = proxyUrl
  }

  override createConnection(...[options, callback]: Parameters<Agent['createConnection']>): ReturnType<Agent['createConnection']> {
    if (this.#proxyUrl === undefined) return this.#kept(super.createConnection(options, callback))
    const { host, port } = options as { host: string; port: number }
    const target = `${isIPv6(host) ? `[${host}]` : host}:${port}`
    const failed = (error: unknown): void => callback?.(error as Error, undefined as never)
    const tunnelled = (socket: Duplex): void => {
      const connection = this.#kept(super.createConnection({ ...options, socket } as typeof options))
      if (connection) callback?.(null, connection)
    }
    openTunnel(this.#proxyUrl, target, deadlineAfter(TUNNEL_MS, this.#ending.signal)).then(tunnelled).catch(failed)
    return undefined
  }

  override destroy(): void {
    super.destroy()
    this.#ending.abort()
    for (const connection of this.#connections) connection.destroy()
  }

  #kept(connection: Duplex | null | undefined): typeof connection {
    if (connection) {
      this.#connections.add(connection)
      connection.on('close', () => this.#connections.delete(connection))
    }
    return connection
  }
}

/** Where plain HTTP may carry a token. */
export function isLoopback({ hostname }: URL): boolean {
  return ['127.0.0.1', '[::1]', 'localhost'].includes(hostname)
}

/** Plain HTTP, for a loopback address only. Node's global agent could send the request to a proxy that a variable names. */
export function exchangeOnLoopback(request: HttpRequest): Promise<HttpResponse> {
  return exchange(request, undefined)
}

/** Settles exactly once on every path, and no later than `signal` is aborted. */
function exchange({ url, method, headers, body, signal }: HttpRequest, agent: Agent | undefined): Promise<HttpResponse> {
  const send = url.protocol === 'http:' ? plainRequest : tlsRequest
  // A timer of an AbortSignal keeps no process alive: without a timer of its own an exchange could end in silence.
  const keptAlive = setInterval(() => undefined, DAY_MS)
  const settled = new Promise<HttpResponse>((resolve, reject) => {
    let isConnected = false
    if (signal.aborted) return fail(signal.reason as Error)
    // Without its length a DELETE's body is not sent, and the uid precondition in it is lost.
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const outgoing = send(url, { method, headers: { ...headers, ...length }, signal, agent: agent ?? false }, (incoming) => {
      const chunks: Buffer[] = []
      let size = 0
      incoming.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > MAX_RESPONSE_BYTES) incoming.destroy(new ResponseTooLarge())
        else chunks.push(chunk)
      })
      incoming.on('error', fail)
      incoming.on('end', () => {
        if (incoming.complete)
          resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(chunks).toString() })
        else fail(new InvalidResponse('the answer was cut off'))
      })
    })
    outgoing.once('socket', (socket) => {
      isConnected = !socket.connecting && !('secureConnecting' in socket && socket.secureConnecting === true)
      if (!isConnected) socket.once(send === plainRequest ? 'connect' : 'secureConnect', () => (isConnected = true))
    })
    // Without a listener Node closes the connection after an answer 101, and says nothing.
    outgoing.on('upgrade', (_incoming, socket) => {
      socket.destroy()
      fail(new InvalidResponse('the answer is 101 Switching Protocols, which was not asked for'))
    })
    outgoing.on('error', fail)
    outgoing.on('close', () => fail(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' })))
    // While a proxy is silent, Node keeps even this from the request.
    signal.addEventListener('abort', () => fail(signal.reason as Error), { once: true })
    outgoing.end(body)

    function fail(error: Error): void {
      const failure = signal.aborted ? (signal.reason as Error) : error
      reject(isConnected ? failure : new NotSent(failure.message, { cause: failure }))
    }
  })
  return settled.finally(() => clearInterval(keptAlive))
}
