import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Code } from '../base/errors.ts'
import { isoTime } from '../base/time.ts'
import type { Options } from '../config/options.ts'
import type { ApiAccess } from '../rbac/used-access.ts'
import { boundSecretClaim } from '../token/claims.ts'
import type { Jwt } from '../token/jwt.ts'
import { ACCEPTED_AFTER_EXPIRY_S } from '../token/lifetime.ts'
import { acceptanceOf, tokenFactsOf, uidOf, type Acceptance, type CredentialState, type Slot, type TokenFacts } from './credential-state.ts'
import { boundSecretPrefix, type Job, type JobInfo } from './job-info.ts'

export interface IdentityInfo {
  readonly kind: string
  readonly why: string
}

/** The user of the job's own identity, in the words of the API server. */
export interface Issuer {
  readonly username: string
  /** Null where the identity has no id, or the API server does not know it. */
  readonly credential_id: string | null
}

/** Null means: not seen. */
export interface ApiServerInfo {
  readonly version: string | null
  /** Of the CA certificate at which the verified chain ends, in lower-case hex. */
  readonly ca_sha256: string | null
}

/**
 * kubepass checks the text, because the API server sends it, and because the scan can change it in the saved state. The limit is high,
 * because the user name of an ID token contains repository and ref.
 */
export function isUsername(value: unknown): value is string {
  return typeof value === 'string' && /^[^\p{Cc}]{1,1000}$/u.test(value)
}

/** As in the audit log: JTI=..., or X509SHA256=... for a client certificate. */
export function isCredentialIdOfIssuer(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Z0-9]{1,20}=[^\p{Cc}]{1,300}$/u.test(value)
}

/** For example v1.36.0-gke.1. */
export function isGitVersion(value: unknown): value is string {
  return typeof value === 'string' && /^v\d[\w.+-]{0,99}$/.test(value)
}

/** Whether the scan ran in namespaces of its own. */
export interface Isolation {
  readonly isolated: boolean
  /** Null where the scan was isolated. */
  readonly why_not: string | null
  /** Root can open all files of the machine and change most of its settings. */
  readonly as_root: boolean
}

/** An error of kubepass that ended the run. */
export interface RunError {
  readonly code: Code
  /** On one line. */
  readonly reason: string
}

export interface ScanState {
  readonly startedAt: string
  readonly end?: {
    readonly at: string
    readonly exitCode: number
    readonly signal: string | null
    /** Whether the scan ended by itself, with an exit code that counts as success. */
    readonly isAccepted: boolean
  }
}

/** A credential that needs no further care. Another one can use its slot. */
export interface ForgottenCredential {
  readonly number: number
  readonly slot: Slot
  readonly deadBy: string
  /** Undefined where the response with the token was lost. */
  readonly token?: TokenFacts
  readonly acceptance?: Acceptance
  /** The API server accepted the token although its Secret was deleted. */
  readonly isStillAccepted?: boolean
}

/**
 * All that kubepass knows of a run. The post step needs it to finish the run, and the evidence is made of it. It holds no secret.
 * Times are ISO 8601. While a run goes on, only `reduce` changes it.
 */
export interface RunState {
  readonly version: 4
  readonly job: Job
  readonly server: string
  readonly requested: {
    readonly namespace: string
    readonly name: string
    readonly durationSeconds: number
    readonly audiences: readonly string[]
  }
  /** 16 hex digits. The names of the bound Secrets follow from it, and the scan's processes carry it as tracking id. */
  readonly key: string
  /** The private directory. */
  readonly directory: string
  readonly identity: IdentityInfo | null
  readonly issuer: Issuer | null
  readonly apiServer: ApiServerInfo | null
  /** SHA-256 of the command in lower-case hex; null if the run has no command. */
  readonly commandSha256: string | null
  /** SHA-256 of the program that requests the credentials, in lower-case hex. */
  readonly programSha256: string | null
  /** The number of the newest credential; 0 before the first. */
  readonly lastNumber: number
  readonly credentials: readonly CredentialState[]
  readonly forgotten: readonly ForgottenCredential[]
  readonly forgottenNotListed: number
  readonly scan: ScanState | null
  readonly isolation: Isolation | null
  /** The record of the API proxy; null where the scan had the token, or nothing was delivered. */
  readonly apiAccess: ApiAccess | null
  readonly warnings: readonly string[]
  readonly error: Code | null
  /** The message of the error, on one line. It is null exactly where `error` is null. */
  readonly errorReason: string | null
  /** The error before a failed revocation, which `error` names. */
  readonly earlierError: RunError | null
  /** Later steps of the job can read the credential. */
  readonly deliveredToLaterSteps: boolean
  /** Main ended before its own cleanup, so that another process finished the run. So main may not have checked the end of the scan. */
  readonly recovered: boolean
  /** Whether a process went through the cleanup, whatever its result. */
  readonly cleanupAttempted: boolean
  /** The private directory still has a token, with which the post step can prove the end. */
  readonly proofLeftToPost: boolean
  /** A process has shown the whole run to people. */
  readonly reported: boolean
}

export function newRunState(options: Options, job: Job, key = randomBytes(8).toString('hex')): RunState {
  const { namespace, name } = options.serviceAccount
  return {
    version: 4,
    job,
    server: options.server,
    requested: { namespace, name, durationSeconds: options.duration, audiences: options.tokenAudiences },
    key,
    directory: join(options.directory, `kubepass-${key}`),
    identity: null,
    issuer: null,
    apiServer: null,
    commandSha256: options.commandSha256 ?? null,
    programSha256: null,
    lastNumber: 0,
    credentials: [],
    forgotten: [],
    forgottenNotListed: 0,
    scan: null,
    isolation: null,
    apiAccess: null,
    warnings: [],
    error: null,
    errorReason: null,
    earlierError: null,
    deliveredToLaterSteps: false,
    recovered: false,
    cleanupAttempted: false,
    proofLeftToPost: false,
    reported: false,
  }
}

/** The latest time at which the API server can accept a token that is requested from now on, ISO 8601. */
export function latestDeadByOfRequest(options: Pick<Options, 'deadline' | 'duration'>, now = Date.now()): string {
  return isoTime(Math.ceil((now + options.deadline) / 1000) + options.duration + ACCEPTED_AFTER_EXPIRY_S)
}

/** The names of the bound Secrets depend on nothing else. */
interface BoundSecretSource {
  readonly job: JobInfo
  readonly key: string
}

/**
 * The names that the bound Secrets of a run can have. Three credentials may exist at a time: the one in use, the one before it and
 * the next one.
 */
export function boundSecretNames({ job, key }: BoundSecretSource): readonly [string, string, string] {
  const name = (end: string): string => `${boundSecretPrefix(job)}${end}`
  const derived = (slot: number): string => createHash('sha256').update(`${key} ${slot}`).digest('hex').slice(0, 16)
  return [name(key), name(derived(1)), name(derived(2))]
}

/** Undefined where the token is bound to nothing. */
export function secretNameOf(state: BoundSecretSource, { slot }: Pick<CredentialState, 'slot'>): string | undefined {
  return slot === 'unbound' ? undefined : boundSecretNames(state)[slot]
}

/** The facts of a credential that stay when another one uses its slot. */
export function lastingFactsOf(credential: CredentialState): ForgottenCredential {
  const { number, slot, deadBy } = credential
  const [token, acceptance] = [tokenFactsOf(credential), acceptanceOf(credential)]
  return { number, slot, deadBy, ...(token && { token }), ...(acceptance && { acceptance }) }
}

/** Whether the token with these claims belongs to the credential. Before Kubernetes 1.30 a token has no id, but names its Secret. */
export function isTokenOf(state: RunState, credential: CredentialState, claims: Jwt['claims']): boolean {
  const { jti } = tokenFactsOf(credential) ?? {}
  if (credential.slot === 'unbound' || claims['jti'] !== jti) return false
  if (jti !== undefined) return true
  const { name, uid } = boundSecretClaim(claims)
  return name === secretNameOf(state, credential) && [undefined, uid].includes(uidOf(credential))
}

/** More warnings than people read. A long run must not write a state that is too long to be read again. */
export const MAX_WARNINGS = 500
/** The first and the last are listed, the others are counted. A day of 10-minute tokens has about 200. */
export const MAX_FORGOTTEN = 100
/** In characters. The log has the whole message. */
export const MAX_REASON = 500
/** One for each name, and one that is bound to nothing. */
export const MAX_CREDENTIALS = 4
