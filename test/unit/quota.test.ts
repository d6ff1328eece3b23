import { expect, test } from '@jest/globals'
import type { V1Status } from '@kubernetes/client-node'
import { isCountedElsewhere, isRefusedByQuota, quotaHint } from '../../src/kube/quota.ts'

const said = (code: number, reason: string, message: string, kind = 'secrets'): V1Status => ({
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
  ['full', EXCEEDED, /^The namespace "scans" is full\.[^]*\nkubectl .* \| npx kubepass sweep --server https:\/\/a .* scans\/scanner /],
  ['full, by the older name', EXCEEDED.replaceAll('count/', ''), /is full/],
  ['not counted', UNCOUNTED, /not counted the Secrets/],
])('a refusal by a quota: %s', (_name, message, hint) => {
  const status = said(403, 'Forbidden', message)
  expect(quotaHint(status, 'scans', 'https://a')).toMatch(hint)
  expect(isRefusedByQuota(status)).toBe(true)
})

test('another refusal is not one by a quota', () => {
  const status = said(403, 'Forbidden', 'secrets is forbidden: User "x" cannot create resource "secrets"')
  expect(quotaHint(status, 'scans', 'https://a')).toBeUndefined()
  expect(isRefusedByQuota(status)).toBe(false)
  expect(isRefusedByQuota(said(500, 'InternalError', EXCEEDED))).toBe(false)
})

test('a quota that was counted elsewhere is told from a name that is taken', () => {
  expect(isCountedElsewhere(said(409, 'Conflict', 'x', 'resourcequotas'))).toBe(true)
  expect(isCountedElsewhere(said(409, 'AlreadyExists', 'x', 'secrets'))).toBe(false)
  expect(isCountedElsewhere(said(409, 'Conflict', 'x', 'secrets'))).toBe(false)
  expect(isCountedElsewhere(said(403, 'Conflict', 'x', 'resourcequotas'))).toBe(false)
})
