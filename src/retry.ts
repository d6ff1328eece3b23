import { setTimeout as sleep } from 'node:timers/promises'
import { errnoOf } from './errors.ts'
import type { Response } from './http.ts'

const ATTEMPT_MS = 10_000
const FIRST_WAIT_MS = 200
const LONGEST_WAIT_MS = 5_000

export interface Failure {
  failure: unknown
}

/**
 * Tries until there is an answer that trying again cannot change, or `signal` ends it. Tried again:
 * network failures, 408, 429 and 5xx, after growing waits, or when Retry-After says.
 * @returns the last answer or failure; the signal's own reason when that is an error of ours
 */
export async function retried(attempt: (signal: AbortSignal) => Promise<Response>, signal: AbortSignal): Promise<Response | Failure> {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    const outcome = await attempt(AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT_MS)])).catch((failure: unknown) => ({ failure }))
    if ('failure' in outcome ? isUntrusted(outcome.failure) || signal.aborted : !canHeal(outcome.status)) return outcome
    const asked = 'failure' in outcome ? 0 : Number(outcome.headers['retry-after']) * 1000 || 0
    try {
      await sleep(Math.max(asked, wait * (0.5 + Math.random() / 2)), undefined, { signal })
    } catch {
      return outcome
    }
  }
}

export function canHeal(status: number): boolean {
  return status === 408 || status === 429 || status >= 500
}

/** A certificate that does not verify now will not verify the next time. */
export function isUntrusted(failure: unknown): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|^EPROTO$/.test(errnoOf(failure))
}

/** Only Node's own code: its message may quote what the other side sent. */
export function reasonOf(failure: unknown): string {
  if (failure instanceof Error && failure.name === 'TimeoutError') return 'no answer in time'
  return errnoOf(failure) || 'the connection failed'
}
