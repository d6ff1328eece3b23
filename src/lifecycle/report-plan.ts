import type { CredentialState } from '../state/credential-state.ts'
import { toEvidence } from '../state/evidence.ts'
import { verdictOf } from '../state/verdict.ts'
import type { RunState } from '../state/run-state.ts'
import type { Provenance } from './run-context.ts'

/**
 * What a process reports of a run:
 * - `all`: the log, the evidence file, and the section for people (job summary, check run)
 * - `record`: the log and the evidence file. The post step adds the section
 * - `nothing`: an earlier process has reported all
 */
export type ReportPlan = 'all' | 'record' | 'nothing'

export interface ReportView {
  /** The state from which this process started. */
  readonly before: RunState
  readonly now: RunState
  readonly provenance: Provenance
  readonly postFollows: boolean
}

/**
 * Decides what a process reports, so that each run has one section. No process can remove the section of another one, so main leaves
 * the section to the post step while the post step can still change what the section says.
 */
export function planReport({ before, now, provenance, postFollows }: ReportView): ReportPlan {
  // A process that knows names only adds something if it has changed the end of the credential.
  if (provenance === 'derived' || provenance === 'merged') return hasSameEnd(before, now) ? 'nothing' : 'all'
  if (wasReported(before) && hasSameVerdict(before, now)) return 'nothing'
  return postFollows && !isSettled(now) ? 'record' : 'all'
}

/** Whether an earlier process has shown a run that no later process can change. */
function wasReported(state: RunState): boolean {
  return state.reported && isSettled(state)
}

/** Whether a later process has nothing left to do. */
function isSettled({ cleanupAttempted, credentials, proofLeftToPost }: RunState): boolean {
  return cleanupAttempted && !proofLeftToPost && credentials.every(isConcluded)
}

/** A credential that is bound to nothing cannot be revoked. A bound Secret can be left although no token was issued. */
function isConcluded(credential: CredentialState): boolean {
  return credential.slot === 'unbound' || ['planned', 'revoked', 'absent'].includes(credential.phase)
}

function hasSameVerdict(one: RunState, other: RunState): boolean {
  return verdictOf(toEvidence(one)) === verdictOf(toEvidence(other))
}

function hasSameEnd(one: RunState, other: RunState): boolean {
  const [before, now] = [toEvidence(one), toEvidence(other)]
  return before.revoked?.at === now.revoked?.at && before.proven?.dead_at === now.proven?.dead_at
}
