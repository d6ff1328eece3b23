import { readFileSync } from 'node:fs'
import type { ClusterInfo } from './cluster.ts'
import { claimsOf } from './token.ts'

/** The fields of an audit event that tests use. https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/ */
export interface AuditEvent {
  stage: string
  verb: string
  requestURI: string
  userAgent?: string
  user: { extra?: Record<string, string[]> }
  objectRef?: { resource?: string; subresource?: string; namespace?: string; name?: string; apiGroup?: string; apiVersion?: string }
  responseStatus?: { code?: number }
  requestReceivedTimestamp: string
  stageTimestamp: string
}

/** The audit events of all requests with this token. The API server must put the id of a token into its audit log. */
export function auditEventsOf(info: ClusterInfo, token: string): AuditEvent[] {
  const id = `JTI=${String(claimsOf(token)['jti'])}`
  return readFileSync(info.auditLog, 'utf8')
    .split('\n')
    .filter((line) => line.includes(id))
    .map((line) => JSON.parse(line) as AuditEvent)
    .filter(({ user }) => user.extra?.['authentication.kubernetes.io/credential-id']?.includes(id))
}
