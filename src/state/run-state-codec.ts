import type { Evidence, GrantRecord } from './evidence.ts'
import { type CredentialState, MAX_CREDENTIALS, type RunState } from './run-state.ts'

/**
 * Text of a state or a file as a run state; undefined when it is none, or names what `run` cannot own: the
 * scan can write where run states are kept.
 */
export function parseRunState(text: string, prefix: string): RunState | undefined {
  let value: Partial<RunState> | null
  try {
    value = JSON.parse(text) as Partial<RunState> | null
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
    credentials.length <= MAX_CREDENTIALS &&
    credentials.every((credential: Partial<CredentialState> | null) => isCredentialState(credential, prefix)) &&
    isEvidence(evidence)
  return good ? (value as RunState) : undefined
}

function isCredentialState(value: Partial<CredentialState> | null, prefix: string): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { boundSecret, phase, deadBy, jti, revoked } = value
  return (
    isBoundSecret(boundSecret, prefix) &&
    ['nothing', 'secret', 'token'].includes(phase ?? '') &&
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
    (granted === null || isGrantRecord(granted)) &&
    Array.isArray(renewed) &&
    renewed.every(isGrantRecord) &&
    (verified === null || isTime(verified?.at)) &&
    (used === null || isTime(used?.started_at)) &&
    (revoked === null || isTime(revoked?.at)) &&
    (proven === null || (isTime(proven?.dead_at) && [proven?.samples, proven?.seconds_after_revocation].every(Number.isFinite))) &&
    (dead_by === null || isTime(dead_by)) &&
    Array.isArray(warnings)
  )
}

function isGrantRecord(value: Partial<GrantRecord> | null | undefined): boolean {
  return typeof value === 'object' && value !== null && isTime(value.issued_at) && isTime(value.expires_at)
}

function isBoundSecret(boundSecret: CredentialState['boundSecret'] | null, prefix: string): boolean {
  if (boundSecret === undefined) return true
  if (boundSecret === null) return false
  const { name, uid } = boundSecret
  if (typeof name !== 'string' || !name.startsWith(prefix) || !/^[0-9a-f]{16}$/.test(name.slice(prefix.length))) return false
  return uid === undefined || typeof uid === 'string'
}

function isTime(text: unknown): boolean {
  return typeof text === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/.test(text) && !Number.isNaN(Date.parse(text))
}
