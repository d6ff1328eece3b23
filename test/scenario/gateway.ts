import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect, type AddressInfo } from 'node:net'

/** An HTTP proxy, reached by https when it has a certificate. */
export class Gateway implements Disposable {
  readonly url: string
  /** HOST:PORT of each tunnel that was asked for. */
  readonly targets: string[] = []
  readonly #server: Server

  private constructor(server: Server, scheme: string) {
    this.#server = server
    this.url = `${scheme}://127.0.0.1:${String((server.address() as AddressInfo).port)}`
    server.on('connect', (request, client, head) => {
      this.targets.push(request.url ?? '')
      const [host = '', port = ''] = (request.url ?? '').split(':')
      const upstream = connect(Number(port), host, () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n')
        upstream.write(head)
        upstream.pipe(client).pipe(upstream)
      })
      client.on('error', () => upstream.destroy())
      upstream.on('error', () => client.destroy())
    })
  }

  static async start(tls?: { key: Buffer; cert: Buffer }): Promise<Gateway> {
    const server = (tls === undefined ? createServer() : createTlsServer(tls)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new Gateway(server, tls === undefined ? 'http' : 'https')
  }

  [Symbol.dispose](): void {
    this.#server.close()
  }
}
