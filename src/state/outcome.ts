import type { Code } from '../base/errors.ts'

/**
 * The result of a run in one word:
 * - `in_use`: later steps of the job can use the credential
 * - `not_revoked`: a credential may live on, whatever else happened
 * - `failed`: kubepass ended the run with an error
 * - `unfinished`: main ended without a result, for example after SIGKILL, or before its cleanup was complete
 * - `revoked`: later steps could use the credential, which is revoked
 * - `scan_failed`: the scan had an exit code that does not count as success
 * - `passed`: the scan had an exit code that counts as success
 */
export type Outcome = 'in_use' | 'not_revoked' | 'failed' | 'unfinished' | 'revoked' | 'scan_failed' | 'passed'

/** The facts of the evidence about the end of the credential. */
interface EndFacts {
  readonly dead_by: string | null
  readonly finished: boolean
  readonly missing: boolean
  readonly revoked: object | null
}

interface Facts extends EndFacts {
  readonly delivered_to_later_steps: boolean
  readonly error: Code | null
  readonly recovered: boolean
  readonly used: { readonly accepted: boolean | null } | null
}

export function outcomeOf(facts: Facts): Outcome {
  const { delivered_to_later_steps: isDelivered, error, finished, recovered, used } = facts
  if (!finished) return isDelivered && error === null ? 'in_use' : 'unfinished'
  if (mayLiveOn(facts)) return 'not_revoked'
  if (error !== null) return 'failed'
  if (used === null) return isDelivered ? 'revoked' : 'unfinished'
  if (used.accepted === null || recovered) return 'unfinished'
  return used.accepted ? 'passed' : 'scan_failed'
}

/** The error that decides about the scan. A revocation that fails afterwards does not change the result of the scan. */
export function scanErrorOf({ earlier_error, error }: { readonly earlier_error: Code | null; readonly error: Code | null }): Code | null {
  return earlier_error ?? (error === 'NOT_REVOKED' ? null : error)
}

/** Whether the cleanup left a credential that the API server can accept. */
export function mayLiveOn({ dead_by, finished, missing, revoked }: EndFacts): boolean {
  return finished && dead_by !== null && revoked === null && !missing
}
