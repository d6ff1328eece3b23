/** What went wrong, as tests and exit codes know it. */
export type Code = 'INPUT' | 'IDENTITY' | 'REFUSED' | 'UNREACHABLE' | 'RIGHTS' | 'LEAK' | 'NOT_REVOKED' | 'INTERRUPTED' | 'INTERNAL'

const exitCodes: Record<Code, number> = {
  INPUT: 80,
  IDENTITY: 81,
  REFUSED: 82,
  UNREACHABLE: 83,
  RIGHTS: 84,
  LEAK: 85,
  NOT_REVOKED: 86,
  INTERRUPTED: 130,
  INTERNAL: 1,
}

interface Details {
  /** What to do about it: the line, flag or RBAC rule to add. */
  hint?: string | undefined
  cause?: unknown
  /** What was asked for has surely not happened. */
  noEffect?: boolean
}

/** An error that a user can act on. Its texts hold no secret, no foreign bytes unquoted, no response body. */
export class KubepassError extends Error {
  readonly code: Code
  readonly hint: string | undefined
  readonly noEffect: boolean

  constructor(code: Code, message: string, details: Details = {}) {
    super(message, { cause: details.cause })
    this.name = 'KubepassError'
    this.code = code
    this.hint = details.hint
    this.noEffect = details.noEffect ?? false
  }
}

export function codeOf(error: unknown): Code {
  return error instanceof KubepassError ? error.code : 'INTERNAL'
}

export function exitCodeOf(error: unknown): number {
  return exitCodes[codeOf(error)]
}

/** Node's own code of a failed call, like ENOENT; empty when there is none. */
export function errnoOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** The message, the chain of causes, then the hint. Never a stack. */
export function describe(error: unknown): string {
  const lines = [messageOf(error)]
  for (let cause = causeOf(error); cause !== undefined; cause = causeOf(cause)) lines.push(`Caused by: ${messageOf(cause)}`)
  if (error instanceof KubepassError && error.hint !== undefined) lines.push(error.hint)
  return lines.join('\n')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined
}
