import type { Options } from '../config/options.ts'
import type { DeletionResult } from '../kube/bound-secret.ts'
import { hasToken, livePhaseOf, neverExisted, type CredentialState } from '../state/credential-state.ts'

/** What the decisions at the end of a run depend on, beside the credential itself. */
export interface CleanupView {
  /** This process created the credentials: it knows what it has not created. */
  readonly isOwner: boolean
  readonly requireRevocation: boolean
  /** Another process may delete the same Secrets at this moment. */
  readonly mayHaveConcurrentCleanup: boolean
}

/** What to do with one credential. */
export function planFor(credential: CredentialState, { isOwner, requireRevocation }: CleanupView): 'nothing' | 'delete' | 'cannot-revoke' {
  if (credential.slot === 'unbound') return hasToken(credential) && requireRevocation ? 'cannot-revoke' : 'nothing'
  // A later process has only the saved state, which the scan can change. So it sends the DELETE for every bound Secret.
  if (isOwner && (credential.phase === 'planned' || credential.phase === 'revoked')) return 'nothing'
  return 'delete'
}

/**
 * Interprets the response to a DELETE. If the Secret is gone and its uid is known, then an earlier DELETE of this process, whose response
 * was lost, has removed it.
 */
export function outcomeOfDelete(response: DeletionResult, wasPending: boolean, uid: string | undefined): 'deleted' | 'gone' {
  if (response !== 'gone') return 'deleted'
  return wasPending && uid !== undefined ? 'deleted' : 'gone'
}

/**
 * - `done`: nothing to report
 * - `secret-missing`: the Secret did not exist, although a token may have been bound to it
 * - `secret-left`: a Secret may be left, to which no token is bound
 * - `unconfirmed`: an earlier process revoked the credential; the API server did not confirm that now
 * - `not-revoked`: a token may still live
 */
export type Conclusion = 'done' | 'secret-missing' | 'secret-left' | 'unconfirmed' | 'not-revoked'

/** What the outcome of a DELETE means for a credential, as the credential was before. */
export function concludeDeletion(before: CredentialState, outcome: 'deleted' | 'gone' | 'failed', view: CleanupView): Conclusion {
  if (outcome === 'deleted' || neverExisted(before)) return 'done'
  if (outcome === 'failed') {
    if (!hasToken(before)) return 'secret-left'
    return before.phase === 'revoked' ? 'unconfirmed' : 'not-revoked'
  }
  const mayNeverHaveExisted = view.isOwner && livePhaseOf(before).phase === 'secret-requested'
  return before.phase === 'revoked' || mayNeverHaveExisted || view.mayHaveConcurrentCleanup ? 'done' : 'secret-missing'
}

export interface ProofView {
  readonly prove: Options['prove']
  readonly isProven: boolean
  /** How many tokens of the run this process holds. */
  readonly heldTokens: number
  readonly postFollows: boolean
  /** A signal told this process to end. */
  readonly isStopping: boolean
  /** A person sent a second signal. */
  readonly hasSecondSignal: boolean
}

/**
 * When to prove that the tokens are dead. `try`: now, and in the post step if the time is too short.
 * A proof needs a token that the API server accepted before and refuses now.
 */
export function whenToProve(view: ProofView): 'now' | 'try' | 'later' | 'never' {
  if (view.prove === 'off' || view.heldTokens === 0 || view.isProven || view.hasSecondSignal) return 'never'
  if (!view.postFollows) return 'now'
  // The post step finds one token only.
  if (view.prove === 'post' && view.heldTokens === 1) return 'later'
  return view.isStopping ? 'try' : 'now'
}

/** What the last uses of the tokens show together. `untested`: all held tokens are dead, but others may live. */
export function concludeProof(
  verdicts: readonly ('dead' | 'alive' | 'unclear')[],
  untestedTokens: number,
  hasTime: boolean,
): 'proven' | 'untested' | 'no-time' | 'unclear' | 'alive' {
  if (verdicts.every((verdict) => verdict === 'dead')) return untestedTokens === 0 ? 'proven' : 'untested'
  if (!hasTime) return 'no-time'
  return verdicts.includes('alive') ? 'alive' : 'unclear'
}
