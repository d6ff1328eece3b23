import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import { errnoOf } from '../base/errors.ts'
import { InvalidResponse } from '../net/http.ts'
import { reasonOf } from '../net/retry.ts'
import { hasBody } from './check-request.ts'
import type { Exchange } from './exchange.ts'
import { downstreamHeaders, isUsable } from './pass-headers.ts'
import { type OwnResponse, upstreamFailure } from './status.ts'
import type { Upstream } from './upstream.ts'

/** Sends the request to the API server, and the response to the scan. Both stream, and each side waits for a slow reader. */
export function forward(upstream: Upstream, incoming: IncomingMessage, outgoing: ServerResponse, exchange: Exchange): void {
  const withBody = hasBody(incoming.headers)
  const isRead = incoming.method === 'GET' || incoming.method === 'HEAD'
  let request: ClientRequest | undefined
  if (withBody) incoming.on('data', (piece: Buffer) => (exchange.bytesToServer += piece.length))
  outgoing.on('close', () => {
    // After a complete response the connection stays open for the next request.
    if (!outgoing.writableFinished) request?.destroy()
    exchange.end()
  })
  send()

  function send(): void {
    const opened = upstream.open(incoming, false)
    if (opened === undefined) return void outgoing.destroy()
    request = opened
    opened.on('response', (response) => {
      // Node.js throws for a status or a header that it would not send itself.
      try {
        passOn(response)
      } catch (error) {
        response.destroy()
        fail(error instanceof Error ? error : new InvalidResponse('it cannot be passed on'))
      }
    })
    // Without this listener, Node.js closes the connection and emits no event.
    opened.on('upgrade', (_response, socket) => {
      socket.destroy()
      fail(new InvalidResponse('it changed the protocol, which the scan did not ask for'))
    })
    opened.on('error', (error) => {
      // The API server may have closed a connection that was idle. A request that changes nothing can be sent again.
      if (opened.reusedSocket && isRead && !outgoing.headersSent && isClosedConnection(error)) send()
      else fail(error)
    })
    if (withBody) incoming.pipe(opened)
    else opened.end()
  }

  function passOn(response: IncomingMessage): void {
    const { statusCode: status = 0 } = response
    if (!isUsable(response)) throw new InvalidResponse(`it has the status ${status}`)
    outgoing.sendDate = false
    outgoing.writeHead(status, downstreamHeaders(response))
    exchange.status = status
    response.on('data', (piece: Buffer) => (exchange.bytesToScan += piece.length))
    response.on('end', () => {
      if (response.rawTrailers.length > 0) outgoing.addTrailers(pairs(response.rawTrailers))
    })
    response.on('close', () => {
      if (!response.complete) outgoing.destroy()
    })
    response.on('error', () => outgoing.destroy())
    response.pipe(outgoing)
    // A watch without events sends its first bytes late. A short response should still be one write.
    setImmediate(() => {
      if (!outgoing.writableEnded) outgoing.flushHeaders()
    })
  }

  function fail(error: Error): void {
    incoming.unpipe()
    incoming.resume()
    if (outgoing.headersSent) return void outgoing.destroy()
    const response = upstreamFailure(reasonOf(error))
    exchange.status = response.status
    respond(outgoing, response)
  }
}

/** Sends a response of the proxy itself. It closes the connection if the next request may begin in an unknown place. */
export function respond(outgoing: ServerResponse, { status, headers, body }: OwnResponse): void {
  const isAmbiguous = status === 400 || outgoing.req.headers.expect !== undefined
  const close = isAmbiguous ? { connection: 'close' } : {}
  outgoing.writeHead(status, { ...headers, ...close }).end(body)
}

function pairs(rawTrailers: readonly string[]): [string, string][] {
  return rawTrailers.flatMap((name, index): [string, string][] => (index % 2 === 0 ? [[name, rawTrailers[index + 1] ?? '']] : []))
}

function isClosedConnection(error: Error): boolean {
  return ['ECONNRESET', 'EPIPE'].includes(errnoOf(error))
}
