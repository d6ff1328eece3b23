import type { ClientCertificate } from '../http.ts'
import type { ClusterAccess, IdentityKind } from '../options.ts'
import type { Secret } from '../secret.ts'

/** What shows the API server who asks: one of the two. */
export type AuthInfo = { readonly bearer: Secret } | ClientCertificate

/** Who the job is, towards the API server. */
export interface Identity {
  readonly kind: IdentityKind
  /** Where the API server is, when that comes with the identity. */
  readonly cluster?: ClusterAccess
  /** What of it is worth a word in the log. */
  readonly remark?: string | undefined
  /** Good for the next minute. */
  authInfo(signal: AbortSignal): Promise<AuthInfo>
}
