import type { Code } from '../base/errors.ts'
import type { Allow } from '../rbac/allow.ts'
import type { SealedString } from '../redact/sealed-string.ts'
import type { KubeconfigInput } from './cluster-access.ts'
import type { ClusterSource } from './cluster-source.ts'
import type { Choice, InputId } from './inputs.ts'
import type { InputSource } from './source.ts'

/** The parsed value of each input. */
export interface InputValues {
  readonly server: string
  /** PEM. */
  readonly certificate_authority: string
  readonly service_account: { readonly namespace: string; readonly name: string }
  readonly namespace: string | undefined
  readonly context_name: string | undefined
  readonly command: string
  readonly shell: Choice<'shell'>
  readonly accept_exit_codes: readonly number[]
  readonly env: Choice<'env'>
  readonly pass_env: readonly string[]
  readonly isolate: Choice<'isolate'>
  readonly identity: Choice<'identity'>
  readonly token: SealedString | undefined
  readonly token_file: SealedString | undefined
  readonly kubeconfig: KubeconfigInput | undefined
  readonly context: string | undefined
  readonly allow_exec: boolean
  readonly allow_own_kubeconfig: boolean
  readonly allow: Allow
  readonly audience: string | undefined
  /** Seconds, like all times here. */
  readonly duration: number
  readonly max_duration: number
  readonly rotate_grace: number | undefined
  readonly max_scan: number
  readonly token_audiences: readonly string[]
  readonly revocation: Choice<'revocation'>
  readonly prove: Choice<'prove'>
  readonly proof_samples: number
  readonly delivery: Choice<'delivery'>
  readonly token_variable: string
  readonly directory: string
  readonly proxy_url: URL | undefined
  readonly tls_server_name: string | undefined
  readonly deadline: number
  readonly evidence: string | undefined
  readonly requests: string | undefined
  readonly report: Choice<'report'>
  readonly github_token: SealedString | undefined
  readonly allow_debug_trace: boolean
}

/** The inputs of a run, as parsers and rules see them. */
export interface GivenInputs {
  readonly source: InputSource
  readonly purpose: 'start' | 'finish'
  /** The identity that provides the API server; undefined if the inputs name the server. */
  readonly clusterSource: ClusterSource | undefined
  /** The text as it is given, without white space around it; empty if the input is not given. */
  text(id: InputId): string
  has(id: InputId): boolean
  nameOf(id: InputId): string
  /** Whether the identity provides the value of this input, which is given nevertheless and is therefore not read. */
  isSuperfluous(id: InputId): boolean
  /** Reads the input, unless it has been read. If its text is wrong, the value is the fallback of its parser. */
  value<Id extends InputId>(id: Id): InputValues[Id]
  /** Whether the input has been read and its text is wrong. Its problem is reported already. */
  isWrong(id: InputId): boolean
}

/** What inputs demand of each other, of the platform or of the machine. */
export interface Rule {
  readonly name: string
  /** The code of the error if no other rule is broken; INPUT when undefined. */
  readonly code?: Code
  /** The text for the user if the inputs break the rule; undefined if they keep it. */
  problem(given: GivenInputs): string | undefined
}
