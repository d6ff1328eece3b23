import fc from 'fast-check'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { once } from 'node:events'

/** An action of a server on a connection after the request: valid or invalid HTTP, or the end of the connection. */
export type Act = { write: string } | 'close' | 'reset' | 'stop'

const BODIES = [
  '',
  '{}',
  '{"kind":"Status","apiVersion":"v1","status":"Failure","code":403}',
  '<h1>::error::Log in</h1>',
  'x'.repeat(70_000),
]
const STATUSES = [200, 201, 204, 301, 304, 401, 403, 404, 407, 408, 409, 429, 500, 503, 599, 999]

const header = fc.constantFrom(
  'Content-Type: application/json',
  'Content-Length: 0',
  'Content-Length: 5',
  'Content-Length: 99999999',
  'Content-Length: -1',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: gzip',
  'Connection: close',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Upgrade: h2c',
  'Trailer: Expires',
  'Retry-After: 0',
  'Retry-After: Fri, 31 Dec 9999 23:59:59 GMT',
  `X-Long: ${'y'.repeat(20_000)}`,
  'no colon',
  ': no name',
)

const statusLine = fc.oneof(
  fc.constantFrom(100, 101, 102, 103, ...STATUSES).map((code) => `HTTP/1.1 ${String(code)} Text`),
  fc.constantFrom('HTTP/1.0 200 OK', 'HTTP/2 200', 'HTTP/1.1 20', 'HTTP/1.1', '', 'ICY 200 OK', '\x15\x03\x01\x00\x02\x02\x50'),
)

const head = fc
  .tuple(statusLine, fc.array(header, { maxLength: 4 }), fc.constantFrom('\r\n', '\r\n', '\r\n', '\n'))
  .map(([line, headers, end]) => [line, ...headers, '', ''].join(end))

const body = fc.oneof(
  fc.constantFrom(...BODIES),
  fc.constantFrom(...BODIES).map((text) => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`),
  fc.constantFrom('5\r\nhello\r\n', '0\r\nExpires: never\r\n\r\n', 'fffffffff\r\nx', '5;ext=1\r\nhello\r\n0\r\n\r\n', 'zz\r\n'),
)

const write = fc.oneof({ arbitrary: head, weight: 3 }, { arbitrary: body, weight: 2 }).map((text): Act => ({ write: text }))

/** The actions of a server for each of its connections, in order. */
export const behaviours: fc.Arbitrary<Act[][]> = fc.array(
  fc.array(fc.oneof({ arbitrary: write, weight: 6 }, { arbitrary: fc.constantFrom<Act>('close', 'reset', 'stop'), weight: 1 }), {
    maxLength: 5,
  }),
  { minLength: 1, maxLength: 3 },
)

/** Starts a server with these actions. It repeats the actions of the last connection for all later ones. */
export async function startRandomServer(
  behaviour: Act[][],
  wrap: (act: (socket: Socket) => void) => Server = (act) => createServer(act),
): Promise<{ port: number; close: () => Promise<void> }> {
  const sockets = new Set<Socket>()
  let count = 0
  const server = wrap((socket) => {
    const acts = behaviour[Math.min(count, behaviour.length - 1)] ?? []
    count += 1
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('data', () => {
      for (const act of acts) {
        if (act === 'stop') return
        if (act === 'close') socket.end()
        else if (act === 'reset') socket.destroy()
        else if (socket.writable) socket.write(act.write, 'latin1')
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
