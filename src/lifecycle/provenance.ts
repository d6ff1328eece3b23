import { livePhaseOf, type CredentialState, type LivePhase } from '../state/credential-state.ts'
import { latestDeadByOfRequest, type RunState } from '../state/run-state.ts'
import type { Options } from '../config/options.ts'
import type { Provenance } from './run-context.ts'

/** What a later process knows of a run at its start. */
export interface KnownRun {
  readonly state: RunState
  readonly provenance: Provenance
}

/**
 * Where a later process starts from.
 * @param saved undefined where no state was saved, or not one of kubepass
 * @param derived undefined where nothing follows from the job
 * @returns undefined when the saved state is missing, or of another server or namespace, and none can be derived
 */
export function knownRun(saved: RunState | undefined, derived: RunState | undefined, options: Options): KnownRun | undefined {
  const isOfThese = saved?.server === options.server && saved.requested.namespace === options.serviceAccount.namespace
  if (derived === undefined) return isOfThese ? { state: withoutPendingDeletions(saved), provenance: 'saved' } : undefined
  if (!isOfThese || !isOfSameRun(saved, derived, options)) return { state: derived, provenance: 'derived' }
  return { state: merged(withoutPendingDeletions(saved), derived), provenance: 'merged' }
}

/** Only the process that sent a DELETE may take a missing Secret for its effect: the scan can write into the saved state. */
function withoutPendingDeletions(state: RunState): RunState {
  const credentials = state.credentials.map((credential): CredentialState => {
    const { number, slot, deadBy } = credential
    return credential.phase === 'deletion-requested' ? { number, slot, deadBy, ...credential.last } : credential
  })
  return { ...state, credentials }
}

/** All that can exist where only the names are known: a token in each slot. */
export function withPossibleCredentials(state: RunState, options: Options): RunState {
  const deadBy = latestDeadByOfRequest(options)
  const credentials = ([0, 1, 2] as const).map((slot): CredentialState => ({ number: slot + 1, slot, deadBy, phase: 'token-requested' }))
  return { ...state, lastNumber: credentials.length, credentials }
}

/** An unbound token cannot be revoked. Only a user who accepts that may be told of one by a file that the scan can change. */
function isOfSameRun(saved: RunState, derived: RunState, { revocation }: Options): boolean {
  const mayBeUnbound = revocation === 'best-effort'
  return (
    saved.key === derived.key &&
    saved.directory === derived.directory &&
    (mayBeUnbound || saved.credentials.every(({ slot }) => slot !== 'unbound'))
  )
}

/** The scan can change a saved uid, and no other object can have the name: so a DELETE needs no uid as precondition. */
function withoutUid(live: LivePhase): LivePhase {
  if (live.phase === 'secret-created') return { phase: 'secret-requested' }
  if (live.phase !== 'token-requested' && live.phase !== 'issued') return live
  const { uid, ...others } = live
  return others
}

/**
 * The saved state with a credential in each slot, so that the cleanup tries all names. Where the saved state has none, a failed DELETE
 * is no error. If all credentials are unbound, the identity may not create Secrets, and none can exist.
 */
function merged(saved: RunState, derived: RunState): RunState {
  const unbound = saved.credentials.filter(({ slot }) => slot === 'unbound')
  if (unbound.length > 0 && unbound.length === saved.credentials.length) return saved
  const inSlots = derived.credentials.map((possible, index): CredentialState => {
    const same = saved.credentials.find(({ slot }) => slot === possible.slot)
    const { slot, deadBy } = same ?? possible
    const number = same?.number ?? saved.lastNumber + 1 + index
    if (same === undefined) return { number, slot, deadBy, phase: 'planned' }
    return 'last' in same ? { ...same, last: withoutUid(same.last) } : { number, slot, deadBy, ...withoutUid(livePhaseOf(same)) }
  })
  return { ...saved, lastNumber: saved.lastNumber + inSlots.length, credentials: [...unbound, ...inSlots] }
}
