import type { Evidence, Granted } from './evidence.ts'
import { type Issued, MOST_CREDENTIALS, type Receipt } from './run-state.ts'

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
  const { server, namespace, directory, credentials, evidence } = value
  const good =
    typeof server === 'string' &&
    typeof namespace === 'string' &&
    typeof directory === 'string' &&
    /\/kubepass-[0-9a-f]{16}$/.test(directory) &&
    Array.isArray(credentials) &&
    credentials.length <= MOST_CREDENTIALS &&
    credentials.every((credential: Partial<Issued> | null) => isIssued(credential, prefix)) &&
    isEvidence(evidence)
  return good ? (value as Receipt) : undefined
}

function isIssued(value: Partial<Issued> | null, prefix: string): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { anchor, reached, deadBy, jti, revoked } = value
  return (
    isAnchor(anchor, prefix) &&
    ['nothing', 'anchor', 'token'].includes(reached ?? '') &&
    isTime(deadBy) &&
    (jti === undefined || (typeof jti === 'string' && /^[\w.-]{1,200}$/.test(jti))) &&
    (revoked === undefined || isTime(revoked))
  )
}

/** As much of it as is acted on or shown; the rest is quoted wherever it goes. */
function isEvidence(value: Partial<Evidence> | null | undefined): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { granted, renewed, verified, used, revoked, proven, dead_by, warnings } = value
  return (
    (granted === null || isGranted(granted)) &&
    Array.isArray(renewed) &&
    renewed.every(isGranted) &&
    (verified === null || isTime(verified?.at)) &&
    (used === null || isTime(used?.started_at)) &&
    (revoked === null || isTime(revoked?.at)) &&
    (proven === null || (isTime(proven?.dead_at) && [proven?.samples, proven?.seconds_after_revocation].every(Number.isFinite))) &&
    (dead_by === null || isTime(dead_by)) &&
    Array.isArray(warnings)
  )
}

function isGranted(value: Partial<Granted> | null | undefined): boolean {
  return typeof value === 'object' && value !== null && isTime(value.issued_at) && isTime(value.expires_at)
}

function isAnchor(anchor: Issued['anchor'] | null, prefix: string): boolean {
  if (anchor === undefined) return true
  if (anchor === null) return false
  const { name, uid } = anchor
  if (typeof name !== 'string' || !name.startsWith(prefix) || !/^[0-9a-f]{16}$/.test(name.slice(prefix.length))) return false
  return uid === undefined || typeof uid === 'string'
}

function isTime(text: unknown): boolean {
  return typeof text === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/.test(text) && !Number.isNaN(Date.parse(text))
}
