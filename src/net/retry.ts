import { setTimeout as sleep } from 'node:timers/promises'
import { endOfDeadline, deadlineAfter } from '../base/deadline.ts'
import { errnoOf } from '../base/errors.ts'
import { InvalidResponse, NotSent, type HttpResponse, ResponseTooLarge } from './http.ts'

const ATTEMPT_MS = 10_000
const FIRST_WAIT_MS = 200
const LONGEST_WAIT_MS = 5_000
/** How long to retry a host without an address. kubectl gives up at once, but a resolver may learn a new name some seconds late. */
const UNKNOWN_HOST_MS = 5_000
const FIRST_NOTICE_MS = 3_000
const NEXT_NOTICE_MS = 15_000
/** Node.js fires a timer for a longer time at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1

export interface RetryResult {
  /** The last response or failure. An attempt that the deadline ended counts only if it was the first. */
  last: HttpResponse | { failure: unknown }
  /** True if some attempt was sent and got no clear response, so that it may have had its effect. */
  mayHaveActed: boolean
}

export interface RetryOptions {
  /** Gets a line with the reason and the remaining time: after 3 s without a response, then every 15 s. */
  readonly info: (text: string) => void
  /** True until a response has shown that the host exists. If it has no address, the call then fails after 5 s. */
  readonly isNewHost: boolean
}

/** Tests pass their own clock, so that they do not wait. */
export interface Clock {
  now(): number
  sleep(milliseconds: number, signal: AbortSignal): Promise<unknown>
}

const systemClock: Clock = { now: () => Date.now(), sleep: (milliseconds, signal) => sleep(milliseconds, undefined, { signal }) }

/**
 * Repeats an attempt after a network failure, 408, 429 or 5xx, until another result or until `signal` aborts. The waits grow; a
 * longer Retry-After takes precedence.
 */
export async function retry(
  attempt: (signal: AbortSignal) => Promise<HttpResponse>,
  signal: AbortSignal,
  { info, isNewHost }: RetryOptions,
  clock: Clock = systemClock,
): Promise<RetryResult> {
  const began = clock.now()
  let mayHaveActed = false
  let before: Outcome | undefined
  const done = new AbortController()
  void reportProgress()
  try {
    for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
      const last = await attempt(deadlineAfter(ATTEMPT_MS, signal)).catch(toFailedAttempt)
      mayHaveActed ||= hasPerhapsActed(last)
      if (before !== undefined && signal.aborted && isTimedOut(last)) return { last: before, mayHaveActed }
      if (isFinal(last, signal)) return { last, mayHaveActed }
      before = last
      const patience = isNewHost && hasNoAddress(last) ? began + UNKNOWN_HOST_MS - clock.now() : Infinity
      if (patience <= 0) return { last, mayHaveActed }
      try {
        await clock.sleep(Math.min(Math.max(retryAfterOf(last), wait * (0.5 + Math.random() / 2)), patience), signal)
      } catch {
        return { last, mayHaveActed }
      }
    }
  } finally {
    done.abort()
  }

  async function reportProgress(): Promise<void> {
    for (let wait = FIRST_NOTICE_MS; ; wait = NEXT_NOTICE_MS) {
      try {
        await clock.sleep(wait, done.signal)
      } catch {
        return
      }
      const left = Math.ceil((endOfDeadline(signal) - clock.now()) / 1000)
      const state = before === undefined ? 'does not answer yet; waiting' : `does not answer as it should (${whyOf(before)}); trying again`
      info(`${state}${left < Infinity ? ` for ${Math.max(0, left)} s` : ''}.`)
    }
  }
}

/** How one attempt ended. */
type Outcome = HttpResponse | FailedAttempt

interface FailedAttempt {
  readonly failure: unknown
  /** False if the request certainly never left this machine. */
  readonly wasSent: boolean
}

function toFailedAttempt(error: unknown): FailedAttempt {
  return error instanceof NotSent ? { failure: error.cause, wasSent: false } : { failure: error, wasSent: true }
}

/** Whether the request was sent and got no clear response. */
function hasPerhapsActed(outcome: Outcome): boolean {
  if ('failure' in outcome) return outcome.wasSent && !requiresClientCertificate(outcome.failure)
  return outcome.status === 408 || outcome.status >= 500
}

function isTimedOut(outcome: Outcome): boolean {
  return 'failure' in outcome && isTimeout(outcome.failure)
}

/** Whether another attempt is of no use, or there is no time for one. */
function isFinal(outcome: Outcome, signal: AbortSignal): boolean {
  return 'failure' in outcome ? !isNetwork(outcome.failure) || signal.aborted : !isTransient(outcome.status)
}

function hasNoAddress(outcome: Outcome): boolean {
  return 'failure' in outcome && isUnknownHost(outcome.failure)
}

/** The wait that the server asks for, in ms; 0 if it asks for none. */
function retryAfterOf(outcome: Outcome): number {
  return 'failure' in outcome ? 0 : Math.min(Number(outcome.headers['retry-after']) * 1000 || 0, MAX_TIMER_MS)
}

function whyOf(outcome: Outcome): string {
  return 'failure' in outcome ? reasonOf(outcome.failure) : `answer ${outcome.status}`
}

export function isTransient(status: number): boolean {
  return status === 408 || status === 429 || status >= 500
}

/** Whether the server's certificate failed verification. That is not retried, because the next attempt would fail, too. */
export function isCertificateError(failure: unknown): boolean {
  return !requiresClientCertificate(failure) && UNTRUSTED.test(errnoOf(failure))
}

// https://nodejs.org/docs/latest-v24.x/api/tls.html#x509-certificate-error-codes
const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY|DECODE)|^(INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|EPROTO)$/

/** Whether a TLS alert of the server says that it misses or rejects our client certificate. */
export function requiresClientCertificate(failure: unknown): boolean {
  return /_ALERT_.*(CERT|UNKNOWN_CA)/.test(errnoOf(failure))
}

/** Whether the resolver says that the host has no address. A resolver that is down gives EAI_AGAIN, which is retried. */
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

/** The status with which a proxy refused a tunnel; undefined for any other failure. */
export function proxyStatusOf(failure: unknown): number | undefined {
  const { statusCode } = errnoOf(failure) === NO_TUNNEL ? (failure as { statusCode?: unknown }) : {}
  return typeof statusCode === 'number' ? statusCode : undefined
}

/** The reason as our own text or the code of Node.js; not the message of Node.js, because it may quote bytes from the server. */
export function reasonOf(failure: unknown): string {
  if (failure instanceof InvalidResponse) return failure.message
  const status = proxyStatusOf(failure)
  if (status !== undefined) return `the proxy answered ${status}`
  if (isTimeout(failure)) return 'no answer in time'
  return errnoOf(failure) || 'the connection failed'
}
