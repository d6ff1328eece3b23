import { createHash, randomBytes } from 'node:crypto'
import { basename, join } from 'node:path'
import { isoTime } from '../base/time.ts'
import type { Options } from '../config/options.ts'
import { boundSecretClaim } from '../token/claims.ts'
import type { Jwt } from '../token/jwt.ts'
import { ACCEPTED_AFTER_EXPIRY_S } from '../token/lifetime.ts'
import { type Evidence, newEvidence } from './evidence.ts'
import { boundSecretPrefix, type JobInfo } from './job-info.ts'

/** A credential that may exist, by what is needed to end it. */
export interface CredentialState {
  /** Undefined when the token is bound to nothing. */
  readonly boundSecret: { readonly name: string; readonly uid?: string } | undefined
  /** The most that may exist on the cluster: a call whose answer was lost may have taken effect. */
  readonly phase: 'nothing' | 'secret' | 'token'
  /** The latest moment at which the API server can still accept the token. */
  readonly deadBy: string
  readonly jti?: string
  /** When its bound Secret was deleted. */
  readonly revoked?: string | undefined
}

/** What is needed to finish a run, and to tell of it; saved before anything can exist. No secret in it. Times are ISO 8601. */
export interface RunState {
  readonly version: 1
  readonly server: string
  readonly namespace: string
  readonly directory: string
  /** Those that were asked for, the one in use and those that it replaced; no more than there are names. */
  readonly credentials: readonly CredentialState[]
  readonly evidence: Evidence
}

/** @param key ends the names of the first bound Secret and of the directory */
export function newRunState(options: Options, job: JobInfo, key = randomBytes(8).toString('hex')): RunState {
  return {
    version: 1,
    server: options.server,
    namespace: options.serviceAccount.namespace,
    directory: join(options.directory, `${DIRECTORY_PREFIX}${key}`),
    credentials: [],
    evidence: newEvidence(options, job),
  }
}

/** One that has yet to be asked for. */
export function plannedCredential(options: Options, boundSecretName: string, now = Date.now()): CredentialState {
  const deadBy = isoTime(Math.ceil((now + options.deadline) / 1000) + options.duration + ACCEPTED_AFTER_EXPIRY_S)
  return { boundSecret: { name: boundSecretName }, phase: 'nothing', deadBy }
}

/**
 * The names that a run's bound Secrets may have: as many of its credentials may exist at once, the one in use, the one before it
 * and the one to come. All follow from one key.
 */
export function boundSecretNames(job: JobInfo, state: RunState): readonly [string, string, string] {
  const key = trackingIdOf(state)
  const name = (end: string): string => `${boundSecretPrefix(job)}${end}`
  const slot = (number: number): string => createHash('sha256').update(`${key} ${number}`).digest('hex').slice(0, 16)
  return [name(key), name(slot(1)), name(slot(2))]
}

/** Of the names one that no credential has, or else that of the one that is dead first: never of the one in use. */
export function nextSecretName(names: readonly string[], credentials: readonly CredentialState[], inUse: CredentialState): string {
  const endOf = (name: string): number => Date.parse(credentials.find(({ boundSecret }) => boundSecret?.name === name)?.deadBy ?? '') || 0
  return names.filter((name) => name !== inUse.boundSecret?.name).reduce((first, name) => (endOf(name) < endOf(first) ? name : first))
}

/** What its token is known by. */
export function tokenId({ boundSecret, jti }: CredentialState): string {
  return jti ?? boundSecret?.name ?? ''
}

/** Whether the token with these claims belongs to the credential. Before Kubernetes 1.30 a token has no id, but its own Secret. */
export function isTokenOf({ boundSecret, jti }: CredentialState, claims: Jwt['claims']): boolean {
  if (boundSecret === undefined || claims['jti'] !== jti) return false
  if (jti !== undefined) return true
  const { name, uid } = boundSecretClaim(claims)
  return name === boundSecret.name && (boundSecret.uid === undefined || uid === boundSecret.uid)
}

/** Whether a token can live that is dead by then, by a clock that may not be ours. */
export function mayLive(deadBy: string): boolean {
  return Date.parse(deadBy) + MAX_CLOCK_SKEW_MS > Date.now()
}

/** When the last token of these is dead in any case; null when there is none. */
export function latestDeadBy(credentials: readonly CredentialState[]): string | null {
  const ends = credentials.filter(({ phase }) => phase === 'token').map((credential) => credential.deadBy)
  return ends.toSorted((one, other) => Date.parse(one) - Date.parse(other)).at(-1) ?? null
}

/** Nothing of it exists. */
export function isEmpty({ credentials }: RunState): boolean {
  return credentials.every(({ phase }) => phase === 'nothing')
}

/** What the scan's processes carry in their environment, so that all of them are found. */
export function trackingIdOf(state: RunState): string {
  return basename(state.directory).slice(DIRECTORY_PREFIX.length)
}

/** One for each name, and one that is bound to nothing. */
export const MAX_CREDENTIALS = 4
/** So far the clock of an API server may be from ours. */
const MAX_CLOCK_SKEW_MS = 600_000
const DIRECTORY_PREFIX = 'kubepass-'
