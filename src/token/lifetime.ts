import type { Credential } from './claims.ts'

/** The API server accepts a token for this long after its `exp`: 60 s of leeway and 10 s of cache. */
export const ACCEPTED_AFTER_EXPIRY_S = 70

/** When it ends by our own clock, ms since 1970, as what counts is how long it lives from when it was received: clocks may differ. */
export function endsAt({ issuedAt, expiresAt }: Pick<Credential, 'issuedAt' | 'expiresAt'>, receivedAt: number): number {
  return receivedAt + (expiresAt - issuedAt) * 1000
}

/** When to renew it: at 65 to 75 % of the life that was granted, so that many jobs do not come at once. */
export function renewAt(credential: Pick<Credential, 'issuedAt' | 'expiresAt'>, receivedAt: number, random = Math.random()): number {
  return receivedAt + Math.round((endsAt(credential, receivedAt) - receivedAt) * (0.65 + random / 10))
}

/**
 * When to delete the bound Secret of one that has been replaced: at its own end, as there are clients that never learn of the
 * new one, or earlier, if all are said to.
 * @param grace seconds
 */
export function revokeSupersededAt(end: number, replacedAt: number, grace: number | undefined): number {
  return grace === undefined ? end : Math.min(end, replacedAt + grace * 1000)
}
