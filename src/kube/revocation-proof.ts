import { setTimeout as sleep } from 'node:timers/promises'
import { deadlineAfter } from '../base/deadline.ts'
import type { SealedString } from '../redact/sealed-string.ts'
import type { Proof } from '../state/credential-state.ts'
import type { KubeClient } from './client.ts'
import { whoami } from './self-subject-review.ts'

/** The API server may still accept a token in the moment of the deletion, and then caches that for 10 s. So the first poll waits. */
const FIRST_POLL_MS = 250
const SHORTEST_WAIT_MS = 500
/** The API server caches an accepted token for 10 s. */
const CACHE_EXPIRED_MS = 10_050
const PROOF_TIMEOUT_MS = 15_000

/** dead: the API server refused the token often enough. alive: it accepted the last use. unclear: it did neither. */
export type ProofResult = { is: 'dead'; proof: Omit<Proof, 'at'> } | { is: 'alive' } | { is: 'unclear' }

/** A token that must be dead, and what proves it. */
export interface RevokedToken {
  readonly token: SealedString
  /** When the bound Secret was deleted, ms since 1970. */
  readonly deletedAt: number
  /** How many refusals in a row prove that the token is dead. */
  readonly samples: number
  /** Whether to give up on a token that is still accepted: the caller has less time than the API server's cache lasts. */
  readonly isHurried: () => boolean
}

/**
 * Uses the token until it is refused `samples` times in a row.
 * @returns the result, after at most 15 s; a failed call and an abort of `signal` end the proof with the result so far
 */
export async function prove(client: KubeClient, revoked: RevokedToken, signal: AbortSignal): Promise<ProofResult> {
  const { token, deletedAt, samples, isHurried } = revoked
  const deadline = deadlineAfter(PROOF_TIMEOUT_MS, signal)
  let result: ProofResult = { is: 'unclear' }
  try {
    await sleep(Math.max(0, deletedAt + FIRST_POLL_MS - Date.now()), undefined, { signal: deadline })
    for (let refusals = 0, wait = 0; ;) {
      const review = await whoami(client, token, deadline, true)
      refusals = review.is === 'refused' ? refusals + 1 : 0
      if (refusals === samples) return { is: 'dead', proof: { samples, seconds: (Date.now() - deletedAt) / 1000 } }
      result = { is: review.is === 'accepted' ? 'alive' : 'unclear' }
      if (result.is === 'alive' && isHurried()) return result
      if (refusals > 0) continue
      wait = nextWait(wait, Date.now() - deletedAt)
      await sleep(wait, undefined, { signal: deadline })
    }
  } catch {
    return result
  }
}

/**
 * Doubles the wait, because each accepted request looks like an attack to a monitor of the audit log. No wait is longer than the cache of
 * the API server lasts.
 * @param age ms since the deletion
 */
export function nextWait(previous: number, age: number): number {
  const untilExpiry = CACHE_EXPIRED_MS - age
  const doubled = Math.max(SHORTEST_WAIT_MS, 2 * previous)
  return untilExpiry > 0 ? Math.min(doubled, untilExpiry) : SHORTEST_WAIT_MS
}
