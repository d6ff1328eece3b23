import { isSettled } from '../state/credential-state.ts'
import { toEvidence } from '../state/evidence.ts'
import type { RunState } from '../state/run-state.ts'
import type { Provenance } from './run-context.ts'

/**
 * The part of a run that a process reports:
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
  // A process without a saved state knows only the names of the Secrets. Its report adds a fact only if it revoked a credential.
  if (provenance === 'derived') return hasSameEnd(before, now) ? 'nothing' : 'all'
  // With provenance `merged`, this process has added possible credentials, so an incomplete state does not show that main left work.
  const wasReported = before.reported && (provenance === 'merged' || isComplete(before))
  if (wasReported && hasSameFacts(before, now)) return 'nothing'
  return postFollows && !isComplete(now) ? 'record' : 'all'
}

/** Whether a later process has nothing left to do. */
function isComplete({ cleanupAttempted, credentials, proofLeftToPost }: RunState): boolean {
  return cleanupAttempted && !proofLeftToPost && credentials.every(isSettled)
}

/** Whether a report of one state also reports the other. */
function hasSameFacts(one: RunState, other: RunState): boolean {
  const [before, now] = [toEvidence(one), toEvidence(other)]
  return (['outcome', 'error', 'earlier_error'] as const).every((fact) => before[fact] === now[fact]) && hasSameEnd(one, other)
}

function hasSameEnd(one: RunState, other: RunState): boolean {
  const [before, now] = [toEvidence(one), toEvidence(other)]
  return before.revoked?.at === now.revoked?.at && before.proven?.dead_at === now.proven?.dead_at
}
