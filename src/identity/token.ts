import type { Secret } from '../redact/secret.ts'
import type { Identity } from './identity.ts'

/** Any bearer token that the API server accepts. */
export function tokenIdentity(token: Secret): Identity {
  return { kind: 'token', authInfo: () => Promise.resolve({ bearer: token }) }
}
