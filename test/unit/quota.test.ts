import { expect, test } from '@jest/globals'
import { isCountedElsewhere, quotaHint } from '../../src/kube/quota.ts'

const answer = (status: number, reason: string, message: string, kind = 'secrets'): Parameters<typeof quotaHint>[0] => ({
  status,
  body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, message, code: status, details: { name: 'x', kind } },
  warnings: [],
  mayHaveActed: false,
})
const EXCEEDED = 'secrets "x" is forbidden: exceeded quota: q, requested: count/secrets=1, used: count/secrets=2, limited: count/secrets=2'

test.each<[string, ReturnType<typeof answer>, RegExp | undefined]>([
  [
    'full',
    answer(403, 'Forbidden', EXCEEDED),
    /^The namespace "scans" is full\.[^]*\nkubectl .* \| kubepass sweep --server https:\/\/a .* scans\/scanner /,
  ],
  ['full, by the older name', answer(403, 'Forbidden', EXCEEDED.replaceAll('count/', '')), /is full/],
  [
    'not counted',
    answer(403, 'Forbidden', 'secrets "x" is forbidden: status unknown for quota: q, resources: count/secrets'),
    /not counted the Secrets/,
  ],
  ['a missing right', answer(403, 'Forbidden', 'secrets is forbidden: User "x" cannot create resource "secrets"'), undefined],
  ['another code', answer(500, 'InternalError', EXCEEDED), undefined],
  ['no Status', { status: 403, body: `<p>${EXCEEDED}</p>`, warnings: [], mayHaveActed: false }, undefined],
])('a refusal by a quota: %s', (_name, given, hint) => {
  const found = quotaHint(given, 'scans', 'https://a')
  if (hint === undefined) expect(found).toBeUndefined()
  else expect(found).toMatch(hint)
})

test('a quota that was counted elsewhere is told from a name that is taken', () => {
  expect(isCountedElsewhere(answer(409, 'Conflict', 'x', 'resourcequotas'))).toBe(true)
  expect(isCountedElsewhere(answer(409, 'AlreadyExists', 'x', 'secrets'))).toBe(false)
  expect(isCountedElsewhere(answer(409, 'Conflict', 'x', 'secrets'))).toBe(false)
  expect(isCountedElsewhere(answer(403, 'Conflict', 'x', 'resourcequotas'))).toBe(false)
})
