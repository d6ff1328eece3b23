import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

export interface Pair {
  key: Buffer
  cert: Buffer
}

/**
 * The reaction of the proxy to a CONNECT request: open the tunnel; do nothing; reset the connection, immediately or at the first byte from
 * the server; answer with a status; or end TLS with a certificate of its own.
 */
export type Behaviour = 'tunnel' | 'hang' | 'reset' | 'cut' | { status: number } | Pair

/** An HTTP proxy. With a certificate, clients reach it by https. */
export class Gateway implements Disposable {
  readonly url: string
  /** HOST:PORT of each CONNECT request. */
  readonly targets: string[] = []
  /** The Proxy-Authorization header of each CONNECT request. */
  readonly authorizations: (string | undefined)[] = []
  /** The bytes that clients sent in the tunnels whose TLS the proxy ended. */
  received = ''
  behaviour: Behaviour = 'tunnel'
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server, scheme: string) {
    this.#server = server
    this.url = `${scheme}://127.0.0.1:${String((server.address() as AddressInfo).port)}`
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    server.on('connect', (request, client: Socket, head) => {
      this.targets.push(request.url ?? '')
      this.authorizations.push(request.headers['proxy-authorization'])
      client.on('error', () => undefined)
      if (this.behaviour === 'hang') return
      if (this.behaviour === 'reset') client.resetAndDestroy()
      else if (typeof this.behaviour === 'string') tunnel(client, head, request.url ?? '', this.behaviour === 'cut')
      else if ('status' in this.behaviour) client.end(`HTTP/1.1 ${String(this.behaviour.status)} No\r\ncontent-length: 0\r\n\r\n`)
      else this.#intercept(client, this.behaviour)
    })
  }

  static async start(tls?: Pair): Promise<Gateway> {
    const server = (tls === undefined ? createServer() : createTlsServer(tls)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Gateway(server, tls === undefined ? 'http' : 'https')
  }

  [Symbol.dispose](): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #intercept(client: Socket, { key, cert }: Pair): void {
    client.write('HTTP/1.1 200 OK\r\n\r\n')
    const inside = new TLSSocket(client, { isServer: true, key, cert })
    inside.on('error', () => undefined)
    inside.on('data', (chunk: Buffer) => (this.received += chunk.toString('latin1')))
  }
}

function tunnel(client: Socket, head: Buffer, target: string, cut: boolean): void {
  const [, host = '', port = ''] = /^\[?([^\]]*)\]?:(\d+)$/.exec(target) ?? []
  // No name under .test exists, so here they mean this machine.
  const upstream = connect(Number(port), host.endsWith('.test') ? '127.0.0.1' : host, () => {
    client.write('HTTP/1.1 200 OK\r\n\r\n')
    upstream.write(head)
    if (cut) upstream.once('data', () => client.resetAndDestroy())
    else upstream.pipe(client)
    client.pipe(upstream)
  })
  client.on('close', () => upstream.destroy())
  upstream.on('error', () => client.destroy())
}
