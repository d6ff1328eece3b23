import { X509Certificate } from 'node:crypto'
import { request as plainRequest } from 'node:http'
import { Agent, type AgentOptions, request as tlsRequest } from 'node:https'
import { isIP, isIPv6 } from 'node:net'
import type { Duplex } from 'node:stream'
import { checkServerIdentity, getCACertificates, TLSSocket, type PeerCertificate } from 'node:tls'
import { deadlineAfter } from '../base/deadline.ts'
import type { SealedString } from '../redact/sealed-string.ts'
import { trustAnchor } from './trust-anchor.ts'
import { openTunnel } from './tunnel.ts'

/** Every response that kubepass needs is far smaller. */
const MAX_RESPONSE_BYTES = 4 * 1024 * 1024
/** Time limit for a proxy to open a tunnel. */
const TUNNEL_MS = 10_000
/** Many load balancers close an idle connection after 60 s. */
const IDLE_CONNECTION_MS = 30_000
/** Longer than any exchange takes. */
const DAY_MS = 86_400_000

export interface HttpRequest {
  url: URL
  method: 'GET' | 'POST' | 'DELETE'
  headers: Record<string, string>
  body?: string
  /** Sent in the TLS handshake. */
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
  /** PEM of the only CAs to trust; if undefined, Node.js trusts its default CAs. */
  ca: string | undefined
  /** The host or the IP address in the certificate, if it differs from the host of the URL. */
  serverName: string | undefined
  /** The proxy to use. The proxy variables of the environment have no effect here. */
  proxyUrl: URL | undefined
}

/** The response cannot be used. The message has no text from the server. */
export class InvalidResponse extends Error {}

/** The request was not sent: no connection was made, or none became free. `cause` has the reason. */
export class NotSent extends Error {}

export class ResponseTooLarge extends InvalidResponse {
  override readonly message = 'the answer is over 4 MiB'
}

/**
 * An HTTPS client. It follows no redirect and reads no response over 4 MiB. A network failure rejects with the error of Node.js, an
 * abort with the signal's reason. If the request was not sent, that error is the cause of a NotSent.
 */
export class Http {
  /** Whether the proxy uses TLS. Node.js checks the proxy's certificate with its default CAs, not with the API server's CA. */
  readonly hasTlsProxy: boolean
  readonly #options: AgentOptions
  readonly #proxyUrl: URL | undefined
  /** One agent for each client certificate, and one for none: the certificate of a connection applies to every request on it. */
  readonly #agents = new Map<ClientCertificate | undefined, TunnelingAgent>()

  readonly #connections: number

  /** @param connections the most connections to keep open; further requests wait for a free one */
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

  /** Uses a new connection without a client certificate. Behind a load balancer it may reach another server. */
  async exchangeOnNewConnection(request: Omit<HttpRequest, 'clientCertificate'>): Promise<HttpResponse> {
    const agent = new TunnelingAgent({ ...this.#options, keepAlive: false, maxCachedSessions: 0 }, this.#proxyUrl)
    try {
      return await exchange(request, agent)
    } finally {
      agent.destroy()
    }
  }

  /** An agent for requests that stream. It opens as many connections as it gets requests at a time. The caller destroys it. */
  newAgent(): Agent {
    return new TunnelingAgent({ ...this.#options, keepAlive: true, timeout: IDLE_CONNECTION_MS }, this.#proxyUrl)
  }

  /**
   * The SHA-256 of the CA certificate that vouches for the server, in hex; undefined before the first connection is open. The search
   * takes some milliseconds where many CAs are trusted.
   */
  caSha256(): string | undefined {
    const peer = [...this.#agents.values()].find((agent) => agent.peer !== undefined)?.peer
    if (peer === undefined) return undefined
    const { ca } = this.#options
    const trusted = typeof ca === 'string' ? certificatesIn(ca) : getCACertificates('default').flatMap(certificatesIn)
    return trustAnchor(peer, trusted)?.fingerprint256.replaceAll(':', '').toLowerCase()
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy()
  }

  #agentFor(clientCertificate: ClientCertificate | undefined): TunnelingAgent {
    const options = {
      ...this.#options,
      keepAlive: true,
      maxSockets: this.#connections,
      ...(clientCertificate && { cert: clientCertificate.certificate, key: clientCertificate.key.reveal() }),
    }
    return new TunnelingAgent(options, this.#proxyUrl)
  }
}

function certificatesIn(pem: string): X509Certificate[] {
  return (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map((block) => new X509Certificate(block))
}

/** Refuses a certificate without a subjectAltName, because Node.js would accept its common name as the host. */
function wrongName(host: string, certificate: PeerCertificate): Error | undefined {
  if (certificate.subjectaltname !== undefined) return checkServerIdentity(host, certificate)
  return Object.assign(new Error('the certificate names no host'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' })
}

/** Connects through the proxy, if one is set. destroy() also ends connections that still wait for the proxy. */
class TunnelingAgent extends Agent {
  /** The certificate that the server sent when the first connection was opened. A resumed session lacks the server's other certificates. */
  peer: X509Certificate | undefined
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
      if (this.#ending.signal.aborted) return void socket.destroy()
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
      if (connection instanceof TLSSocket) connection.once('secureConnect', () => (this.peer ??= connection.getPeerX509Certificate()))
      connection.on('close', () => this.#connections.delete(connection))
    }
    return connection
  }
}

/** Whether the host of the URL is this machine. Only there kubepass sends a token over plain HTTP. */
export function isLoopback({ hostname }: URL): boolean {
  return ['127.0.0.1', '[::1]', 'localhost'].includes(hostname)
}

/** Plain HTTP for a loopback address. It uses no agent, because the global agent of Node.js may use a proxy from a variable. */
export function exchangeOnLoopback(request: HttpRequest): Promise<HttpResponse> {
  return exchange(request, undefined)
}

/** The promise settles exactly once on every path, and at the latest when `signal` aborts. */
function exchange({ url, method, headers, body, signal }: HttpRequest, agent: Agent | undefined): Promise<HttpResponse> {
  const send = url.protocol === 'http:' ? plainRequest : tlsRequest
  // The timer of an AbortSignal does not keep the process alive. Without this timer, Node.js could exit during the exchange.
  const keptAlive = setInterval(() => undefined, DAY_MS)
  const settled = new Promise<HttpResponse>((resolve, reject) => {
    let isConnected = false
    if (signal.aborted) return fail(signal.reason as Error)
    // Without content-length Node.js does not send the body of a DELETE, and the uid precondition in it is lost.
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
    // Without this listener Node.js closes the connection after a 101 response, and emits no event.
    outgoing.on('upgrade', (_incoming, socket) => {
      socket.destroy()
      fail(new InvalidResponse('the answer is 101 Switching Protocols, which was not asked for'))
    })
    outgoing.on('error', fail)
    outgoing.on('close', () => fail(Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' })))
    // While a proxy does not respond, Node.js does not pass the abort to the request.
    signal.addEventListener('abort', () => fail(signal.reason as Error), { once: true })
    outgoing.end(body)

    function fail(error: Error): void {
      const failure = signal.aborted ? (signal.reason as Error) : error
      reject(isConnected ? failure : new NotSent(failure.message, { cause: failure }))
    }
  })
  return settled.finally(() => clearInterval(keptAlive))
}
