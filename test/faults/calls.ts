import type { Exchange, Proxy } from '../cluster/proxy.ts'
import type { PhaseName } from '../hosts/host.ts'
import { ONE_SECRET, SECRETS, TOKEN, WHOAMI } from '../scenario/scenario.ts'

export type CallName = 'create' | 'token' | 'verify' | 'revoke' | 'prove' | 'post'

/** A call of the story, which a fault can meet. */
export interface Call {
  /** What the table calls it. */
  title: string
  phase: PhaseName
  /** Whether this exchange is it. */
  is: (exchange: Exchange, proxy: Proxy) => boolean
  /** The call before it in the same phase, behind which the connection can end. */
  before?: CallName
  /** Whether it was answered as it should be. */
  status: number
}

const revoking = (proxy: Proxy): boolean => proxy.seen('DELETE', ONE_SECRET).length > 0

/** In the order of the story. */
export const calls: Record<CallName, Call> = {
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
    is: ({ path }, proxy) => WHOAMI.test(path) && !revoking(proxy),
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
    before: 'revoke',
    is: ({ path }, proxy) => WHOAMI.test(path) && revoking(proxy),
  },
  post: {
    title: 'delete the Secret, in post',
    phase: 'post',
    status: 200,
    is: ({ method, path }) => method === 'DELETE' && ONE_SECRET.test(path),
  },
}
