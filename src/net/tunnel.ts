import { request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { isIP, type Socket } from 'node:net'

/** The proxy answered, but opened no tunnel. */
export class TunnelRefused extends Error {
  /** Node's own code for a tunnel that failed. */
  readonly code = 'ERR_PROXY_TUNNEL'
  readonly statusCode: number

  constructor(statusCode: number) {
    super('the proxy opened no tunnel')
    this.statusCode = statusCode
  }
}

/**
 * Opens a tunnel through an HTTP proxy. Node's own agent can do so as well (`proxyEnv`), but reads an answer without an end
 * into memory, until it throws where no listener catches the error.
 * https://datatracker.ietf.org/doc/html/rfc9110#name-connect
 * @param target host and port, an IPv6 address in brackets
 * @throws TunnelRefused, or Node's own error of the connection; the reason of `signal` when it is aborted
 */
export function openTunnel(proxy: URL, target: string, signal: AbortSignal): Promise<Socket> {
  const host = proxy.hostname.replace(/^\[|\]$/g, '')
  const isTls = proxy.protocol === 'https:'
  const options = {
    method: 'CONNECT',
    host,
    port: proxy.port || (isTls ? 443 : 80),
    path: target,
    headers: { host: target, ...authorization(proxy) },
    // Node would otherwise take the name to check from the host header, which names the target and not the proxy.
    servername: isIP(host) === 0 ? host : '',
    rejectUnauthorized: true,
    agent: false as const,
    signal,
  }
  return new Promise((resolve, reject) => {
    const outgoing = (isTls ? tlsRequest : plainRequest)(options)
    outgoing.on('connect', ({ statusCode = 0 }, socket: Socket, head) => {
      if (statusCode === 200 && head.length === 0) return resolve(socket)
      socket.destroy()
      reject(new TunnelRefused(statusCode))
    })
    outgoing.on('error', (error) => reject(signal.aborted ? (signal.reason as Error) : error))
    outgoing.on('close', () => reject(Object.assign(new Error('the proxy closed the connection'), { code: 'ECONNRESET' })))
    outgoing.end()
  })
}

function authorization({ username, password }: URL): { 'proxy-authorization'?: string } {
  if (username === '' && password === '') return {}
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(text).toString('base64')}` }
}
