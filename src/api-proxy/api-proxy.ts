import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import type { Http } from '../net/http.ts'
import { type Allow, refusalOf } from '../rbac/allow.ts'
import { alwaysRefused } from '../rbac/always-refused.ts'
import { requestAttributes, type RequestAttributes } from '../rbac/request-attributes.ts'
import type { ApiAccess } from '../rbac/used-access.ts'
import type { Seal, SealedString } from '../redact/sealed-string.ts'
import { makeServerCertificate } from './certificate.ts'
import { type Refusal, refusalOfForm } from './check-request.ts'
import { Exchange, requestLineOf } from './exchange.ts'
import { forward, respond } from './forward.ts'
import type { RequestLog } from './request-log.ts'
import { RunCredential } from './run-credential.ts'
import { type OwnResponse, refusalResponse, responseBytes, tooManyRequests } from './status.ts'
import { tunnel } from './tunnel.ts'
import { MAX_HEADER_BYTES, Upstream } from './upstream.ts'
import { UsedRequests } from './used-requests.ts'

/** A scan can open as many. kubepass itself must still be able to open files and connections. */
const MAX_CONNECTIONS = 512
/** A connection of the scan can carry many requests at a time. Each request takes a connection to the API server. */
const MAX_EXCHANGES = 512
/** A client under load can take seconds for a handshake. */
const HANDSHAKE_TIMEOUT_MS = 30_000
/** Time for the headers of one request. */
const HEADERS_TIMEOUT_MS = 60_000

export interface ApiProxySettings {
  /** The API server's URL. */
  readonly server: string
  /** Connects to the API server as kubepass does itself. */
  readonly http: Http
  readonly allow: Allow
  /** The end of the certificate, ms since 1970. */
  readonly validUntil: number
  readonly seal: Seal
  readonly log: RequestLog | undefined
}

/**
 * A TLS server on loopback, through which the scan reaches the API server. The scan has a credential that only this server accepts; the
 * proxy puts the token of the moment in its place. After close() no request can pass.
 */
export class ApiProxy {
  /** PEM. It is also the CA certificate that the scan trusts. */
  readonly certificate: string
  readonly credential: SealedString
  #url = ''
  readonly #settings: ApiProxySettings
  readonly #runCredential: RunCredential
  readonly #upstream: Upstream
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #used = new UsedRequests()
  /** The exchanges under way. */
  readonly #open = new Set<Exchange>()
  #unauthenticated = 0
  #ended: { readonly at: string; readonly streamsCut: number } | undefined

  private constructor(settings: ApiProxySettings) {
    const { certificate, key } = makeServerCertificate(settings.validUntil)
    this.certificate = certificate
    this.#settings = settings
    this.#runCredential = new RunCredential(settings.seal)
    this.credential = this.#runCredential.sealed
    this.#upstream = new Upstream(settings.server, settings.http.newAgent())
    this.#server = createServer({
      cert: certificate,
      key,
      minVersion: 'TLSv1.2',
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      insecureHTTPParser: false,
      // An upload can take as long as the scan, and a client can wait as long before its next request.
      requestTimeout: 0,
      keepAliveTimeout: 0,
    })
    this.#server.maxConnections = MAX_CONNECTIONS
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    this.#server.on('request', (request, response) => this.#serve(request, response))
    this.#server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      this.#serve(request, response, () => response.writeContinue())
    })
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket as Socket, head))
    this.#server.on('connect', (_request, socket: Socket) => {
      socket.on('error', () => socket.destroy())
      socket.end(responseBytes(refusalResponse({ status: 403, reason: 'the method CONNECT is not one of Kubernetes' })))
    })
  }

  /** Listens on a free port of 127.0.0.1. */
  static async start(settings: ApiProxySettings): Promise<ApiProxy> {
    const proxy = new ApiProxy(settings)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    proxy.#url = `https://127.0.0.1:${(proxy.#server.address() as AddressInfo).port}`
    return proxy
  }

  get url(): string {
    return this.#url
  }

  /** The next request uses this token. */
  set token(token: SealedString) {
    this.#upstream.token = token
  }

  /** The record of what the scan did. */
  get access(): ApiAccess {
    const { at = null, streamsCut = 0 } = this.#ended ?? {}
    const { notListed, total } = this.#used
    return {
      ended_at: at,
      streams_cut: streamsCut,
      requests: total,
      unauthenticated: this.#unauthenticated,
      uses: this.#used.list(),
      not_listed: notListed,
    }
  }

  /** Why the file of requests lacks some; undefined if it has all, or there is none. */
  get logProblem(): string | undefined {
    return this.#settings.log?.problem
  }

  get isClosed(): boolean {
    return this.#ended !== undefined
  }

  /** Ends the access: cuts all connections on both sides, and accepts none any more. */
  close(): void {
    if (this.#ended !== undefined) return
    this.#ended = { at: new Date().toISOString(), streamsCut: this.#open.size }
    this.#server.close()
    this.#upstream.close()
    for (const socket of this.#sockets) socket.destroy()
    // Their own end comes later, after the record is read.
    for (const exchange of this.#open) exchange.end()
    this.#settings.log?.close()
  }

  /** @param begin called before the request goes on */
  #serve(request: IncomingMessage, response: ServerResponse, begin?: () => void): void {
    response.on('error', () => response.destroy())
    request.on('error', () => response.destroy())
    const admitted = this.#admit(request, false)
    if (!(admitted instanceof Exchange)) return respond(response, admitted)
    begin?.()
    forward(this.#upstream, request, response, admitted)
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const admitted = this.#admit(request, true)
    if (admitted instanceof Exchange) return tunnel(this.#upstream, request, { socket, head }, admitted)
    socket.on('error', () => socket.destroy())
    socket.end(responseBytes(admitted))
  }

  /** @returns the exchange that begins, or the response of the proxy itself */
  #admit(request: IncomingMessage, isUpgrade: boolean): Exchange | OwnResponse {
    const { attributes, refusal } = this.#judge(request, isUpgrade)
    if (refusal !== undefined) {
      this.#refuse(request, attributes, refusal)
      return refusalResponse(refusal)
    }
    return this.#open.size >= MAX_EXCHANGES ? tooManyRequests(MAX_EXCHANGES) : this.#begin(request, attributes)
  }

  #judge(request: IncomingMessage, isUpgrade: boolean): { attributes: RequestAttributes; refusal: Refusal | undefined } {
    const { method = '', url = '' } = request
    if (!this.#runCredential.isIn(request))
      return { attributes: unread(request), refusal: { status: 401, reason: 'it does not have the credential of this run' } }
    const wrongForm = refusalOfForm(request, isUpgrade)
    if (wrongForm !== undefined) return { attributes: unread(request), refusal: wrongForm }
    const attributes = requestAttributes(method, url)
    const { allow } = this.#settings
    const reason = alwaysRefused(attributes, allow) ?? refusalOf(allow, attributes, isUpgrade)
    return { attributes, refusal: reason === undefined ? undefined : { status: 403, reason } }
  }

  #refuse(request: IncomingMessage, attributes: RequestAttributes, { status, reason }: Refusal): void {
    if (status === 401) this.#unauthenticated += 1
    else {
      this.#used.addRefused(attributes, status)
      this.#settings.log?.write(
        { line: requestLineOf(request), attributes, status, startedAt: Date.now(), bytesToServer: 0, bytesToScan: 0 },
        reason,
      )
    }
  }

  #begin(request: IncomingMessage, attributes: RequestAttributes): Exchange {
    const end = this.#used.begin(attributes)
    const exchange = new Exchange(requestLineOf(request), attributes, (ended) => {
      if (!this.#open.delete(ended)) return
      end(ended.status)
      this.#settings.log?.write(ended, undefined)
    })
    this.#open.add(exchange)
    return exchange
  }
}

/** A request that kubepass refuses before it reads its path. */
function unread({ method = '', url = '' }: IncomingMessage): RequestAttributes {
  return { isResource: false, verb: method.toLowerCase(), path: url.split('?', 1)[0] ?? '' }
}
