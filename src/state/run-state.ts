import { createHash, randomBytes } from 'node:crypto'
import { basename, join } from 'node:path'
import { isoTime } from '../base/time.ts'
import type { Options } from '../config/options.ts'
import { secretOf } from '../token/claims.ts'
import type { Jwt } from '../token/jwt.ts'
import { OVERRUN_S } from '../token/lifetime.ts'
import { type Evidence, newEvidence } from './evidence.ts'
import { anchorPrefix, type Run } from './job.ts'

/** A credential that may exist, by what is needed to end it. */
export interface Issued {
  /** Undefined when the token is bound to nothing. */
  readonly anchor: { readonly name: string; readonly uid?: string } | undefined
  /** The most that may exist on the cluster: a call whose answer was lost may have taken effect. */
  readonly reached: 'nothing' | 'anchor' | 'token'
  /** The latest moment at which the API server can still accept the token. */
  readonly deadBy: string
  readonly jti?: string
  /** When its anchor was deleted. */
  readonly revoked?: string | undefined
}

/** What is needed to finish a run, and to tell of it; saved before anything can exist. No secret in it. Times are ISO 8601. */
export interface Receipt {
  readonly version: 1
  readonly server: string
  readonly namespace: string
  readonly directory: string
  /** Those that were asked for, the one in use and those that it replaced; no more than there are names. */
  readonly credentials: readonly Issued[]
  readonly evidence: Evidence
}

/** @param key ends the names of the first anchor and of the directory */
export function newReceipt(options: Options, run: Run, key = randomBytes(8).toString('hex')): Receipt {
  return {
    version: 1,
    server: options.server,
    namespace: options.serviceAccount.namespace,
    directory: join(options.directory, `${DIRECTORY_PREFIX}${key}`),
    credentials: [],
    evidence: newEvidence(options, run),
  }
}

/** One that has yet to be asked for. */
export function newCredential(options: Options, anchorName: string, now = Date.now()): Issued {
  const deadBy = isoTime(Math.ceil((now + options.deadline) / 1000) + options.duration + OVERRUN_S)
  return { anchor: { name: anchorName }, reached: 'nothing', deadBy }
}

/**
 * The names that a run's anchors may have: as many of its credentials may exist at once, the one in use, the one before it
 * and the one to come. All follow from one key.
 */
export function anchorNames(run: Run, receipt: Receipt): readonly [string, string, string] {
  const key = markerOf(receipt)
  const name = (end: string): string => `${anchorPrefix(run)}${end}`
  const slot = (number: number): string => createHash('sha256').update(`${key} ${number}`).digest('hex').slice(0, 16)
  return [name(key), name(slot(1)), name(slot(2))]
}

/** Of the names one that no credential has, or else that of the one that is dead first: never of the one in use. */
export function nameOfNext(names: readonly string[], credentials: readonly Issued[], inUse: Issued): string {
  const endOf = (name: string): number => Date.parse(credentials.find(({ anchor }) => anchor?.name === name)?.deadBy ?? '') || 0
  return names.filter((name) => name !== inUse.anchor?.name).reduce((first, name) => (endOf(name) < endOf(first) ? name : first))
}

/** What its token is known by. */
export function idOf({ anchor, jti }: Issued): string {
  return jti ?? anchor?.name ?? ''
}

/** Whether the token with these claims belongs to the credential. Before Kubernetes 1.30 a token has no id, but its own Secret. */
export function isTokenOf({ anchor, jti }: Issued, claims: Jwt['claims']): boolean {
  if (anchor === undefined || claims['jti'] !== jti) return false
  if (jti !== undefined) return true
  const { name, uid } = secretOf(claims)
  return name === anchor.name && (anchor.uid === undefined || uid === anchor.uid)
}

/** Whether a token can live that is dead by then, by a clock that may not be ours. */
export function mayLive(deadBy: string): boolean {
  return Date.parse(deadBy) + MOST_SKEW_MS > Date.now()
}

/** When the last token of these is dead in any case; null when there is none. */
export function deadBy(credentials: readonly Issued[]): string | null {
  const ends = credentials.filter(({ reached }) => reached === 'token').map((credential) => credential.deadBy)
  return ends.toSorted((one, other) => Date.parse(one) - Date.parse(other)).at(-1) ?? null
}

/** Nothing of it exists. */
export function isVoid({ credentials }: Receipt): boolean {
  return credentials.every(({ reached }) => reached === 'nothing')
}

/** What the scan's processes carry in their environment, so that all of them are found. */
export function markerOf(receipt: Receipt): string {
  return basename(receipt.directory).slice(DIRECTORY_PREFIX.length)
}

/** One for each name, and one that is bound to nothing. */
export const MOST_CREDENTIALS = 4
/** So far the clock of an API server may be from ours. */
const MOST_SKEW_MS = 600_000
const DIRECTORY_PREFIX = 'kubepass-'
