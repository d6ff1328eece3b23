import type { ClusterAccess, IdentityKind } from '../config/cluster-access.ts'
import type { InputId } from '../config/inputs.ts'
import type { ClientCertificate } from '../net/http.ts'
import type { Seal, Secret } from '../redact/secret.ts'
import type { Run } from '../state/job.ts'

export interface Surroundings {
  run: Pick<Run, 'platform'>
  /** What is missing where the job cannot request ID tokens; undefined where no job ever can. */
  idTokensNeed: string | undefined
  nameOf: (id: InputId) => string
  idTokenRequest: IdTokenRequest | undefined
  idToken: Secret | undefined
  seal: Seal
  say: (text: string) => void
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
  bearer: Secret
}

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
