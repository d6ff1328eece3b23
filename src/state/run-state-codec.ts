import { errorCodes } from '../base/errors.ts'
import { isIsoTime } from '../base/time.ts'
import { isRunKey, type Job } from './job-info.ts'
import {
  isCredentialIdOfIssuer,
  isGitVersion,
  isUsername,
  MAX_CREDENTIALS,
  MAX_FORGOTTEN,
  MAX_REASON,
  MAX_WARNINGS,
  type RunState,
} from './run-state.ts'

/** The state as it is saved: the list of the requests can be longer than the place where a runner keeps the state. */
export function toSavedForm(state: RunState): RunState {
  const { apiAccess } = state
  return apiAccess === null ? state : { ...state, apiAccess: { ...apiAccess, uses: [], not_listed: apiAccess.requests ?? 0 } }
}

type Check = (value: unknown) => boolean

/**
 * Reads a saved run state. The scan can write to its place, so this function accepts only what kubepass can have written. A forged state
 * names no Secrets of others, because the names follow from the job and the key.
 * @param job of this process, in place of the job in the text
 * @returns undefined when the text is no run state
 */
export function parseRunState(text: string, job: Job): RunState | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  return isRunState(value) && hasUniqueCredentials(value as RunState) && hasReasonOfItsError(value as RunState)
    ? { ...(value as RunState), job }
    : undefined
}

const isText: Check = (value) => typeof value === 'string'
const isFlag: Check = (value) => typeof value === 'boolean'
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0
const isNumber: Check = (value) => Number.isFinite(value)
const isTime: Check = (value) => typeof value === 'string' && isIsoTime(value)

function matches(value: unknown, pattern: RegExp): boolean {
  return typeof value === 'string' && pattern.test(value)
}

function oneOf(...allowed: readonly unknown[]): Check {
  return (value) => allowed.includes(value)
}

function optional(check: Check): Check {
  return (value) => value === undefined || check(value)
}

function nullable(check: Check): Check {
  return (value) => value === null || check(value)
}

function listOf(check: Check, longest = Infinity): Check {
  return (value) => Array.isArray(value) && value.length <= longest && value.every(check)
}

/** An object with these fields and no others: a field that is out of place could mean something to a later reader. */
function object(fields: Readonly<Record<string, Check>>): Check {
  return (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.keys(value).every((name) => Object.hasOwn(fields, name)) &&
    Object.entries(fields).every(([name, check]) => check((value as Record<string, unknown>)[name]))
}

const isToken = object({ jti: optional((value) => matches(value, /^[\w.-]{1,200}$/)), issuedAt: isTime, expiresAt: isTime })
const isAcceptance = object({ at: isTime, username: nullable(isText) })
const isProof = object({ at: isTime, samples: isCount, seconds: isNumber })
const isScanEnd = object({
  at: isTime,
  exitCode: isNumber,
  signal: nullable((value) => matches(value, /^SIG[A-Z0-9]{1,20}$/)),
  isAccepted: isFlag,
})
const isReason: Check = (value) => matches(value, /^[^\p{Cc}\p{Zl}\p{Zp}]+$/u) && String(value).length <= MAX_REASON
const isCode: Check = (value) => typeof value === 'string' && Object.hasOwn(errorCodes, value)
const isEarlierCode: Check = (value) => isCode(value) && value !== 'NOT_REVOKED'
const isSha256: Check = (value) => matches(value, /^[0-9a-f]{64}$/)
const isIssuer = object({ username: isUsername, credential_id: nullable(isCredentialIdOfIssuer) })
const isApiServer = object({ version: nullable(isGitVersion), ca_sha256: nullable(isSha256) })
/** The saved form lists no uses: see toSavedForm(). */
const isApiAccess = object({
  ended_at: nullable(isTime),
  streams_cut: isCount,
  requests: nullable(isCount),
  unauthenticated: isCount,
  uses: listOf(() => false, 0),
  not_listed: isCount,
})
const isSlot = oneOf(0, 1, 2, 'unbound')

type Fields = Readonly<Record<string, Check>>

const livePhases: Readonly<Record<string, Fields>> = {
  planned: {},
  'secret-requested': {},
  'secret-created': { uid: isText },
  'token-requested': { uid: optional(isText) },
  issued: { uid: optional(isText), token: isToken, acceptance: optional(isAcceptance), revokeAt: optional(isTime) },
}
const isLivePhase: Check = (value) => isInPhase(value, livePhases)
const phases: Readonly<Record<string, Fields>> = {
  ...livePhases,
  'deletion-requested': { last: isLivePhase },
  revoked: { last: isLivePhase, at: isTime, proof: optional(isProof) },
  absent: { last: isLivePhase, proof: optional(isProof) },
}

function isInPhase(value: unknown, of: Readonly<Record<string, Fields>>, others: Fields = {}): boolean {
  const { phase } = (typeof value === 'object' && value !== null ? value : {}) as { phase?: unknown }
  if (typeof phase !== 'string' || !Object.hasOwn(of, phase)) return false
  return object({ phase: isText, ...of[phase], ...others })(value)
}

const credential = { number: isCount, slot: isSlot, deadBy: isTime }
const isCredential: Check = (value) => isInPhase(value, phases, credential)

const isRunState = object({
  version: oneOf(4),
  job: () => true,
  server: isText,
  requested: object({ namespace: isText, name: isText, durationSeconds: isNumber, audiences: listOf(isText) }),
  key: (value) => typeof value === 'string' && isRunKey(value),
  directory: (value) => matches(value, /\/kubepass-[0-9a-f]{16}$/),
  identity: nullable(object({ kind: isText, why: isText })),
  issuer: nullable(isIssuer),
  apiServer: nullable(isApiServer),
  commandSha256: nullable(isSha256),
  programSha256: nullable(isSha256),
  lastNumber: (value) => isCount(value) && Number(value) <= 1e6,
  credentials: listOf(isCredential, MAX_CREDENTIALS),
  forgotten: listOf(
    object({ ...credential, token: optional(isToken), acceptance: optional(isAcceptance), isStillAccepted: optional(isFlag) }),
    MAX_FORGOTTEN,
  ),
  forgottenNotListed: isCount,
  scan: nullable(object({ startedAt: isTime, end: optional(isScanEnd) })),
  isolation: nullable(object({ isolated: isFlag, why_not: nullable(isText), as_root: isFlag })),
  apiAccess: nullable(isApiAccess),
  warnings: listOf(isText, MAX_WARNINGS),
  error: nullable(isCode),
  errorReason: nullable(isReason),
  earlierError: nullable(object({ code: isEarlierCode, reason: isReason })),
  deliveredToLaterSteps: isFlag,
  recovered: isFlag,
  cleanupAttempted: isFlag,
  proofLeftToPost: isFlag,
  reported: isFlag,
})

function hasUniqueCredentials({ credentials, lastNumber }: RunState): boolean {
  const numbers = credentials.map(({ number }) => number)
  const slots = credentials.map(({ slot }) => slot).filter((slot) => slot !== 'unbound')
  return numbers.every((number) => number <= lastNumber) && new Set(numbers).size === numbers.length && new Set(slots).size === slots.length
}

function hasReasonOfItsError({ earlierError, error, errorReason }: RunState): boolean {
  return (error === null) === (errorReason === null) && (error !== null || earlierError === null)
}
