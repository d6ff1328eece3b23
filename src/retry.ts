import { setTimeout as sleep } from 'node:timers/promises'
import { errnoOf } from './errors.ts'
import { BadAnswer, NotSent, type Response } from './http.ts'
import { limitOf } from './limit.ts'

const ATTEMPT_MS = 10_000
const FIRST_WAIT_MS = 200
const LONGEST_WAIT_MS = 5_000
/** A timer that is set for longer fires at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1

export interface Tried {
  /** The last answer, or how the last try failed; one that was cut off counts only if it was the first. */
  last: Response | { failure: unknown }
  /** A try before or at the end was sent and not clearly answered: it may have taken effect. */
  mayHaveActed: boolean
}

/**
 * Tries until there is an answer that trying again cannot change, or `signal` ends it. Tried again:
 * network failures, 408, 429 and 5xx, after growing waits, or when Retry-After says.
 * @param say told once, when the first try was in vain
 */
export async function retried(
  attempt: (signal: AbortSignal) => Promise<Response>,
  signal: AbortSignal,
  say: (why: string) => void,
): Promise<Tried> {
  let mayHaveActed = false
  let before: Tried['last'] | undefined
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    const last = await attempt(limitOf(ATTEMPT_MS, signal)).catch((error: unknown) =>
      error instanceof NotSent ? { failure: error.cause, wasSent: false } : { failure: error, wasSent: true },
    )
    mayHaveActed ||= 'failure' in last ? last.wasSent && !wantsCertificate(last.failure) : last.status === 408 || last.status >= 500
    if (before !== undefined && signal.aborted && 'failure' in last && isTimeout(last.failure)) return { last: before, mayHaveActed }
    if ('failure' in last ? !isNetwork(last.failure) || signal.aborted : !canHeal(last.status)) return { last, mayHaveActed }
    before = last
    if (wait === FIRST_WAIT_MS) say('failure' in last ? reasonOf(last.failure) : `answer ${last.status}`)
    const asked = 'failure' in last ? 0 : Math.min(Number(last.headers['retry-after']) * 1000 || 0, LONGEST_TIMER_MS)
    try {
      await sleep(Math.max(asked, wait * (0.5 + Math.random() / 2)), undefined, { signal })
    } catch {
      return { last, mayHaveActed }
    }
  }
}

export function canHeal(status: number): boolean {
  return status === 408 || status === 429 || status >= 500
}

/** A certificate that does not verify now will not verify the next time. */
export function isUntrusted(failure: unknown): boolean {
  return !wantsCertificate(failure) && UNTRUSTED.test(errnoOf(failure))
}

// https://nodejs.org/docs/latest-v24.x/api/tls.html#x509-certificate-error-codes
const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY|DECODE)|^(INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|EPROTO)$/

/** The other side's alert: it is our certificate that it misses, or does not take. */
export function wantsCertificate(failure: unknown): boolean {
  return /_ALERT_.*(CERT|UNKNOWN_CA)/.test(errnoOf(failure))
}

function isNetwork(failure: unknown): boolean {
  if (isUntrusted(failure) || wantsCertificate(failure)) return false
  const status = proxyStatusOf(failure)
  if (status !== undefined) return canHeal(status)
  return errnoOf(failure) !== '' || isTimeout(failure)
}

function isTimeout(failure: unknown): boolean {
  return failure instanceof Error && failure.name === 'TimeoutError'
}

const NO_TUNNEL = 'ERR_PROXY_TUNNEL'

/** What a proxy said that made no tunnel. */
export function proxyStatusOf(failure: unknown): number | undefined {
  const { statusCode } = errnoOf(failure) === NO_TUNNEL ? (failure as { statusCode?: unknown }) : {}
  return typeof statusCode === 'number' ? statusCode : undefined
}

/** Our own words or only Node's code: its message may quote what the other side sent. */
export function reasonOf(failure: unknown): string {
  if (failure instanceof BadAnswer) return failure.message
  const status = proxyStatusOf(failure)
  if (status !== undefined) return `the proxy answered ${status}`
  if (isTimeout(failure)) return 'no answer in time'
  return errnoOf(failure) || 'the connection failed'
}
