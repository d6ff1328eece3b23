import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { reasonOf } from '../net/retry.ts'
import type { Exchange } from './exchange.ts'
import { downstreamHeaders, isUsable } from './pass-headers.ts'
import { responseBytes, responseHead, upstreamFailure } from './status.ts'
import type { Upstream } from './upstream.ts'

/** A socket that left the HTTP server, with the bytes that the scan sent after its request. */
export interface UpgradingSocket {
  readonly socket: Socket
  readonly head: Buffer
}

/**
 * Asks the API server to change the protocol (exec, attach, port-forward). After its 101 the bytes of both sides pass unread. Any other
 * response goes to the scan, and the connection ends.
 */
export function tunnel(upstream: Upstream, incoming: IncomingMessage, { socket, head }: UpgradingSocket, exchange: Exchange): void {
  const request = upstream.open(incoming, true)
  socket.on('error', () => socket.destroy())
  socket.on('close', () => {
    request?.destroy()
    exchange.end()
  })
  if (request === undefined) return void socket.destroy()
  request.on('upgrade', (response, server: Duplex, serverHead: Buffer) => {
    exchange.status = 101
    socket.write(responseHead(101, response.rawHeaders), 'latin1')
    socket.on('data', (piece: Buffer) => (exchange.bytesToServer += piece.length))
    server.on('data', (piece: Buffer) => (exchange.bytesToScan += piece.length))
    server.on('error', () => server.destroy())
    server.on('close', () => socket.destroySoon())
    socket.on('close', () => server.destroy())
    if (head.length > 0) server.write(head)
    if (serverHead.length > 0) socket.write(serverHead)
    socket.pipe(server)
    server.pipe(socket)
  })
  request.on('response', (response) => {
    if (!isUsable(response)) return void socket.destroy()
    exchange.status = response.statusCode
    socket.write(responseHead(response.statusCode ?? 0, [...downstreamHeaders(response), 'Connection', 'close']), 'latin1')
    response.on('error', () => socket.destroy())
    response.pipe(socket)
  })
  request.on('error', (error) => {
    // A second response would be read as a part of the first one.
    if (exchange.status !== undefined) return void socket.destroy()
    if (socket.destroyed) return
    const failure = upstreamFailure(reasonOf(error))
    exchange.status = failure.status
    socket.end(responseBytes(failure))
  })
  request.end()
}
