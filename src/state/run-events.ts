import type { Code } from '../base/errors.ts'
import type { ApiAccess } from '../rbac/used-access.ts'
import {
  hasToken,
  isConcluded,
  isSettled,
  livePhaseOf,
  type Acceptance,
  type CredentialState,
  type EndPhase,
  type LivePhase,
  type Proof,
  type Slot,
  type TokenFacts,
} from './credential-state.ts'
import {
  lastingFactsOf,
  MAX_CREDENTIALS,
  MAX_FORGOTTEN,
  MAX_WARNINGS,
  type ApiServerInfo,
  type IdentityInfo,
  type Isolation,
  type Issuer,
  type RunState,
} from './run-state.ts'

/** Events of one credential. Times are ISO 8601. */
export type CredentialEvent = { readonly number: number } & (
  | { readonly type: 'SecretRequested'; readonly slot: Slot; readonly deadBy: string }
  /** The identity may not create Secrets: the token will be bound to nothing. */
  | { readonly type: 'SecretForbidden' }
  | { readonly type: 'SecretCreated'; readonly uid: string }
  | { readonly type: 'TokenRequested' }
  | { readonly type: 'TokenIssued'; readonly token: TokenFacts; readonly deadBy: string }
  | { readonly type: 'TokenAccepted'; readonly acceptance: Acceptance }
  /** The request for the Secret or the token certainly had no effect. */
  | { readonly type: 'RequestHadNoEffect' }
  | { readonly type: 'CredentialReplaced'; readonly revokeAt: string }
  | { readonly type: 'DeletionRequested' }
  | { readonly type: 'DeletionHadNoEffect' }
  | { readonly type: 'SecretDeleted'; readonly at: string }
  | { readonly type: 'SecretNotFound' }
  /** The Secret existed, and is deleted now, although the saved state called the credential revoked. An earlier proof is void. */
  | { readonly type: 'RevokedSecretDeleted'; readonly at: string }
  | { readonly type: 'TokenProvenDead'; readonly proof: Proof }
  | { readonly type: 'TokenStillAccepted' }
  /** The credential needs no further care; its slot is free for the next one. */
  | { readonly type: 'CredentialForgotten' }
)

/** Events of a run, beside those of its credentials. */
type OtherEvent =
  | ({ readonly type: 'IdentityResolved' } & IdentityInfo)
  | { readonly type: 'ScanStarting'; readonly at: string }
  | { readonly type: 'ScanStarted'; readonly isolation: Isolation }
  | {
      readonly type: 'ScanEnded'
      readonly at: string
      readonly exitCode: number
      readonly signal: string | null
      readonly isAccepted: boolean
    }
  | { readonly type: 'DeliveredToLaterSteps' }
  /** The scan gets access through the API proxy. */
  | { readonly type: 'AccessOpened' }
  | { readonly type: 'AccessEnded'; readonly access: ApiAccess }
  /** Another process finishes the run, because main ended before its own cleanup. */
  | { readonly type: 'RecoveryBegun' }
  | { readonly type: 'Warned'; readonly text: string }
  | { readonly type: 'Failed'; readonly code: Code; readonly reason: string }
  | { readonly type: 'CleanedUp'; readonly proofLeftToPost: boolean }
  | { readonly type: 'Reported' }

/** A fact of the run, which only the evidence needs. kubepass records each such fact at most once. */
type FactEvent =
  | { readonly type: 'ProgramRead'; readonly programSha256: string }
  | { readonly type: 'IssuerSeen'; readonly issuer: Issuer }
  | { readonly type: 'ApiServerSeen'; readonly apiServer: ApiServerInfo }

export type RunEvent = CredentialEvent | FactEvent | OtherEvent

/**
 * The state after the event. While a run goes on, no other function changes its state.
 * @throws Error where the event does not fit the state: that is a defect of kubepass
 */
export function reduce(state: RunState, event: RunEvent): RunState {
  if (isFact(event)) return withFact(state, event)
  if (!('number' in event)) return afterOther(state, event)
  if (event.type === 'SecretRequested') return withRequestedSecret(state, event)
  const withForgotten = withForgottenStillAccepted(state, event)
  if (withForgotten !== undefined) return withForgotten
  const before = find(state, event)
  if (event.type === 'CredentialForgotten') return withoutCredential(state, event, before)
  const after = next(before, event)
  const credentials = state.credentials.map((each) => (each === before ? after : each))
  // All proofs were recorded together, so one false statement of the saved state voids all of them.
  return { ...state, credentials: event.type === 'RevokedSecretDeleted' ? credentials.map(withoutProof) : credentials }
}

function isFact(event: RunEvent): event is FactEvent {
  return event.type === 'ProgramRead' || event.type === 'IssuerSeen' || event.type === 'ApiServerSeen'
}

function withFact(state: RunState, event: FactEvent): RunState {
  switch (event.type) {
    case 'ProgramRead':
      requireUnseen(event, state.programSha256)
      return { ...state, programSha256: event.programSha256 }
    case 'IssuerSeen':
      requireUnseen(event, state.issuer)
      return { ...state, issuer: event.issuer }
    case 'ApiServerSeen':
      requireUnseen(event, state.apiServer)
      return { ...state, apiServer: event.apiServer }
  }
}

function requireUnseen(event: FactEvent, before: unknown): void {
  if (before !== null) throw unfit(event, 'the fact was seen before')
}

function afterOther(state: RunState, event: OtherEvent): RunState {
  if (isScanEvent(event)) return afterScanEvent(state, event)
  switch (event.type) {
    case 'IdentityResolved':
      return { ...state, identity: { kind: event.kind, why: event.why } }
    case 'DeliveredToLaterSteps':
      return { ...state, deliveredToLaterSteps: true }
    case 'RecoveryBegun':
      return { ...state, recovered: true }
    case 'Warned':
      return withWarning(state, event.text)
    case 'Failed':
      return afterFailure(state, event)
    case 'CleanedUp':
      return { ...state, cleanupAttempted: true, proofLeftToPost: event.proofLeftToPost }
    case 'Reported':
      return { ...state, reported: true }
  }
}

function withWarning(state: RunState, text: string): RunState {
  const isKnown = state.warnings.includes(text)
  return isKnown || state.warnings.length >= MAX_WARNINGS ? state : { ...state, warnings: [...state.warnings, text] }
}

/** A failed revocation is the error of the run, and hides no earlier error. */
function afterFailure(state: RunState, { code, reason }: Extract<OtherEvent, { type: 'Failed' }>): RunState {
  const after = { ...state, error: code, errorReason: reason }
  const { earlierError, error, errorReason } = state
  const isFirst = error === null || errorReason === null || error === 'NOT_REVOKED'
  if (code !== 'NOT_REVOKED' || isFirst || earlierError !== null) return after
  return { ...after, earlierError: { code: error, reason: errorReason } }
}

const SCAN_EVENTS = ['ScanStarting', 'ScanStarted', 'ScanEnded', 'AccessOpened', 'AccessEnded'] as const
type ScanEvent = Extract<OtherEvent, { type: (typeof SCAN_EVENTS)[number] }>

function isScanEvent(event: OtherEvent): event is ScanEvent {
  return (SCAN_EVENTS as readonly string[]).includes(event.type)
}

/** A process that is killed takes its record with it. */
const UNKNOWN_ACCESS: ApiAccess = { ended_at: null, streams_cut: 0, requests: null, unauthenticated: 0, uses: [], not_listed: 0 }

function afterScanEvent(state: RunState, event: ScanEvent): RunState {
  if (event.type === 'AccessOpened') return { ...state, apiAccess: UNKNOWN_ACCESS }
  if (event.type === 'AccessEnded') return { ...state, apiAccess: event.access }
  if (event.type === 'ScanStarting') return { ...state, scan: { startedAt: event.at } }
  if (state.scan === null) throw unfit(event, 'no scan')
  if (event.type === 'ScanStarted') return { ...state, isolation: event.isolation }
  const { at, exitCode, signal, isAccepted } = event
  return { ...state, scan: { startedAt: state.scan.startedAt, end: { at, exitCode, signal, isAccepted } } }
}

function withoutProof(credential: CredentialState): CredentialState {
  if (credential.phase !== 'revoked' && credential.phase !== 'absent') return credential
  const { proof: _proof, ...rest } = credential
  return rest
}

function find(state: RunState, event: CredentialEvent): CredentialState {
  const credential = state.credentials.find(({ number }) => number === event.number)
  if (credential === undefined) throw unfit(event, 'no such credential')
  return credential
}

function unfit(event: RunEvent, phase: string): Error {
  return new Error(`the event ${event.type} does not fit: ${phase}`)
}

function withRequestedSecret(state: RunState, event: Extract<CredentialEvent, { type: 'SecretRequested' }>): RunState {
  const { number, slot, deadBy } = event
  const isTaken = slot === 'unbound' || state.credentials.some((each) => each.slot === slot)
  const isFull = state.credentials.length >= MAX_CREDENTIALS
  if (number !== state.lastNumber + 1 || isTaken || isFull) throw unfit(event, 'the number or the slot is taken')
  return { ...state, lastNumber: number, credentials: [...state.credentials, { number, slot, deadBy, phase: 'secret-requested' }] }
}

function withoutCredential(state: RunState, event: CredentialEvent, credential: CredentialState): RunState {
  if (!isSettled(credential)) throw unfit(event, `credential ${credential.number} is ${credential.phase}`)
  const credentials = state.credentials.filter((each) => each !== credential)
  if (!hasToken(credential)) return { ...state, credentials }
  const all = [...state.forgotten, lastingFactsOf(credential)].sort((one, other) => one.number - other.number)
  // The first token is what the evidence calls granted.
  const first = all.find(({ token }) => token !== undefined)
  const dropped = all.length > MAX_FORGOTTEN ? all.find((each) => each !== first) : undefined
  return {
    ...state,
    credentials,
    forgotten: all.filter((each) => each !== dropped),
    forgottenNotListed: state.forgottenNotListed + (dropped?.token === undefined ? 0 : 1),
  }
}

/** Undefined where the event is about a credential that still has its slot. */
function withForgottenStillAccepted(state: RunState, { number, type }: CredentialEvent): RunState | undefined {
  if (type !== 'TokenStillAccepted' || !state.forgotten.some((each) => each.number === number)) return undefined
  return { ...state, forgotten: state.forgotten.map((each) => (each.number === number ? { ...each, isStillAccepted: true } : each)) }
}

type Change = Exclude<CredentialEvent, { type: 'SecretRequested' | 'CredentialForgotten' }>
type Phase = LivePhase | EndPhase
/** The phase after the event; undefined where the event does not fit the phase before. */
type Transitions = { [T in Change['type']]: (before: CredentialState, event: Extract<Change, { type: T }>) => CredentialChange | undefined }
type CredentialChange = Phase & Partial<Pick<CredentialState, 'slot' | 'deadBy'>>

const transitions: Transitions = {
  SecretForbidden: ({ phase }) => (phase === 'secret-requested' ? { phase: 'planned', slot: 'unbound' } : undefined),
  SecretCreated: ({ phase }, { uid }) => (phase === 'secret-requested' ? { phase: 'secret-created', uid } : undefined),
  TokenRequested(before) {
    if (before.phase === 'secret-created') return { phase: 'token-requested', uid: before.uid }
    return before.phase === 'planned' && before.slot === 'unbound' ? { phase: 'token-requested' } : undefined
  },
  TokenIssued(before, { token, deadBy }) {
    return before.phase === 'token-requested' ? { phase: 'issued', token, deadBy, ...uidIn(before) } : undefined
  },
  TokenAccepted: (before, { acceptance }) => (before.phase === 'issued' ? { ...before, acceptance } : undefined),
  RequestHadNoEffect(before) {
    if (before.phase === 'secret-requested') return { phase: 'planned' }
    if (before.phase !== 'token-requested') return undefined
    return before.uid === undefined ? { phase: 'planned' } : { phase: 'secret-created', uid: before.uid }
  },
  CredentialReplaced: (before, { revokeAt }) => (before.phase === 'issued' ? { ...before, revokeAt } : undefined),
  DeletionRequested: (before) => (isConcluded(before) ? undefined : { phase: 'deletion-requested', last: livePhaseOf(before) }),
  DeletionHadNoEffect: (before) => (before.phase === 'deletion-requested' ? before.last : undefined),
  // A 200 is a fact, whatever another DELETE of the same Secret has recorded meanwhile.
  SecretDeleted: (before, { at }) => (before.phase === 'revoked' ? undefined : { phase: 'revoked', last: livePhaseOf(before), at }),
  RevokedSecretDeleted: (before, { at }) => (before.phase === 'revoked' ? { phase: 'revoked', last: before.last, at } : undefined),
  SecretNotFound: (before) => (before.phase === 'deletion-requested' ? { phase: 'absent', last: before.last } : undefined),
  TokenProvenDead: (before, { proof }) => (before.phase === 'revoked' || before.phase === 'absent' ? { ...before, proof } : undefined),
  TokenStillAccepted: (before) => (before.phase === 'revoked' || before.phase === 'absent' ? before.last : undefined),
}

function uidIn({ uid }: { readonly uid?: string }): { uid?: string } {
  return uid === undefined ? {} : { uid }
}

function next(before: CredentialState, event: Change): CredentialState {
  const transition = transitions[event.type] as (before: CredentialState, event: Change) => CredentialChange | undefined
  const after = transition(before, event)
  if (after === undefined) throw unfit(event, `credential ${before.number} is ${before.phase}`)
  const { number, slot, deadBy } = before
  return { number, slot, deadBy, ...after }
}
