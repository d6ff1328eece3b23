import { livePhaseOf, withPhase, type CredentialState, type LivePhase } from '../state/credential-state.ts'
import { latestDeadByOfRequest, type RunState } from '../state/run-state.ts'
import type { Options } from '../config/options.ts'
import type { Provenance } from './run-context.ts'

/** What a later process knows of a run at its start. */
export interface KnownRun {
  readonly state: RunState
  readonly provenance: Provenance
}

/**
 * Decides from which run state a later process starts.
 * @param saved undefined if no state was saved, or not one of kubepass
 * @param derived the state that follows from the job; undefined on GitHub, and in a terminal with a readable state file
 * @returns undefined if the saved state is missing or does not match the inputs, and none can be derived
 */
export function knownRun(saved: RunState | undefined, derived: RunState | undefined, options: Options): KnownRun | undefined {
  const matchesInputs = saved?.server === options.server && saved.requested.namespace === options.serviceAccount.namespace
  if (derived === undefined) return matchesInputs ? { state: withoutPendingDeletions(saved), provenance: 'saved' } : undefined
  if (!matchesInputs || !isOfSameRun(saved, derived, options)) return { state: derived, provenance: 'derived' }
  return { state: merged(withoutPendingDeletions(saved), derived), provenance: 'merged' }
}

/**
 * If a Secret is missing, only the process that sent a DELETE may conclude that this DELETE removed it: the scan can change the saved
 * state.
 */
function withoutPendingDeletions(state: RunState): RunState {
  const credentials = state.credentials.map((each) => (each.phase === 'deletion-requested' ? withPhase(each, each.last) : each))
  return { ...state, credentials }
}

/** All that can exist where only the names are known: a token in each slot. */
export function withPossibleCredentials(state: RunState, options: Options): RunState {
  const deadBy = latestDeadByOfRequest(options)
  const credentials = ([0, 1, 2] as const).map((slot): CredentialState => ({ number: slot + 1, slot, deadBy, phase: 'token-requested' }))
  return { ...state, lastNumber: credentials.length, credentials }
}

/** An unbound token cannot be revoked, and a forged state could claim one. So it counts only with `revocation: best-effort`. */
function isOfSameRun(saved: RunState, derived: RunState, { revocation }: Options): boolean {
  const mayBeUnbound = revocation === 'best-effort'
  return (
    saved.key === derived.key &&
    saved.directory === derived.directory &&
    (mayBeUnbound || saved.credentials.every(({ slot }) => slot !== 'unbound'))
  )
}

/** Drops the uid, because the scan can change it. The name is unique to the run, so a DELETE needs no uid. */
function withoutUid(live: LivePhase): LivePhase {
  if (live.phase === 'secret-created') return { phase: 'secret-requested' }
  if (live.phase !== 'token-requested' && live.phase !== 'issued') return live
  const { uid, ...others } = live
  return others
}

/**
 * The saved state with a credential in each slot, so that the cleanup tries all names. A slot that the saved state does not use becomes
 * `planned`: a failed DELETE there is no error. If all saved credentials are unbound, no bound Secret exists.
 */
function merged(saved: RunState, derived: RunState): RunState {
  const unbound = saved.credentials.filter(({ slot }) => slot === 'unbound')
  if (unbound.length > 0 && unbound.length === saved.credentials.length) return saved
  const inSlots = derived.credentials.map((possible, index): CredentialState => {
    const same = saved.credentials.find(({ slot }) => slot === possible.slot)
    if (same === undefined) return withPhase({ ...possible, number: saved.lastNumber + 1 + index }, { phase: 'planned' })
    const live = withoutUid(livePhaseOf(same))
    return 'last' in same ? { ...same, last: live } : withPhase(same, live)
  })
  return { ...saved, lastNumber: saved.lastNumber + inSlots.length, credentials: [...unbound, ...inSlots] }
}
