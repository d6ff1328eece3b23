import type { SealedString } from '../redact/sealed-string.ts'
import type { Identity } from './identity.ts'

/** Any bearer token that the API server accepts. */
export function tokenIdentity(token: SealedString): Identity {
  return { kind: 'token', authInfo: () => Promise.resolve({ bearer: token }) }
}
