import type { Agent, ClientRequest, IncomingMessage } from 'node:http'
import { request } from 'node:https'
import type { SealedString } from '../redact/sealed-string.ts'
import { upstreamHeaders } from './pass-headers.ts'

/** The command of an exec is part of the request line. */
export const MAX_HEADER_BYTES = 256 * 1024

/** The API server, as the proxy reaches it. */
export class Upstream {
  /** The credential of the moment. A renewal replaces it; no client notices. */
  token: SealedString | undefined
  readonly #agent: Agent
  readonly #server: URL
  /** The path of the server's URL: a prefix of every path. */
  readonly #prefix: string
  #isClosed = false

  /** @param agent verifies the API server's certificate, and may connect through an HTTP proxy */
  constructor(server: string, agent: Agent) {
    this.#server = new URL(server)
    this.#prefix = this.#server.pathname.replace(/\/$/, '')
    this.#agent = agent
  }

  /** A request to the API server with the method, the path and the passed headers of the scan's request; undefined where there is no access. */
  open(incoming: IncomingMessage, isUpgrade: boolean): ClientRequest | undefined {
    if (this.#isClosed || this.token === undefined) return undefined
    const { host, hostname, port } = this.#server
    return request({
      agent: this.#agent,
      host: hostname.replace(/^\[|\]$/g, ''),
      port: port === '' ? 443 : Number(port),
      method: incoming.method,
      path: `${this.#prefix}${incoming.url ?? ''}`,
      headers: upstreamHeaders(incoming, host, this.token.reveal(), isUpgrade),
      maxHeaderSize: MAX_HEADER_BYTES,
      insecureHTTPParser: false,
    })
  }

  /** Cuts all connections. No further request is sent. */
  close(): void {
    this.#isClosed = true
    this.token = undefined
    this.#agent.destroy()
  }
}
