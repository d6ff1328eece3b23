import { setTimeout as sleep } from 'node:timers/promises'
import { deadlineAfter } from '../base/deadline.ts'
import type { SealedString } from '../redact/sealed-string.ts'
import type { KubeClient } from './client.ts'
import { whoami } from './self-subject-review.ts'

/** A poll in the very moment of the deletion can be answered from before it, and then cached for 10 s. */
const FIRST_POLL_MS = 250
const POLL_MS = 500
/** The API server believes an accepted token for 10 s. */
const PROOF_TIMEOUT_MS = 15_000

/** What the last use of the token showed: refused often enough, accepted, or nothing clear. */
export type Verdict = { is: 'dead'; proof: Proof } | { is: 'alive' } | { is: 'unclear' }

export interface Proof {
  /** Refusals in a row, each on a connection of its own. */
  samples: number
  /** From the deletion to the last of them, in seconds. */
  seconds: number
}

/**
 * Uses the token until it is refused `samples` times in a row.
 * @param deletedAt when the bound Secret was deleted, ms since 1970
 * @param isHasty whether a token that is still accepted is not waited for: the API server's cache outlasts whoever waits
 * @returns what is known after at most 15 s
 */
export async function prove(
  client: KubeClient,
  token: SealedString,
  samples: number,
  deletedAt: number,
  isHasty: () => boolean,
  signal: AbortSignal,
): Promise<Verdict> {
  const deadline = deadlineAfter(PROOF_TIMEOUT_MS, signal)
  let verdict: Verdict = { is: 'unclear' }
  try {
    await sleep(Math.max(0, deletedAt + FIRST_POLL_MS - Date.now()), undefined, { signal: deadline })
    for (let refusals = 0; ;) {
      const standing = await whoami(client, token, deadline, true)
      refusals = standing.is === 'refused' ? refusals + 1 : 0
      if (refusals === samples) return { is: 'dead', proof: { samples, seconds: (Date.now() - deletedAt) / 1000 } }
      verdict = { is: standing.is === 'accepted' ? 'alive' : 'unclear' }
      if (verdict.is === 'alive' && isHasty()) return verdict
      if (refusals === 0) await sleep(POLL_MS, undefined, { signal: deadline })
    }
  } catch {
    return verdict
  }
}
