import type { ClusterAccess, IdentityKind } from '../config/cluster-access.ts'
import type { InputId } from '../config/inputs.ts'
import type { ClientCertificate } from '../net/http.ts'
import type { Seal, SealedString } from '../redact/sealed-string.ts'
import type { JobInfo } from '../state/job-info.ts'

export interface IdentityContext {
  job: Pick<JobInfo, 'platform'>
  /** What is missing where the job cannot request ID tokens; undefined where no job ever can. */
  idTokenInstructions: string | undefined
  nameOf: (id: InputId) => string
  idTokenRequest: IdTokenRequest | undefined
  idToken: SealedString | undefined
  seal: Seal
  info: (text: string) => void
  /** Nothing says yet that the hosts of the job's services exist. */
  isNewHost: boolean
  env: NodeJS.ProcessEnv
  /** The directories of PATH. */
  path: string
  /** A post step will need the identity again. */
  hasPost: boolean
}

/** Where the runner hands out ID tokens. */
export interface IdTokenRequest {
  url: URL
  bearer: SealedString
}

/** What shows the API server who asks: one of the two. */
export type AuthInfo = { readonly bearer: SealedString } | ClientCertificate

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
