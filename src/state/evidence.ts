import { type Code, codeOf } from '../base/errors.ts'
import { isoTime } from '../base/time.ts'
import { version } from '../base/version.ts'
import type { Options } from '../config/options.ts'
import { type Credential, credentialId } from '../token/claims.ts'
import type { JobInfo } from './job-info.ts'

/** What a token says of itself. */
export interface GrantRecord {
  credential_id: string | null
  issued_at: string
  expires_at: string
  bound_to: string | null
}

/** Whether the scan ran in namespaces of its own, and if not, why. */
export interface Isolation {
  isolated: boolean
  why_not: string | null
  /** To root all files of the machine are open, and most of its settings. */
  as_root: boolean
}

/** The record of a run, for the summary and the file (docs/evidence.schema.json). No secret in it. Times are ISO 8601. */
export interface Evidence {
  version: 1
  kubepass: string
  run: JobInfo
  server: string
  identity: { kind: string; why: string } | null
  requested: { service_account: string; duration_seconds: number; audiences: readonly string[] }
  granted: GrantRecord | null
  /** The credentials that came after the first, while the scan ran. */
  renewed: GrantRecord[]
  verified: { username: string | null; at: string } | null
  used: { started_at: string; ended_at: string | null; exit_code: number | null; signal: string | null } | null
  isolation: Isolation | null
  revoked: { at: string } | null
  /** The bound Secret was not there when it was to be deleted. */
  missing: boolean
  proven: { dead_at: string; samples: number; seconds_after_revocation: number } | null
  /** The latest moment at which the API server can accept the last of the tokens, were it not revoked; null when none was issued. */
  dead_by: string | null
  /** Whether the end of the credential's life has been seen to, well or not. */
  finished: boolean
  warnings: string[]
  error: Code | null
}

export function newEvidence(options: Options, run: JobInfo): Evidence {
  const { namespace, name } = options.serviceAccount
  return {
    version: 1,
    kubepass: version,
    run,
    server: options.server,
    identity: null,
    requested: { service_account: `${namespace}/${name}`, duration_seconds: options.duration, audiences: options.tokenAudiences },
    granted: null,
    renewed: [],
    verified: null,
    used: null,
    isolation: null,
    revoked: null,
    missing: false,
    proven: null,
    dead_by: null,
    finished: false,
    warnings: [],
    error: null,
  }
}

export function grantRecord(credential: Credential, boundSecretName: string | undefined): GrantRecord {
  return {
    credential_id: credential.jti === undefined ? null : credentialId(credential.jti),
    issued_at: isoTime(credential.issuedAt),
    expires_at: isoTime(credential.expiresAt),
    bound_to: boundSecretName ?? null,
  }
}

export function setError(evidence: Evidence, error: unknown): void {
  evidence.error = codeOf(error)
}
