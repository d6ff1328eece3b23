import { setTimeout as sleep } from 'node:timers/promises'
import { endOfDeadline, deadlineAfter } from '../base/deadline.ts'
import { errnoOf } from '../base/errors.ts'
import { InvalidResponse, NotSent, type HttpResponse, ResponseTooLarge } from './http.ts'

const ATTEMPT_MS = 10_000
const FIRST_WAIT_MS = 200
const LONGEST_WAIT_MS = 5_000
/** kubectl gives up at once. A resolver can be late with a new name, so that a few seconds help. */
const UNKNOWN_HOST_MS = 5_000
const FIRST_NOTICE_MS = 3_000
const NEXT_NOTICE_MS = 15_000
/** A timer that is set for longer fires at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1

export interface RetryResult {
  /** The last answer, or how the last try failed; one that was cut off counts only if it was the first. */
  last: HttpResponse | { failure: unknown }
  /** A try before or at the end was sent and not clearly answered: it may have taken effect. */
  mayHaveActed: boolean
}

export interface RetryOptions {
  /** Gets a line with the reason and the time that is left: after 3 s without an answer, then every 15 s. */
  readonly info: (text: string) => void
  /** No answer has shown yet that the host exists: without an address the call fails after 5 s. */
  readonly isNewHost: boolean
}

/** Tests give a clock of their own, so that they need not wait. */
export interface Clock {
  now(): number
  sleep(milliseconds: number, signal: AbortSignal): Promise<unknown>
}

const systemClock: Clock = { now: () => Date.now(), sleep: (milliseconds, signal) => sleep(milliseconds, undefined, { signal }) }

/**
 * Tries until there is an answer that trying again cannot change, or `signal` ends it. Tried again:
 * network failures, 408, 429 and 5xx, after growing waits, or when Retry-After says.
 */
export async function retry(
  attempt: (signal: AbortSignal) => Promise<HttpResponse>,
  signal: AbortSignal,
  { info, isNewHost }: RetryOptions,
  clock: Clock = systemClock,
): Promise<RetryResult> {
  const began = clock.now()
  let mayHaveActed = false
  let before: RetryResult['last'] | undefined
  const done = new AbortController()
  void tell()
  try {
    for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
      const last = await attempt(deadlineAfter(ATTEMPT_MS, signal)).catch((error: unknown) =>
        error instanceof NotSent ? { failure: error.cause, wasSent: false } : { failure: error, wasSent: true },
      )
      mayHaveActed ||=
        'failure' in last ? last.wasSent && !requiresClientCertificate(last.failure) : last.status === 408 || last.status >= 500
      if (before !== undefined && signal.aborted && 'failure' in last && isTimeout(last.failure)) return { last: before, mayHaveActed }
      if ('failure' in last ? !isNetwork(last.failure) || signal.aborted : !isTransient(last.status)) return { last, mayHaveActed }
      before = last
      const patience = isNewHost && 'failure' in last && isUnknownHost(last.failure) ? began + UNKNOWN_HOST_MS - clock.now() : Infinity
      if (patience <= 0) return { last, mayHaveActed }
      const asked = 'failure' in last ? 0 : Math.min(Number(last.headers['retry-after']) * 1000 || 0, MAX_TIMER_MS)
      try {
        await clock.sleep(Math.min(Math.max(asked, wait * (0.5 + Math.random() / 2)), patience), signal)
      } catch {
        return { last, mayHaveActed }
      }
    }
  } finally {
    done.abort()
  }

  async function tell(): Promise<void> {
    for (let wait = FIRST_NOTICE_MS; ; wait = NEXT_NOTICE_MS) {
      try {
        await clock.sleep(wait, done.signal)
      } catch {
        return
      }
      const left = Math.ceil((endOfDeadline(signal) - clock.now()) / 1000)
      const what = before === undefined ? 'does not answer yet; waiting' : `does not answer as it should (${whyOf(before)}); trying again`
      info(`${what}${left < Infinity ? ` for ${Math.max(0, left)} s` : ''}.`)
    }
  }
}

function whyOf(last: RetryResult['last']): string {
  return 'failure' in last ? reasonOf(last.failure) : `answer ${last.status}`
}

export function isTransient(status: number): boolean {
  return status === 408 || status === 429 || status >= 500
}

/** A certificate that does not verify now will not verify the next time. */
export function isCertificateError(failure: unknown): boolean {
  return !requiresClientCertificate(failure) && UNTRUSTED.test(errnoOf(failure))
}

// https://nodejs.org/docs/latest-v24.x/api/tls.html#x509-certificate-error-codes
const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY|DECODE)|^(INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|EPROTO)$/

/** The other side's alert: it is our certificate that it misses, or does not take. */
export function requiresClientCertificate(failure: unknown): boolean {
  return /_ALERT_.*(CERT|UNKNOWN_CA)/.test(errnoOf(failure))
}

/** No resolver knows an address. A resolver that is down gives EAI_AGAIN, which can heal. */
export function isUnknownHost(failure: unknown): boolean {
  return errnoOf(failure) === 'ENOTFOUND'
}

function isNetwork(failure: unknown): boolean {
  if (isCertificateError(failure) || requiresClientCertificate(failure)) return false
  const status = proxyStatusOf(failure)
  if (status !== undefined) return isTransient(status)
  if (failure instanceof InvalidResponse) return !(failure instanceof ResponseTooLarge)
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
  if (failure instanceof InvalidResponse) return failure.message
  const status = proxyStatusOf(failure)
  if (status !== undefined) return `the proxy answered ${status}`
  if (isTimeout(failure)) return 'no answer in time'
  return errnoOf(failure) || 'the connection failed'
}
