import { randomBytes } from 'node:crypto'
import { basename, join } from 'node:path'
import { isoTime, OVERRUN_S } from './credential.ts'
import { newEvidence, type Evidence } from './evidence.ts'
import { anchorPrefix, type Run } from './job.ts'
import type { Options } from './options.ts'

/** What is needed to finish a run, and to tell of it; saved before anything can exist. No secret in it. Times are ISO 8601. */
export interface Receipt {
  readonly version: 1
  readonly server: string
  readonly namespace: string
  /** Undefined when the token is bound to nothing. */
  readonly anchor: { readonly name: string; readonly uid?: string } | undefined
  readonly directory: string
  /** The most that may exist on the cluster: a call whose answer was lost may have taken effect. */
  readonly reached: 'nothing' | 'anchor' | 'token'
  /** The latest moment at which the API server can still accept the token. */
  readonly deadBy: string
  readonly jti?: string
  readonly evidence: Evidence
}

/** @param key ends the names of anchor and directory */
export function newReceipt(options: Options, run: Run, key = randomBytes(8).toString('hex'), now = Date.now()): Receipt {
  return {
    version: 1,
    server: options.server,
    namespace: options.serviceAccount.namespace,
    anchor: { name: `${anchorPrefix(run)}${key}` },
    directory: join(options.directory, `${DIRECTORY_PREFIX}${key}`),
    reached: 'nothing',
    deadBy: isoTime(Math.ceil((now + options.deadline) / 1000) + options.duration + OVERRUN_S),
    evidence: newEvidence(options, run),
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
  const { server, namespace, anchor, directory, reached, deadBy, jti, evidence } = value
  const good =
    typeof server === 'string' &&
    typeof namespace === 'string' &&
    typeof directory === 'string' &&
    /\/kubepass-[0-9a-f]{16}$/.test(directory) &&
    ['nothing', 'anchor', 'token'].includes(reached ?? '') &&
    isTime(deadBy) &&
    isAnchor(anchor, prefix) &&
    (jti === undefined || (typeof jti === 'string' && /^[\w.-]{1,200}$/.test(jti))) &&
    isEvidence(evidence)
  return good ? (value as Receipt) : undefined
}

/** As much of it as is acted on or shown; the rest is quoted wherever it goes. */
function isEvidence(value: Partial<Evidence> | null | undefined): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { granted, verified, used, revoked, proven, dead_by, warnings } = value
  return (
    (granted === null || (isTime(granted?.issued_at) && isTime(granted?.expires_at))) &&
    (verified === null || isTime(verified?.at)) &&
    (used === null || isTime(used?.started_at)) &&
    (revoked === null || isTime(revoked?.at)) &&
    (proven === null || (isTime(proven?.dead_at) && [proven?.samples, proven?.seconds_after_revocation].every(Number.isFinite))) &&
    (dead_by === null || isTime(dead_by)) &&
    Array.isArray(warnings)
  )
}

function isAnchor(anchor: Receipt['anchor'] | null, prefix: string): boolean {
  if (anchor === undefined) return true
  if (anchor === null) return false
  const { name, uid } = anchor
  if (typeof name !== 'string' || !name.startsWith(prefix) || !/^[0-9a-f]{16}$/.test(name.slice(prefix.length))) return false
  return uid === undefined || typeof uid === 'string'
}

function isTime(text: unknown): boolean {
  return typeof text === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/.test(text) && !Number.isNaN(Date.parse(text))
}
