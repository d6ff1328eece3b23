import type { IdentityKind } from '../options.ts'
import type { Secret } from '../secret.ts'

/** Who the job is, towards the API server. */
export interface Identity {
  readonly kind: IdentityKind
  /** A bearer token that is good for the next minute. */
  bearer(signal: AbortSignal): Promise<Secret>
}
