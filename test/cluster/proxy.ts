import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent, createServer, request as httpsRequest, type Server as HttpsServer } from 'node:https'
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { AddressInfo, Server, Socket } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as tlsConnect, TLSSocket } from 'node:tls'
import type { Duplex } from 'node:stream'
import type { ClusterInfo } from './cluster.ts'
import { relay, type Relay } from './relay.ts'
import { claimsOf, resign } from './token.ts'

export interface Exchange {
  at: Date
  method: string
  /** The path with the query. */
  path: string
  userAgent: string
  /** The number of the client's TCP connection, from 1. */
  connection: number
  /** The bearer token of the request, or ''. */
  bearer: string
  /** The common name in the client certificate, or ''. */
  certificate: string
  requestBody: string
  /** The status from the API server, or from a rule that answered in its place; undefined until the answer and after a reset. */
  status: number | undefined
  responseBody: string
}

export interface Matcher {
  method?: string
  path?: RegExp
  /** Whether to act before the API server gets the request, or after it has answered. Default: before. */
  when?: 'before' | 'after'
  /** The number of exchanges to which the rule applies; default all. */
  times?: number
}

/** Replaces the API server's answer by another one, by a reset of the connection, or by no answer. Undefined changes nothing. */
export type Disturbance = OtherAnswer | RawAnswer | 'reset' | 'hang' | undefined

/** Raw bytes for the connection, which stays open unless `close` is set. */
export interface RawAnswer {
  raw: string
  close?: true
}

export interface OtherAnswer {
  status: number
  headers?: OutgoingHttpHeaders
  body?: string
  /** Sends the body byte by byte, sends half of it and closes the connection, or adds white space up to 300 MB. Default: sends it whole. */
  sent?: 'slowly' | 'cut' | 'hugely'
}

/** The listener on the proxy's port: the proxy, nobody, or a server whose certificate is for clients only. */
export type Answering = 'itself' | 'nobody' | 'impostor'

export type Reaction = (exchange: Exchange) => Disturbance | Promise<Disturbance>

interface Rule extends Matcher {
  reaction: Reaction
  left: number
}

interface Connection {
  number: number
  socket: Socket
  /** Opens one connection to the API server for each connection of the client, so that keep-alive works as without a proxy. */
  agent: Agent
}

interface ProxyOptions {
  /** The delay in milliseconds of each round trip, including the TCP handshake. */
  latency?: number
  /** One of the ports that the cluster reserves. */
  port?: number | undefined
}

const BYTE_MS = 100
const HUGE = 300 << 20

/** Starts a proxy that records every exchange with the API server and injects the faults of a test. */
export async function startProxy(info: ClusterInfo, { latency = 0, port }: ProxyOptions = {}): Promise<Proxy> {
  const [key, cert, ca] = [info.serverKey, info.serverCert, info.ca].map((path) => readFileSync(path))
  // Like the API server, the proxy requests a client certificate but does not require one.
  const tls = { key, cert, ca, requestCert: true, rejectUnauthorized: false }
  const server = createServer(tls)
  if (latency === 0) {
    await listen(server, port === undefined ? info.proxyPorts : [port])
    return new Proxy(info, server)
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const front = relay(portOf(server), latency)
  await listen(front.server, info.proxyPorts)
  return new Proxy(info, server, front)
}

export class Proxy implements AsyncDisposable {
  readonly url: string
  readonly exchanges: Exchange[] = []
  /** Every token that the API server has issued through this proxy, and every token that the proxy made from one. */
  readonly tokens: string[] = []
  readonly #info: ClusterInfo
  readonly #ca: Buffer
  /** The certificate that the proxy shows the API server. The proxy does not have the key of the client's certificate. */
  readonly #client: { cert: Buffer; key: Buffer }
  readonly #server: HttpsServer
  readonly #front: Relay | undefined
  readonly #connections = new Map<number, Connection>()
  readonly #upgraded = new Set<Duplex>()
  readonly #rules: Rule[] = []
  /** The issued token, by the token that the client got in its place. */
  readonly #issued = new Map<string, string>()
  #count = 0
  #tokenSeconds: number | undefined

  constructor(info: ClusterInfo, server: HttpsServer, front?: Relay) {
    this.#info = info
    this.#ca = readFileSync(info.ca)
    this.#client = { cert: readFileSync(info.clientCert), key: readFileSync(info.clientKey) }
    this.#server = server
    this.#front = front
    this.url = `https://127.0.0.1:${String(portOf(front?.server ?? server))}`
    server.on('connection', (socket: Socket) => {
      this.#connect(socket)
    })
    // As the API server does. Node.js would close an idle connection after 5 s, just when some tests renew a credential.
    server.keepAliveTimeout = 90_000
    server.on('request', (request, response) => {
      this.#handle(request, response).catch(() => response.destroy())
    })
    server.on('upgrade', (request, socket, head) => {
      this.#upgrade(request, socket, head)
    })
  }

  /** Adds a rule for the exchanges that match. The proxy tries the rules in their order. The returned function ends the rule. */
  on(matcher: Matcher, reaction: Reaction): () => void {
    const rule: Rule = { ...matcher, reaction, left: matcher.times ?? Infinity }
    this.#rules.push(rule)
    return () => {
      rule.left = 0
    }
  }

  /** Shortens the life of each token that a client gets from now on, below the API server's minimum of ten minutes. */
  shortTokens(seconds: number): void {
    this.#tokenSeconds = seconds
  }

  /** Replaces the token `shown` in each request by the token `issued` that the API server knows. */
  exchangeToken(shown: string, issued: string): void {
    this.#issued.set(shown, issued)
  }

  /** Changes the listener for new connections. */
  async answering(listener: Answering): Promise<void> {
    const { key, cert } =
      listener === 'impostor' ? this.#client : { key: readFileSync(this.#info.serverKey), cert: readFileSync(this.#info.serverCert) }
    this.#server.setSecureContext({ key, cert, ca: this.#ca })
    if (listener === 'nobody') this.#server.close()
    else if (!this.#server.listening) await listen(this.#server, [Number(new URL(this.url).port)])
  }

  /** Resolves when the next connection has got the proxy's certificate. */
  async called(): Promise<void> {
    await once(this.#server, 'connection')
  }

  /** The exchanges whose method and path (with the query) match. */
  seen(method: string, path: RegExp): Exchange[] {
    return this.exchanges.filter((exchange) => exchange.method === method && path.test(exchange.path))
  }

  async close(): Promise<void> {
    const servers = [this.#server, this.#front?.server].filter((server) => server?.listening === true)
    const closed = servers.map((server) => new Promise((resolve) => server?.close(resolve)))
    for (const socket of this.#upgraded) socket.destroy()
    for (const { agent, socket } of this.#connections.values()) {
      agent.destroy()
      socket.destroy()
    }
    this.#front?.cut()
    await Promise.all(closed)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #connect(socket: Socket): void {
    const port = socket.remotePort ?? 0
    const agent = new Agent({ ca: this.#ca, keepAlive: true, maxSockets: 1 })
    const connection = { number: (this.#count += 1), socket, agent }
    this.#connections.set(port, connection)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      agent.destroy()
      if (this.#connections.get(port) === connection) this.#connections.delete(port)
    })
  }

  #connectionOf(socket: Duplex): Connection {
    const connection = this.#connections.get((socket as Socket).remotePort ?? 0)
    if (connection === undefined) throw new Error('the client has closed its connection')
    return connection
  }

  #record(request: IncomingMessage, requestBody: string): Exchange {
    const exchange: Exchange = {
      at: new Date(),
      method: request.method ?? '',
      path: request.url ?? '',
      userAgent: request.headers['user-agent'] ?? '',
      connection: this.#connectionOf(request.socket).number,
      bearer: /^Bearer (.*)$/.exec(request.headers.authorization ?? '')?.[1] ?? '',
      certificate: commonNameOf(request.socket),
      requestBody,
      status: undefined,
      responseBody: '',
    }
    this.exchanges.push(exchange)
    return exchange
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const connection = this.#connectionOf(request.socket)
    const body = await buffer(request)
    const exchange = this.#record(request, body.toString())
    const before = await this.#react('before', exchange)
    if (before !== undefined) {
      await this.#disturb(before, connection, response, exchange)
      return
    }
    // A rule delayed the request until the client closed the connection, so the proxy does not pass the request on.
    if (response.destroyed || connection.socket.destroyed) return

    const issued = this.#issued.get(exchange.bearer)
    const authorization = issued === undefined ? {} : { authorization: `Bearer ${issued}` }
    const headers = { ...request.headers, ...authorization, host: new URL(this.#info.server).host }
    const outgoing = httpsRequest(this.#info.server + exchange.path, {
      method: exchange.method,
      headers,
      agent: connection.agent,
      ...(exchange.certificate === '' ? {} : this.#client),
    })
    outgoing.on('error', () => undefined)
    response.on('close', () => {
      if (/[?&](watch|follow)=/.test(exchange.path)) outgoing.destroy()
    })
    outgoing.end(body)
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
    exchange.status = incoming.statusCode ?? 0
    if (/[?&](watch|follow)=(true|1)/i.test(exchange.path)) {
      response.writeHead(exchange.status, incoming.headers)
      incoming.on('data', (chunk: Buffer) => (exchange.responseBody += chunk.toString()))
      await pipeline(incoming, response)
      return
    }

    const answer = this.#shorten(exchange, await buffer(incoming))
    exchange.responseBody = answer.toString()
    const after = await this.#react('after', exchange)
    if (after !== undefined) {
      await this.#disturb(after, connection, response)
      return
    }
    const headersNow: OutgoingHttpHeaders = { ...incoming.headers, 'content-length': answer.length }
    delete headersNow['transfer-encoding']
    response.writeHead(exchange.status, headersNow).end(answer)
  }

  async #react(when: 'before' | 'after', exchange: Exchange): Promise<Disturbance> {
    for (const rule of this.#rules) {
      const { method = exchange.method, path = /^/, left } = rule
      if (left === 0 || (rule.when ?? 'before') !== when || method !== exchange.method || !path.test(exchange.path)) continue
      rule.left -= 1
      const disturbance = await rule.reaction(exchange)
      if (disturbance !== undefined) return disturbance
    }
    return undefined
  }

  async #disturb(
    disturbance: Exclude<Disturbance, undefined>,
    { socket }: Connection,
    response: ServerResponse,
    exchange?: Exchange,
  ): Promise<void> {
    if (exchange !== undefined && typeof disturbance === 'object' && 'status' in disturbance)
      Object.assign(exchange, { status: disturbance.status, responseBody: disturbance.body ?? '' })
    await answerWith(disturbance, response, () => socket.resetAndDestroy())
  }

  /** Records an issued token, and shortens its life after a call of shortTokens(). */
  #shorten(exchange: Exchange, answer: Buffer): Buffer {
    if (exchange.status !== 201 || exchange.method !== 'POST' || !/\/serviceaccounts\/[^/]+\/token(\?|$)/.test(exchange.path)) return answer
    const tokenRequest = JSON.parse(answer.toString()) as { status: { token: string; expirationTimestamp: string } }
    const { token } = tokenRequest.status
    this.tokens.push(token)
    if (this.#tokenSeconds === undefined) return answer
    const exp = Number(claimsOf(token)['iat']) + this.#tokenSeconds
    tokenRequest.status.token = resign(token, (claims) => ({ ...claims, exp }), this.#info.serviceAccountKey)
    tokenRequest.status.expirationTimestamp = new Date(exp * 1000).toISOString().replace('.000Z', 'Z')
    this.tokens.push(tokenRequest.status.token)
    return Buffer.from(JSON.stringify(tokenRequest))
  }

  #upgrade(request: IncomingMessage, client: Duplex, head: Buffer): void {
    const exchange = this.#record(request, '')
    const { hostname, port, host } = new URL(this.#info.server)
    const upstream = tlsConnect({ host: hostname, port: Number(port), ca: this.#ca, ...(exchange.certificate === '' ? {} : this.#client) })
    const lines: string[] = []
    for (let at = 0; at < request.rawHeaders.length; at += 2) {
      const name = request.rawHeaders[at] ?? ''
      lines.push(`${name}: ${name.toLowerCase() === 'host' ? host : (request.rawHeaders[at + 1] ?? '')}`)
    }
    upstream.write(`${exchange.method} ${exchange.path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
    upstream.write(head)
    upstream.once('data', (chunk: Buffer) => (exchange.status = Number(/^HTTP\/1\.1 (\d+)/.exec(chunk.toString('latin1'))?.[1])))
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.#upgraded.add(from)
      from.pipe(to)
      from.on('error', () => to.destroy())
      from.on('close', () => {
        this.#upgraded.delete(from)
        to.destroy()
      })
    }
  }
}

/** Sends the answer of a rule. @param reset resets the connection */
export async function answerWith(disturbance: Exclude<Disturbance, undefined>, response: ServerResponse, reset: () => void): Promise<void> {
  const { socket } = response
  if (disturbance === 'hang' || socket === null) return
  if (disturbance === 'reset') return reset()
  if ('raw' in disturbance) {
    socket.write(disturbance.raw, 'latin1')
    if (disturbance.close === true) socket.end()
    return
  }
  const { status, headers = {}, body = '', sent } = disturbance
  const length = sent === 'hugely' ? HUGE : Buffer.byteLength(body)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': length, ...headers })
  if (sent === undefined) response.end(body)
  else if (sent === 'cut') response.write(body.slice(0, body.length / 2), () => socket.destroySoon())
  // The client closes the connection when it has read enough.
  else await pipeline(sent === 'slowly' ? byteByByte(body) : hugely(body), response).catch(() => undefined)
}

async function* byteByByte(body: string): AsyncGenerator<Buffer> {
  for (const byte of Buffer.from(body)) {
    yield Buffer.of(byte)
    await delay(BYTE_MS)
  }
}

function* hugely(body: string): Generator<Buffer> {
  const space = Buffer.alloc(1 << 20, ' ')
  const first = Buffer.from(body)
  yield first
  for (let left = HUGE - first.length; left > 0; left -= space.length) yield space.subarray(0, left)
}

/** The common name of the client certificate, or '' if the cluster's CA has not signed it. */
function commonNameOf(socket: Duplex): string {
  return socket instanceof TLSSocket && socket.authorized ? String(socket.getPeerCertificate().subject.CN) : ''
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

async function listen(server: Server, ports: number[]): Promise<void> {
  const start = Math.floor(Math.random() * ports.length)
  for (const port of [...ports.slice(start), ...ports.slice(0, start)]) {
    server.listen(port, '127.0.0.1')
    if (await listening(server)) return
  }
  throw new Error('other programs use all ports that the cluster reserves for proxies')
}

function listening(server: Server): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const settle = (event: 'listening' | 'error', error?: NodeJS.ErrnoException): void => {
      server.removeAllListeners(event === 'error' ? 'listening' : 'error')
      if (error !== undefined && error.code !== 'EADDRINUSE') reject(error)
      else resolve(error === undefined)
    }
    server.once('listening', () => {
      settle('listening')
    })
    server.once('error', (error) => {
      settle('error', error)
    })
  })
}
