import { errorCodes } from '../base/errors.ts'
import { isIsoTime } from '../base/time.ts'
import { isRunKey, type JobInfo } from './job-info.ts'
import { MAX_CREDENTIALS, type RunState } from './run-state.ts'

type Check = (value: unknown) => boolean

/**
 * Reads a saved run state. The scan can write where run states are saved, so this function accepts only what kubepass itself can have
 * written: a forged state can name no other Secrets, because their names follow from the job and from 16 hex digits.
 * @param job of this process; the job in the text is ignored
 * @returns undefined when the text is no run state
 */
export function parseRunState(text: string, job: JobInfo): RunState | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  return isRunState(value) && hasUniqueCredentials(value as RunState) ? { ...(value as RunState), job } : undefined
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

function listOf(check: Check, longest = 1000): Check {
  return (value) => Array.isArray(value) && value.length <= longest && value.every(check)
}

function object(fields: Readonly<Record<string, Check>>): Check {
  return (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(fields).every(([name, check]) => check((value as Record<string, unknown>)[name]))
}

const uid = { uid: isText }
const isToken = object({ jti: optional((value) => matches(value, /^[\w.-]{1,200}$/)), issuedAt: isTime, expiresAt: isTime })
const isAcceptance = object({ at: isTime, username: nullable(isText) })
const isProof = object({ at: isTime, samples: isCount, seconds: isNumber })
const isSlot = oneOf(0, 1, 2, 'unbound')

const livePhases: Readonly<Record<string, Check>> = {
  planned: object({}),
  'secret-requested': object({}),
  'secret-created': object(uid),
  'token-requested': object({ uid: optional(isText) }),
  issued: object({ uid: optional(isText), token: isToken, acceptance: optional(isAcceptance), revokeAt: optional(isTime) }),
}
const isLivePhase: Check = (value) => isInPhase(value, livePhases)
const phases: Readonly<Record<string, Check>> = {
  ...livePhases,
  'deletion-requested': object({ last: isLivePhase }),
  revoked: object({ last: isLivePhase, at: isTime, proof: optional(isProof) }),
  absent: object({ last: isLivePhase, proof: optional(isProof) }),
}

function isInPhase(value: unknown, of: Readonly<Record<string, Check>>): boolean {
  const { phase } = (typeof value === 'object' && value !== null ? value : {}) as { phase?: unknown }
  return typeof phase === 'string' && Object.hasOwn(of, phase) && of[phase]?.(value) === true
}

const credential = { number: isCount, slot: isSlot, deadBy: isTime }
const isCredential: Check = (value) => object(credential)(value) && isInPhase(value, phases)

const isRunState = object({
  version: oneOf(2),
  server: isText,
  requested: object({ namespace: isText, name: isText, durationSeconds: isNumber, audiences: listOf(isText) }),
  key: (value) => typeof value === 'string' && isRunKey(value),
  directory: (value) => matches(value, /\/kubepass-[0-9a-f]{16}$/),
  identity: nullable(object({ kind: isText, why: isText })),
  lastNumber: isCount,
  credentials: listOf(isCredential, MAX_CREDENTIALS),
  ended: listOf(object({ ...credential, token: optional(isToken), acceptance: optional(isAcceptance) })),
  endedNotListed: isCount,
  scan: nullable(object({ startedAt: isTime, end: optional(object({ at: isTime, exitCode: isNumber, signal: nullable(isText) })) })),
  isolation: nullable(object({ isolated: isFlag, why_not: nullable(isText), as_root: isFlag })),
  warnings: listOf(isText),
  error: nullable((value) => typeof value === 'string' && Object.hasOwn(errorCodes, value)),
  cleanedUp: isFlag,
})

function hasUniqueCredentials({ credentials, lastNumber }: RunState): boolean {
  const numbers = credentials.map(({ number }) => number)
  const slots = credentials.map(({ slot }) => slot).filter((slot) => slot !== 'unbound')
  return numbers.every((number) => number <= lastNumber) && new Set(numbers).size === numbers.length && new Set(slots).size === slots.length
}
