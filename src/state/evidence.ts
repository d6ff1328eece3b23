import type { Code } from '../base/errors.ts'
import { oneLine } from '../base/quote.ts'
import { version } from '../base/version.ts'
import type { ApiAccess } from '../rbac/used-access.ts'
import { credentialId } from '../token/claims.ts'
import { hasToken, latestDeadBy, proofOf, type CredentialState, type TokenFacts } from './credential-state.ts'
import type { Job } from './job-info.ts'
import { outcomeOf, type Outcome } from './outcome.ts'
import {
  lastingFactsOf,
  MAX_REASON,
  secretNameOf,
  type ApiServerInfo,
  type IdentityInfo,
  type Isolation,
  type Issuer,
  type RunState,
} from './run-state.ts'

/** A credential that the API server issued. */
export interface GrantRecord {
  credential_id: string | null
  issued_at: string
  expires_at: string
  bound_to: string | null
}

/** The record of a run, for the summary and the file (docs/evidence.schema.json). It holds no secret. Times are ISO 8601. */
export interface Evidence {
  version: 1
  kubepass: string
  /** The result of the whole run in one word. */
  outcome: Outcome
  run: Job
  server: string
  api_server: ApiServerInfo
  identity: IdentityInfo | null
  issuer: Issuer | null
  /** Digests are SHA-256 in lower-case hex. */
  program_sha256: string | null
  command_sha256: string | null
  requested: { service_account: string; duration_seconds: number; audiences: readonly string[] }
  granted: GrantRecord | null
  /** The credentials after the first, while the scan ran. */
  renewed: GrantRecord[]
  /** The number of renewals that `renewed` does not list. */
  renewed_not_listed: number
  verified: { username: string | null; at: string } | null
  used: {
    started_at: string
    ended_at: string | null
    exit_code: number | null
    signal: string | null
    /** Whether the exit code counts as success; null where kubepass did not see the end of the scan. */
    accepted: boolean | null
  } | null
  delivered_to_later_steps: boolean
  /** Whether main ended before its own cleanup, so that another process finished the run. */
  recovered: boolean
  isolation: Isolation | null
  /** The record of the API proxy; null where the scan had the token, or nothing was delivered. */
  api_access: ApiAccess | null
  revoked: { at: string } | null
  /** Whether kubepass deleted no bound Secret, because none existed. */
  missing: boolean
  proven: { dead_at: string; samples: number; seconds_after_revocation: number } | null
  /** The latest time at which the API server can accept the last token if nothing revoked it; null where no token was issued. */
  dead_by: string | null
  /** Whether a process went through the cleanup, whatever its result. */
  finished: boolean
  warnings: readonly string[]
  error: Code | null
  /** The error that a failed revocation replaced in `error`. */
  earlier_error: Code | null
  /** The message of the error, then that of the earlier error, on one line; null without an error. */
  error_reason: string | null
}

/** The run state as its readers see it. */
export function toEvidence(state: RunState): Evidence {
  const facts = factsOf(state)
  return { version: 1, kubepass: version, outcome: outcomeOf(facts), ...facts }
}

function factsOf(state: RunState): Omit<Evidence, 'version' | 'kubepass' | 'outcome'> {
  const { namespace, name, durationSeconds, audiences } = state.requested
  const all = [...state.forgotten, ...state.credentials.map(lastingFactsOf)].sort((one, other) => one.number - other.number)
  const granted = all.flatMap(({ slot, token }) => (token === undefined ? [] : [grantRecord(token, secretNameOf(state, { slot }))]))
  const accepted = all.find(({ acceptance }) => acceptance !== undefined)?.acceptance
  return {
    run: state.job,
    server: state.server,
    api_server: state.apiServer ?? { version: null, ca_sha256: null },
    identity: state.identity,
    issuer: state.issuer,
    program_sha256: state.programSha256,
    command_sha256: state.commandSha256,
    requested: { service_account: `${namespace}/${name}`, duration_seconds: durationSeconds, audiences },
    granted: granted[0] ?? null,
    renewed: granted.slice(1),
    renewed_not_listed: state.forgottenNotListed,
    verified: accepted === undefined ? null : { username: accepted.username, at: accepted.at },
    used: usedIn(state),
    delivered_to_later_steps: state.deliveredToLaterSteps,
    recovered: state.recovered,
    isolation: state.isolation,
    api_access: state.apiAccess,
    ...revocationIn(state),
    proven: provenIn(state.credentials),
    dead_by: latestDeadBy(state.credentials),
    finished: state.cleanupAttempted,
    warnings: state.warnings,
    error: state.error,
    earlier_error: state.earlierError?.code ?? null,
    error_reason: reasonIn(state),
  }
}

/** Of two reasons that are too long together, each keeps its beginning. */
function reasonIn({ earlierError, errorReason }: RunState): string | null {
  if (errorReason === null || earlierError === null) return errorReason
  const before = ` Before that: ${earlierError.code}: ${earlierError.reason}`
  const left = Math.max(MAX_REASON / 2, MAX_REASON - before.length)
  return oneLine(`${oneLine(errorReason, left)}${before}`, MAX_REASON)
}

function grantRecord({ jti, issuedAt, expiresAt }: TokenFacts, secretName: string | undefined): GrantRecord {
  return {
    credential_id: jti === undefined ? null : credentialId(jti),
    issued_at: issuedAt,
    expires_at: expiresAt,
    bound_to: secretName ?? null,
  }
}

function usedIn({ scan }: RunState): Evidence['used'] {
  if (scan === null) return null
  const { startedAt, end } = scan
  return {
    started_at: startedAt,
    ended_at: end?.at ?? null,
    exit_code: end?.exitCode ?? null,
    signal: end?.signal ?? null,
    accepted: end?.isAccepted ?? null,
  }
}

/** A run counts as revoked when each token is, and none is bound to nothing. */
function revocationIn({ credentials: all, forgotten }: RunState): Pick<Evidence, 'revoked' | 'missing'> {
  const credentials = all.filter(hasToken)
  const isAnyAccepted = forgotten.some(({ isStillAccepted }) => isStillAccepted === true)
  const isOver = !isAnyAccepted && credentials.every(({ slot, phase }) => slot !== 'unbound' && (phase === 'revoked' || phase === 'absent'))
  const last = credentials
    .flatMap((credential) => (credential.phase === 'revoked' ? [credential.at] : []))
    .toSorted()
    .at(-1)
  if (!isOver || credentials.length === 0) return { revoked: null, missing: false }
  return { revoked: last === undefined ? null : { at: last }, missing: last === undefined }
}

/** The weakest of the proofs, all of which kubepass records at the same time. */
function provenIn(credentials: readonly CredentialState[]): Evidence['proven'] {
  const proofs = credentials.flatMap((credential) => proofOf(credential) ?? [])
  const [first] = proofs
  if (first === undefined) return null
  return {
    dead_at: first.at,
    samples: Math.min(...proofs.map(({ samples }) => samples)),
    seconds_after_revocation: Math.max(...proofs.map(({ seconds }) => seconds)),
  }
}
