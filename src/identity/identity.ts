import type { ClusterAccess, IdentityKind } from '../config/cluster-access.ts'
import type { InputId } from '../config/inputs.ts'
import type { ClientCertificate } from '../net/http.ts'
import type { Seal, SealedString } from '../redact/sealed-string.ts'
import type { JobInfo } from '../state/job-info.ts'

export interface IdentityContext {
  job: Pick<JobInfo, 'platform'>
  /** How to let the job have an ID token; undefined if the platform has no ID tokens. */
  idTokenInstructions: string | undefined
  nameOf: (id: InputId) => string
  idTokenRequest: IdTokenRequest | undefined
  idToken: SealedString | undefined
  seal: Seal
  info: (text: string) => void
  /** True until something has shown that the hosts of the job's services exist. */
  isNewHost: boolean
  env: NodeJS.ProcessEnv
  /** The value of PATH. */
  path: string
  /** Why the kubeconfig is used although no input names it; undefined if one does. */
  whyKubeconfig?: string | undefined
  /** Whether a post step follows, which needs the identity again. */
  hasPost: boolean
}

/** The runner's endpoint for ID tokens, with the token that it accepts. */
export interface IdTokenRequest {
  url: URL
  bearer: SealedString
}

/** How a request authenticates to the API server. */
export type AuthInfo = { readonly bearer: SealedString } | ClientCertificate

/** Who the job is to the API server. */
export interface Identity {
  readonly kind: IdentityKind
  /** The API server, if the identity names one. */
  readonly cluster?: ClusterAccess
  /** A remark for the log. */
  readonly remark?: string | undefined
  /** Returns an authentication that stays valid for at least a minute, if the source gives one. */
  authInfo(signal: AbortSignal): Promise<AuthInfo>
}
