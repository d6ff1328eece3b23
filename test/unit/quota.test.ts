import { expect, test } from '@jest/globals'
import type { V1Status } from '@kubernetes/client-node'
import { isCountedElsewhere, isRefusedByQuota, quotaHint } from '../../src/kube/quota.ts'

const statusOf = (code: number, reason: string, message: string, kind = 'secrets'): V1Status => ({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  reason,
  message,
  code,
  details: { name: 'x', kind },
})
const EXCEEDED = 'secrets "x" is forbidden: exceeded quota: q, requested: count/secrets=1, used: count/secrets=2, limited: count/secrets=2'
const UNCOUNTED = 'secrets "x" is forbidden: status unknown for quota: q, resources: count/secrets'

test.each<[string, string, RegExp]>([
  [
    'used up',
    EXCEEDED,
    /^The quota of namespace "scans" is used up\.[^]*\nkubectl .* \| npx kubepass sweep --server https:\/\/a .* scans\/scanner /,
  ],
  ['used up, with the older resource name', EXCEEDED.replaceAll('count/', ''), /is used up/],
  ['not counted', UNCOUNTED, /not counted the Secrets/],
])('a 403 by a ResourceQuota gets a hint of its own: %s', (_name, message, hint) => {
  const status = statusOf(403, 'Forbidden', message)
  expect(quotaHint(status, 'scans', 'https://a')).toMatch(hint)
  expect(isRefusedByQuota(status)).toBe(true)
})

test('a 403 by RBAC is not taken for a 403 by a ResourceQuota', () => {
  const status = statusOf(403, 'Forbidden', 'secrets is forbidden: User "x" cannot create resource "secrets"')
  expect(quotaHint(status, 'scans', 'https://a')).toBeUndefined()
  expect(isRefusedByQuota(status)).toBe(false)
  expect(isRefusedByQuota(statusOf(500, 'InternalError', EXCEEDED))).toBe(false)
})

test("a conflict in a quota's count is not taken for a name that exists", () => {
  expect(isCountedElsewhere(statusOf(409, 'Conflict', 'x', 'resourcequotas'))).toBe(true)
  expect(isCountedElsewhere(statusOf(409, 'AlreadyExists', 'x', 'secrets'))).toBe(false)
  expect(isCountedElsewhere(statusOf(409, 'Conflict', 'x', 'secrets'))).toBe(false)
  expect(isCountedElsewhere(statusOf(403, 'Conflict', 'x', 'resourcequotas'))).toBe(false)
})
