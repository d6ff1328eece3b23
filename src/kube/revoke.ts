import { setTimeout as sleep } from 'node:timers/promises'
import type { V1DeleteOptions } from '@kubernetes/client-node'
import type { AuthInfo } from '../identity/identity.ts'
import { limitOf } from '../limit.ts'
import type { Secret } from '../secret.ts'
import { refusalOf, statusOf, type KubeClient } from './client.ts'
import { whoami } from './verify.ts'

/** A poll in the very moment of the deletion can be answered from before it, and then cached for 10 s. */
const FIRST_POLL_MS = 250
const POLL_MS = 500
/** The API server believes an accepted token for 10 s. */
const PROOF_MS = 15_000

/**
 * Deletes the anchor, and with it the token.
 * @returns gone when no such object is there, or one of the same name that is not ours
 */
export async function deleteAnchor(
  client: KubeClient,
  auth: AuthInfo,
  anchor: { namespace: string; name: string; uid?: string | undefined },
  signal: AbortSignal,
): Promise<'deleted' | 'gone'> {
  const body: V1DeleteOptions = {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    ...(anchor.uid === undefined ? {} : { preconditions: { uid: anchor.uid } }),
  }
  const answer = await client.call(
    { method: 'DELETE', path: `/api/v1/namespaces/${anchor.namespace}/secrets/${anchor.name}`, auth, body },
    signal,
  )
  const { details, reason, status } = statusOf(answer) ?? {}
  // A finalizer answers with the object, a gateway with anything: neither has deleted.
  if (answer.status === 200 && status === 'Success' && details?.uid === (anchor.uid ?? details?.uid)) return 'deleted'
  // A server without such a path answers NotFound as well, but names no Secret.
  const isOfThisSecret = /^secrets?$/i.test(details?.kind ?? '') && details?.name === anchor.name
  if (isOfThisSecret && ((answer.status === 404 && reason === 'NotFound') || (answer.status === 409 && reason === 'Conflict'))) {
    // It was there, and a try whose answer was lost may have deleted it.
    return answer.mayHaveActed && anchor.uid !== undefined ? 'deleted' : 'gone'
  }
  throw refusalOf(answer, `delete the Secret ${anchor.name}`, auth)
}

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
 * @param deletedAt when the anchor was deleted, ms since 1970
 * @param isHasty whether a token that is still accepted is not waited for: the API server's cache outlasts whoever waits
 * @returns what is known after at most 15 s
 */
export async function prove(
  client: KubeClient,
  token: Secret,
  samples: number,
  deletedAt: number,
  isHasty: () => boolean,
  signal: AbortSignal,
): Promise<Verdict> {
  const limit = limitOf(PROOF_MS, signal)
  let verdict: Verdict = { is: 'unclear' }
  try {
    await sleep(Math.max(0, deletedAt + FIRST_POLL_MS - Date.now()), undefined, { signal: limit })
    for (let refusals = 0; ;) {
      const standing = await whoami(client, token, limit, true)
      refusals = standing.is === 'refused' ? refusals + 1 : 0
      if (refusals === samples) return { is: 'dead', proof: { samples, seconds: (Date.now() - deletedAt) / 1000 } }
      verdict = { is: standing.is === 'accepted' ? 'alive' : 'unclear' }
      if (verdict.is === 'alive' && isHasty()) return verdict
      if (refusals === 0) await sleep(POLL_MS, undefined, { signal: limit })
    }
  } catch {
    return verdict
  }
}
