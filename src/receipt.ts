import { randomBytes } from 'node:crypto'
import { basename, join } from 'node:path'
import { isoTime, OVERRUN_S } from './credential.ts'
import type { Options } from './options.ts'

/** The run that a credential belongs to, as the anchor's labels and the audit log tell it. */
export interface Run {
  readonly platform: 'github' | 'gitlab' | 'terminal'
  readonly id: string
  readonly attempt: string
  readonly job: string
  readonly repository: string
}

/** The names needed to revoke, saved before the first object is created. No secret in it. Times are ISO 8601. */
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
  /** The server has accepted the token: only then does a refusal prove anything. */
  readonly accepted?: boolean
  readonly revokedAt?: string
  readonly provenAt?: string
  /** The API server refused before anything existed. */
  readonly nothingIssued?: true
}

export function newReceipt(options: Options, run: Run, now = Date.now()): Receipt {
  const random = randomBytes(8).toString('hex')
  return {
    version: 1,
    server: options.server.href,
    namespace: options.serviceAccount.namespace,
    anchor: { name: `${anchorPrefix(run)}${random}` },
    directory: join(options.directory, `${DIRECTORY_PREFIX}${random}`),
    deadBy: isoTime(Math.ceil(now / 1000) + options.duration + OVERRUN_S),
  }
}

/** Every anchor of a run's attempt begins with this, and no other does. */
export function anchorPrefix(run: Run): string {
  return `kubepass-${nameable(run.id)}-${nameable(run.attempt)}-`
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
    value = JSON.parse(text) as Partial<Receipt>
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value?.version !== 1) return undefined
  const { server, namespace, anchor, directory, deadBy, jti, revokedAt, provenAt } = value
  if (![server, namespace, directory, deadBy].every((field) => typeof field === 'string')) return undefined
  if (![jti, revokedAt, provenAt].every((field) => field === undefined || typeof field === 'string')) return undefined
  if (anchor !== undefined) {
    const { name, uid } = anchor
    if (typeof name !== 'string' || !name.startsWith(prefix) || !/^[0-9a-f]{16}$/.test(name.slice(prefix.length))) return undefined
    if (uid !== undefined && typeof uid !== 'string') return undefined
  }
  if (!/\/kubepass-[0-9a-f]{16}$/.test(directory ?? '') || Number.isNaN(Date.parse(deadBy ?? ''))) return undefined
  return value as Receipt
}

/** A part of an object's name: lower-case letters, digits and dashes. */
function nameable(text: string): string {
  return (
    text
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 40) || '0'
  )
}
