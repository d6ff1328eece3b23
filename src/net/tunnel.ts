import { request as plainRequest } from 'node:http'
import { request as tlsRequest } from 'node:https'
import { isIP, type Socket } from 'node:net'

/** The proxy responded, but opened no tunnel. */
export class TunnelRefused extends Error {
  /** The code that Node.js itself uses for a failed tunnel. */
  readonly code = 'ERR_PROXY_TUNNEL'
  readonly statusCode: number

  constructor(statusCode: number) {
    super('the proxy opened no tunnel')
    this.statusCode = statusCode
  }
}

/**
 * Opens a tunnel through an HTTP proxy. The agent of Node.js can do that (`proxyEnv`), but it reads an endless response into
 * memory, until it throws an error that no listener can catch.
 * https://datatracker.ietf.org/doc/html/rfc9110#name-connect
 * @param target host and port, an IPv6 address in brackets
 * @throws TunnelRefused, or the connection error of Node.js; the reason of `signal` if it is aborted
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
    // Otherwise Node.js would check the proxy's certificate against the host header, which names the target.
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
