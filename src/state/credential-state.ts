/** Which bound Secret a token is bound to, as an index of the run's three names; `unbound` where the token is bound to nothing. */
export type Slot = 0 | 1 | 2 | 'unbound'

/** The claims of a token that kubepass reports. Times are ISO 8601. */
export interface TokenFacts {
  /** Undefined before Kubernetes 1.30. */
  readonly jti?: string
  readonly issuedAt: string
  readonly expiresAt: string
}

/** The API server accepted the token. */
export interface Acceptance {
  readonly at: string
  /** Null where the API server forbids a SelfSubjectReview. */
  readonly username: string | null
}

/** The API server refused the token after it had accepted the token. */
export interface Proof {
  readonly at: string
  /** Refusals in a row, each on a new connection. */
  readonly samples: number
  /** Seconds from the revocation to the last refusal. */
  readonly seconds: number
}

/** A credential that kubepass has not tried to revoke. In `secret-requested` and `token-requested` the response is unknown, so the object may exist. */
export type LivePhase =
  | { readonly phase: 'planned' }
  | { readonly phase: 'secret-requested' }
  | { readonly phase: 'secret-created'; readonly uid: string }
  | { readonly phase: 'token-requested'; readonly uid?: string }
  | {
      readonly phase: 'issued'
      readonly uid?: string
      readonly token: TokenFacts
      readonly acceptance?: Acceptance
      /** Another credential has replaced this one, which is revoked at this time. */
      readonly revokeAt?: string
    }

/** A credential after the first DELETE of its bound Secret. `last` is its phase before. */
export type EndPhase =
  | { readonly phase: 'deletion-requested'; readonly last: LivePhase }
  | { readonly phase: 'revoked'; readonly last: LivePhase; readonly at: string; readonly proof?: Proof }
  | { readonly phase: 'absent'; readonly last: LivePhase; readonly proof?: Proof }

/** The facts of a credential that hold in each phase. */
interface CredentialBase {
  /** Counts the credentials of a run, from 1. */
  readonly number: number
  readonly slot: Slot
  /** The latest time at which the API server can still accept the token, ISO 8601. */
  readonly deadBy: string
}

/** One credential of a run. */
export type CredentialState = CredentialBase & (LivePhase | EndPhase)

/** The same credential in another phase. */
export function withPhase({ number, slot, deadBy }: CredentialBase, phase: LivePhase | EndPhase): CredentialState {
  return { number, slot, deadBy, ...phase }
}

/** The phase before kubepass began to revoke the credential. */
export function livePhaseOf(credential: CredentialState): LivePhase {
  if (credential.phase === 'deletion-requested' || credential.phase === 'revoked' || credential.phase === 'absent') return credential.last
  const { number, slot, deadBy, ...live } = credential
  return live
}

/** Whether a token of the credential may exist or have existed. */
export function hasToken(credential: CredentialState): boolean {
  return ['token-requested', 'issued'].includes(livePhaseOf(credential).phase)
}

/**
 * Whether nothing of the credential can exist: no request was sent; or the response to the creation of the Secret was lost, and an earlier
 * DELETE found no Secret.
 */
export function neverExisted(credential: CredentialState): boolean {
  const { phase } = livePhaseOf(credential)
  return phase === 'planned' || (phase === 'secret-requested' && credential.phase === 'absent')
}

/** Undefined where the response with the uid was lost. */
export function uidOf(credential: CredentialState): string | undefined {
  const live = livePhaseOf(credential)
  return live.phase === 'planned' || live.phase === 'secret-requested' ? undefined : live.uid
}

/** Whether a further DELETE changes no fact: the credential is revoked, or its Secret is absent and its token proven dead. */
export function isConcluded(credential: CredentialState): boolean {
  return credential.phase === 'revoked' || (credential.phase === 'absent' && credential.proof !== undefined)
}

/**
 * Whether kubepass has nothing left to do for the credential, although its Secret may have been absent. A credential that is bound to
 * nothing cannot be revoked.
 */
export function isSettled(credential: CredentialState): boolean {
  return credential.slot === 'unbound' || ['planned', 'revoked', 'absent'].includes(credential.phase)
}

export function tokenFactsOf(credential: CredentialState): TokenFacts | undefined {
  const live = livePhaseOf(credential)
  return live.phase === 'issued' ? live.token : undefined
}

export function acceptanceOf(credential: CredentialState): Acceptance | undefined {
  const live = livePhaseOf(credential)
  return live.phase === 'issued' ? live.acceptance : undefined
}

export function proofOf(credential: CredentialState): Proof | undefined {
  return credential.phase === 'revoked' || credential.phase === 'absent' ? credential.proof : undefined
}

/** Whether kubepass has proven that the tokens of a run are dead: it records all proofs of a run together. */
export function isProven(credentials: readonly CredentialState[]): boolean {
  return credentials.some((credential) => proofOf(credential) !== undefined)
}

/** When the last token of these is dead in any case, ISO 8601; null where no token can exist. */
export function latestDeadBy(credentials: readonly CredentialState[]): string | null {
  const ends = credentials.filter(hasToken).map(({ deadBy }) => deadBy)
  return ends.toSorted((one, other) => Date.parse(one) - Date.parse(other)).at(-1) ?? null
}

/** Whether a token can still live, although the clock of the API server may differ from the clock of this machine. */
export function mayLive(deadBy: string, now = Date.now()): boolean {
  return Date.parse(deadBy) + MAX_CLOCK_SKEW_MS > now
}

const MAX_CLOCK_SKEW_MS = 600_000
