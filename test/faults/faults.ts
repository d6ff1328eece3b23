import type { ClusterInfo } from '../cluster/cluster.ts'
import type { Answering, Disturbance, Exchange, OtherAnswer, Proxy } from '../cluster/proxy.ts'
import { resign, signToken, claimsOf, type Claims } from '../cluster/token.ts'
import { status } from '../scenario/scenario.ts'
import { calls, type CallName } from './calls.ts'

export interface Surroundings {
  info: ClusterInfo
  proxy: Proxy
  /** The target of a redirect: a server that must get no request. */
  elsewhere: string
}

interface Common {
  title: string
  /** The calls for which the fault makes sense; all when undefined. */
  at?: readonly CallName[]
  /** Whether kubepass retries after the fault. Then the call can succeed later, or ends with the deadline. */
  retried?: boolean
  /** Whether the API server may have acted on the request. */
  takesEffect?: boolean
}

/** The faults of an exchange, or of every new connection. */
export type Fault = Common & ({ answer: (exchange: Exchange, around: Surroundings) => Disturbance } | { answering: Answering })

/** The answer arrives in another form. */
const otherwise = (how: Partial<OtherAnswer>) => (exchange: Exchange) => ({
  status: exchange.status ?? 0,
  body: exchange.responseBody,
  ...how,
})

const EARLY = 'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n'
const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'

/** The answer as raw bytes. The proxy's HTTP server does not know of it, so the connection ends afterwards. */
const byHand =
  (lines: (body: string) => string[], early = '') =>
  ({ status = 0, responseBody }: Exchange): Disturbance => {
    const head = [`HTTP/1.1 ${String(status)} Status`, 'Content-Type: application/json', 'Connection: close']
    return { raw: early + [...head, ...lines(responseBody)].join('\r\n'), close: true }
  }

const whole = (body: string): string[] => [`Content-Length: ${String(Buffer.byteLength(body))}`, '', body]
const trailed = (body: string): string[] => {
  const chunk = [Buffer.byteLength(body).toString(16), body]
  return ['Transfer-Encoding: chunked', 'Trailer: X', '', ...chunk, '0', 'X: y', '', '']
}

const refusal = (code: number, reason: string, message: string) => (): Disturbance => status(code, reason, message)

/** Replaces the token in the answer, and the stated expiry. */
const withToken =
  (change: (token: string, info: ClusterInfo) => string, knownToServer = false) =>
  (exchange: Exchange, { info, proxy }: Surroundings): Disturbance => {
    const { status, ...answer } = JSON.parse(exchange.responseBody) as { status: { token: string } }
    const token = change(status.token, info)
    proxy.tokens.push(token)
    if (knownToServer) proxy.exchangeToken(token, status.token)
    const expirationTimestamp = new Date(Number(claimsOf(token)['exp']) * 1000).toISOString()
    return { status: 201, body: JSON.stringify({ ...answer, status: { token, expirationTimestamp } }) }
  }

const withClaims = (change: (claims: Claims) => Claims): ReturnType<typeof withToken> =>
  withToken((token, info) => resign(token, change, info.serviceAccountKey))

const later = (claims: Claims, names: string[], seconds: number): Claims => ({
  ...claims,
  ...Object.fromEntries(names.map((name) => [name, Number(claims[name]) + seconds])),
})

/** A server whose clock is this many seconds ahead. It accepts its own tokens. */
const clock = (seconds: number): ReturnType<typeof withToken> =>
  withToken((token, info) => resign(token, (claims) => later(claims, ['iat', 'nbf', 'exp'], seconds), info.serviceAccountKey), true)

const anotherAccount = (exchange: Exchange, around: Surroundings): Disturbance => {
  if (calls.token.is(exchange, around.proxy))
    return withClaims((claims) => {
      const kubernetes = claims['kubernetes.io'] as Claims
      const serviceaccount = { ...(kubernetes['serviceaccount'] as Claims), name: 'default' }
      return { ...claims, sub: 'system:serviceaccount:kubepass:default', 'kubernetes.io': { ...kubernetes, serviceaccount } }
    })(exchange, around)
  const answer = JSON.parse(exchange.responseBody) as { status: { userInfo: { username: string } } }
  answer.status.userInfo.username = 'system:serviceaccount:kubepass:default'
  return { status: 201, body: JSON.stringify(answer) }
}

/** A token with an algorithm of the attacker's choice and an invalid signature. */
const unsigned = withToken((token, info) => signToken(claimsOf(token), { alg: 'none' }, info.serviceAccountKey))

export const faults: readonly Fault[] = [
  { title: 'connection refused', retried: true, answering: 'nobody' },
  { title: 'reset before the API server has it', retried: true, answer: () => 'reset' },
  { title: 'reset when it has acted', retried: true, takesEffect: true, answer: () => 'reset' },
  { title: 'no answer', retried: true, answer: () => 'hang' },
  { title: 'an answer byte by byte', retried: true, takesEffect: true, answer: otherwise({ sent: 'slowly' }) },
  { title: 'closed before an answer', retried: true, answer: () => ({ raw: '', close: true }) },
  { title: 'half an answer', retried: true, takesEffect: true, answer: otherwise({ sent: 'cut' }) },
  {
    title: '429 with Retry-After',
    retried: true,
    answer: () => ({ ...status(429, 'TooManyRequests', 'too many requests'), headers: { 'retry-after': '1' } }),
  },
  { title: '500', retried: true, answer: refusal(500, 'InternalError', 'etcdserver: request timed out') },
  { title: '503', retried: true, answer: refusal(503, 'ServiceUnavailable', 'the server is shutting down') },
  // For a proof this is the expected answer.
  { title: '101 Switching Protocols', retried: true, answer: () => ({ raw: SWITCHED }) },
  { title: '101, and the connection is closed', retried: true, answer: () => ({ raw: SWITCHED, close: true }) },
  { title: '101 when it has acted', retried: true, takesEffect: true, answer: () => ({ raw: SWITCHED }) },
  { title: '103, then the answer', takesEffect: true, answer: byHand(whole, EARLY) },
  { title: 'trailers behind the answer', takesEffect: true, answer: byHand(trailed) },
  { title: 'a header without an end', retried: true, answer: () => ({ raw: `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(200_000)}` }) },
  { title: '401', at: namesExcept('prove', 'provePost'), answer: refusal(401, 'Unauthorized', 'Unauthorized') },
  { title: '403', answer: refusal(403, 'Forbidden', 'this is forbidden') },
  { title: '404', answer: refusal(404, 'NotFound', 'this was not found') },
  { title: '409', answer: refusal(409, 'Conflict', 'the UID in the precondition does not match') },
  { title: '422', answer: refusal(422, 'Invalid', 'this is invalid') },
  { title: 'success, and nothing in it', answer: (exchange, { proxy }) => ({ status: successOf(exchange, proxy), body: '{}' }) },
  { title: 'another content type', takesEffect: true, answer: otherwise({ headers: { 'content-type': 'text/html' } }) },
  {
    title: 'a captive portal',
    answer: () => ({ status: 200, headers: { 'content-type': 'text/html' }, body: '<h1>::error::Log in</h1>' }),
  },
  { title: '300 MB', takesEffect: true, answer: otherwise({ sent: 'hugely' }) },
  {
    title: 'a redirect to another host',
    answer: ({ path }, { elsewhere }) => ({ status: 307, headers: { location: elsewhere + path } }),
  },
  { title: 'a certificate that does not verify', answering: 'impostor' },
  { title: 'another ServiceAccount', at: ['token', 'verify'], takesEffect: true, answer: anotherAccount },
  {
    title: 'a longer life',
    at: ['token'],
    takesEffect: true,
    answer: withClaims((claims) => later(claims, ['exp'], 3600)),
  },
  {
    title: 'a shorter life',
    at: ['token'],
    takesEffect: true,
    answer: withClaims((claims) => later(claims, ['exp'], -300)),
  },
  { title: '`alg: none`', at: ['token'], takesEffect: true, answer: unsigned },
  { title: 'a clock 10 min ahead', at: ['token'], takesEffect: true, answer: clock(600) },
  { title: 'a clock 10 min behind', at: ['token'], takesEffect: true, answer: clock(-600) },
]

/** The API server's answers to successful requests. */
function successOf(exchange: Exchange, proxy: Proxy): number {
  return Object.values(calls).find((call) => call.is(exchange, proxy))?.status === 200 ? 200 : 201
}

function namesExcept(...names: CallName[]): CallName[] {
  return (Object.keys(calls) as CallName[]).filter((name) => !names.includes(name))
}
