import type { Credential } from './claims.ts'

/** The API server accepts a token for this long after its `exp`: 60 s of leeway and 10 s of cache. */
export const ACCEPTED_AFTER_EXPIRY_S = 70

/**
 * The expiry by this machine's clock, in ms since 1970. The life is counted from the time when kubepass received the token,
 * because the API server's clock may differ.
 * @param receivedAt ms since 1970
 */
export function endsAt({ issuedAt, expiresAt }: Pick<Credential, 'issuedAt' | 'expiresAt'>, receivedAt: number): number {
  return receivedAt + (expiresAt - issuedAt) * 1000
}

/** When to renew a credential, in ms since 1970: at 65 to 75 % of its life, at random, so that many jobs do not renew at once. */
export function renewAt(credential: Pick<Credential, 'issuedAt' | 'expiresAt'>, receivedAt: number, random = Math.random()): number {
  return receivedAt + Math.round((endsAt(credential, receivedAt) - receivedAt) * (0.65 + random / 10))
}

/**
 * When to delete the bound Secret of a replaced credential. Some clients never read the new token, so that the old one stays valid
 * until its expiry. With `rotate_grace` the user states that all clients re-read it, and the old one ends earlier.
 * @param end expiry of the replaced credential, and `replacedAt`: ms since 1970
 * @param grace seconds
 */
export function revokeSupersededAt(end: number, replacedAt: number, grace: number | undefined): number {
  return grace === undefined ? end : Math.min(end, replacedAt + grace * 1000)
}
