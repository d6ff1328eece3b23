import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { InvalidResponse, exchangeOnLoopback, Http, NotSent } from '../../src/net/http.ts'
import { deadlineAfter } from '../../src/base/deadline.ts'
import { behaviours, startRandomServer, type Act } from '../random-http.ts'

/** The outcome of one exchange with a server of this behaviour: a status, or the message, code or name of the error. */
async function outcomeOf(behaviour: Act[][], milliseconds = 500): Promise<number | string> {
  const server = await startRandomServer(behaviour)
  try {
    return await outcome(exchangeOnLoopback(requestTo(server.port, milliseconds)))
  } finally {
    await server.close()
  }
}

function requestTo(port: number, milliseconds: number): Parameters<typeof exchangeOnLoopback>[0] {
  return {
    url: new URL(`http://127.0.0.1:${String(port)}/`),
    method: 'DELETE',
    headers: {},
    body: '{}',
    signal: deadlineAfter(milliseconds),
  }
}

async function outcome(exchange: Promise<{ status: number }>): Promise<number | string> {
  try {
    return (await exchange).status
  } catch (error) {
    if (error instanceof NotSent) return 'NotSent'
    if (error instanceof InvalidResponse) return error.message
    const { code, name } = error as NodeJS.ErrnoException
    return typeof code === 'string' ? code : name
  }
}

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}'
const NO_UPGRADE = 'the answer is 101 Switching Protocols, which was not asked for'
const IN_TIME = 'TimeoutError'

test.each<[name: string, acts: Act[], outcome: number | string]>([
  ['an answer', [{ write: OK }], 200],
  ['101 with an upgrade', [{ write: 'HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n' }], NO_UPGRADE],
  [
    '101 with an upgrade, and the connection is closed',
    [{ write: 'HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n' }, 'close'],
    NO_UPGRADE,
  ],
  ['101 without an upgrade', [{ write: 'HTTP/1.1 101 X\r\n\r\n' }], 101],
  ['101 followed by a 200 response', [{ write: `HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n${OK}` }], NO_UPGRADE],
  [
    '200 with the headers of an upgrade',
    [{ write: 'HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\n{}' }],
    200,
  ],
  ['100, then an answer', [{ write: `HTTP/1.1 100 Continue\r\n\r\n${OK}` }], 200],
  ['103, then an answer', [{ write: `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${OK}` }], 200],
  ['103 a thousand times, then an answer', [{ write: 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(1000) + OK }], 200],
  ['103 and no more', [{ write: 'HTTP/1.1 103 Early Hints\r\n\r\n' }], IN_TIME],
  ['103, and the connection is closed', [{ write: 'HTTP/1.1 103 Early Hints\r\n\r\n' }, 'close'], 'ECONNRESET'],
  ['trailers', [{ write: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n' }], 200],
  ['no end of the trailers', [{ write: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n' }], IN_TIME],
  ['closed before an answer', ['close'], 'ECONNRESET'],
  ['reset before an answer', ['reset'], 'ECONNRESET'],
  ['closed within the header', [{ write: 'HTTP/1.1 200 OK\r\nContent-Le' }, 'close'], 'ECONNRESET'],
  ['closed within the body', [{ write: 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}' }, 'close'], 'ECONNRESET'],
  ['a body that ends with the connection', [{ write: 'HTTP/1.1 200 OK\r\n\r\n{}' }, 'close'], 200],
  ['a header without an end', [{ write: `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(200_000)}` }], 'HPE_HEADER_OVERFLOW'],
  ['no HTTP', [{ write: 'SSH-2.0-OpenSSH_9.6\r\n' }], 'HPE_INVALID_CONSTANT'],
  ['a response over 4 MiB', [{ write: `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(5 << 20)}` }], 'the answer is over 4 MiB'],
  ['no response', [], IN_TIME],
])('exchangeOnLoopback settles if the server sends: %s', async (_name, acts, expected) => {
  expect(await outcomeOf([acts])).toBe(expected)
})

test('an exchange settles in time with a server of any behaviour', async () => {
  await fc.assert(
    fc.asyncProperty(behaviours, async (behaviour) => {
      expect(await outcomeOf(behaviour, 100)).toBeTruthy()
    }),
    { numRuns: 150 },
  )
}, 120_000)

test.each<[name: string, acts: Act[], outcome: number | string]>([
  ['an endless header', [{ write: 'HTTP/1.1 200 OK\r\nX: ' + 'y'.repeat(200_000) }], 'NotSent'],
  ['1xx answers', [{ write: 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(3) }], 'NotSent'],
  ['101', [{ write: 'HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n' }], 'NotSent'],
  ['bytes after the response', [{ write: 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n' }], 'NotSent'],
  ['another status', [{ write: 'HTTP/1.1 502 X\r\nContent-Length: 2\r\n\r\n{}' }], 'NotSent'],
  ['a closed connection', ['close'], 'NotSent'],
  ['no response', [], 'NotSent'],
])('an exchange rejects with NotSent if the proxy answers CONNECT with: %s', async (_name, acts, expected) => {
  const proxy = await startRandomServer([acts])
  const tls = { ca: undefined, serverName: undefined, proxyUrl: new URL(`http://127.0.0.1:${String(proxy.port)}`) }
  const http = new Http(tls)
  try {
    const { signal, ...request } = requestTo(1, 500)
    const exchange = http.exchange({ ...request, signal, url: new URL('https://api.example.com:6443/') })
    expect(await outcome(exchange)).toBe(expected)
  } finally {
    http.close()
    await proxy.close()
  }
})

test('close() ends a connection that waits for the response of a proxy', async () => {
  const server = createServer((socket) => socket.on('error', () => undefined))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxyUrl = new URL(`http://127.0.0.1:${String((server.address() as AddressInfo).port)}`)
  const http = new Http({ ca: undefined, serverName: undefined, proxyUrl })
  const exchange = outcome(http.exchange({ ...requestTo(1, 60_000), url: new URL('https://api.example.com:6443/') }))
  const [socket] = (await once(server, 'connection')) as [NodeJS.EventEmitter]
  const closed = once(socket, 'close')
  http.close()
  await closed
  expect(await exchange).toBe('NotSent')
  server.close()
})
