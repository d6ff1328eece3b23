import { randomBytes } from 'node:crypto'
import { basename, join } from 'node:path'
import { isoTime, OVERRUN_S } from './credential.ts'
import type { Evidence } from './evidence.ts'
import { anchorPrefix, type Run } from './job.ts'
import type { Options } from './options.ts'

/** What is needed to revoke, and to tell of it, saved before the first object is created. No secret in it. Times are ISO 8601. */
export interface Receipt {
  readonly version: 1
  readonly server: string
  readonly namespace: string
  /** Undefined when the token is bound to nothing. */
  readonly anchor: { readonly name: string; readonly uid?: string } | undefined
  readonly directory: string
  /** The latest moment at which the API server can still accept the token. */
  readonly deadBy: string
  readonly jti?: string
  readonly granted?: NonNullable<Evidence['granted']>
  /** The server has accepted the token: only then does a refusal prove anything. */
  readonly verified?: NonNullable<Evidence['verified']>
  readonly revokedAt?: string
  readonly proof?: NonNullable<Evidence['proven']>
  /** The scan has been started: processes of it may be left. */
  readonly scanning?: true
  /** The API server refused before anything existed. */
  readonly nothingIssued?: true
  /** Nothing is left to be done. */
  readonly over?: true
}

export function newReceipt(options: Options, run: Run, now = Date.now()): Receipt {
  const random = randomBytes(8).toString('hex')
  return {
    version: 1,
    server: options.server,
    namespace: options.serviceAccount.namespace,
    anchor: { name: `${anchorPrefix(run)}${random}` },
    directory: join(options.directory, `${DIRECTORY_PREFIX}${random}`),
    deadBy: isoTime(Math.ceil((now + options.deadline) / 1000) + options.duration + OVERRUN_S),
  }
}

/** What the scan's processes carry in their environment, so that all of them are found. */
export function markerOf(receipt: Receipt): string {
  return basename(receipt.directory).slice(DIRECTORY_PREFIX.length)
}

const DIRECTORY_PREFIX = 'kubepass-'

/**
 * Text of a state or a file as a receipt; undefined when it is none, or names what `run` cannot own: the
 * scan can write where receipts are kept.
 */
export function parseReceipt(text: string, prefix: string): Receipt | undefined {
  let value: Partial<Receipt> | null
  try {
    value = JSON.parse(text) as Partial<Receipt> | null
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value?.version !== 1) return undefined
  const { server, namespace, anchor, directory, deadBy, jti, granted, verified, revokedAt, proof } = value
  const good =
    typeof server === 'string' &&
    typeof namespace === 'string' &&
    typeof directory === 'string' &&
    /\/kubepass-[0-9a-f]{16}$/.test(directory) &&
    isTime(deadBy) &&
    isAnchor(anchor, prefix) &&
    (jti === undefined || (typeof jti === 'string' && /^[\w.-]{1,200}$/.test(jti))) &&
    (granted === undefined ||
      (isTime(granted.issued_at) && isTime(granted.expires_at) && [granted.credential_id, granted.bound_to].every(isTextOrNull))) &&
    (verified === undefined || (isTime(verified.at) && isTextOrNull(verified.username))) &&
    (revokedAt === undefined || isTime(revokedAt)) &&
    (proof === undefined || (isTime(proof.dead_at) && [proof.samples, proof.seconds_after_revocation].every(Number.isFinite)))
  return good ? (value as Receipt) : undefined
}

function isAnchor(anchor: Receipt['anchor'], prefix: string): boolean {
  if (anchor === undefined) return true
  const { name, uid } = anchor
  if (typeof name !== 'string' || !name.startsWith(prefix) || !/^[0-9a-f]{16}$/.test(name.slice(prefix.length))) return false
  return uid === undefined || typeof uid === 'string'
}

function isTime(text: unknown): boolean {
  return typeof text === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/.test(text) && !Number.isNaN(Date.parse(text))
}

function isTextOrNull(value: unknown): boolean {
  return value === null || typeof value === 'string'
}
