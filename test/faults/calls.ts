import type { Exchange, Proxy } from '../cluster/proxy.ts'
import type { PhaseName } from '../hosts/host.ts'
import { ONE_SECRET, SECRETS, TOKEN, VERSION, WHOAMI } from '../scenario/scenario.ts'

export type CallName =
  'idToken' | 'create' | 'token' | 'verify' | 'createAgain' | 'tokenAgain' | 'verifyAgain' | 'revoke' | 'prove' | 'post' | 'provePost'

/** A request of a run, into which a test can inject a fault. */
export interface Call {
  /** The name in the table. */
  title: string
  phase: PhaseName
  /** The command of the step, whose scan prints `scanned`. Default: a scan that only prints this. */
  inputs?: Record<string, string>
  /** Whether the scan waits until its credential was renewed, or has expired. */
  renewing?: true
  /** Whether this exchange is the call. */
  is: (exchange: Exchange, proxy: Proxy) => boolean
  /** The call before it in the same phase, after which the connection can end. */
  before?: CallName | 'version'
  /** Whether the answer is the expected one. */
  status: number
}

/** A marker for the path of the ID token service, which is not on the API server. */
export const ID_TOKEN = 'ID token'

const issued = (proxy: Proxy, times: number): boolean => proxy.seen('POST', TOKEN).length >= times
/** A repeated renewal also deletes a Secret. */
const revoking = ({ exchanges }: Proxy): boolean =>
  exchanges.findLast(({ path }) => !WHOAMI.test(path) && !VERSION.test(path))?.method === 'DELETE'

/** Whether the exchange is the one after which the connection can end. */
export function isBefore(name: CallName | 'version', exchange: Exchange, proxy: Proxy): boolean {
  return name === 'version' ? VERSION.test(exchange.path) : calls[name].is(exchange, proxy)
}

/** The calls, in the order of a run. Two more, for the evidence only, follow the revocation in main. The second is GET /version. */
export const calls: Record<CallName, Call> = {
  idToken: { title: 'get an ID token', phase: 'main', status: 200, is: ({ path }) => path === ID_TOKEN },
  create: { title: 'create the Secret', phase: 'main', status: 201, is: ({ method, path }) => method === 'POST' && SECRETS.test(path) },
  token: {
    title: 'ask for the token',
    phase: 'main',
    status: 201,
    before: 'create',
    is: ({ method, path }) => method === 'POST' && TOKEN.test(path),
  },
  verify: {
    title: 'verify it',
    phase: 'main',
    status: 201,
    before: 'token',
    is: ({ bearer, path }, proxy) => WHOAMI.test(path) && proxy.tokens.includes(bearer) && !revoking(proxy),
  },
  createAgain: {
    title: 'renewing: create',
    phase: 'main',
    renewing: true,
    status: 201,
    before: 'verify',
    is: (exchange, proxy) => calls.create.is(exchange, proxy) && issued(proxy, 1),
  },
  tokenAgain: {
    title: 'renewing: ask',
    phase: 'main',
    renewing: true,
    status: 201,
    before: 'createAgain',
    is: (exchange, proxy) => calls.token.is(exchange, proxy) && issued(proxy, 2),
  },
  verifyAgain: {
    title: 'renewing: verify',
    phase: 'main',
    renewing: true,
    status: 201,
    before: 'tokenAgain',
    is: (exchange, proxy) => calls.verify.is(exchange, proxy) && issued(proxy, 2),
  },
  revoke: {
    title: 'delete the Secret',
    phase: 'main',
    status: 200,
    before: 'verify',
    is: ({ method, path }) => method === 'DELETE' && ONE_SECRET.test(path),
  },
  prove: {
    title: 'prove the end',
    phase: 'main',
    status: 401,
    before: 'version',
    is: ({ bearer, path }, proxy) => WHOAMI.test(path) && proxy.tokens.includes(bearer) && revoking(proxy),
  },
  post: {
    title: 'delete the Secret, in post',
    phase: 'post',
    inputs: {},
    status: 200,
    is: ({ method, path }) => method === 'DELETE' && ONE_SECRET.test(path),
  },
  provePost: {
    title: 'prove the end, in post',
    phase: 'post',
    inputs: { command: 'echo scanned', delivery: 'kubeconfig', prove: 'post' },
    status: 401,
    before: 'post',
    is: ({ path }, proxy) => WHOAMI.test(path) && revoking(proxy),
  },
}
