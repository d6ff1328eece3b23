import { expect, test } from '@jest/globals'
import { nextSlot, nextStep } from '../../src/lifecycle/renewal-plan.ts'
import type { CredentialState, Slot } from '../../src/state/credential-state.ts'

const minute = (number: number): string => `2026-01-01T00:${String(number).padStart(2, '0')}:00.000Z`
const credential = (number: number, slot: Slot, deadBy: string, revokeAt?: string): CredentialState => ({
  number,
  slot,
  deadBy,
  phase: 'issued',
  token: { issuedAt: minute(0), expiresAt: deadBy },
  ...(revokeAt === undefined ? {} : { revokeAt }),
})

test.each<[string, CredentialState[], number | undefined, number]>([
  ['the first slot for the first credential', [], undefined, 0],
  ['a free slot', [credential(1, 0, minute(0))], 1, 1],
  ['the last free slot', [credential(2, 1, minute(1)), credential(1, 0, minute(0))], 2, 2],
  ['the slot of the first to end', [credential(3, 2, minute(2)), credential(1, 0, minute(0)), credential(2, 1, minute(1))], 3, 0],
  ['not the slot in use, which ends first', [credential(4, 0, minute(0)), credential(2, 1, minute(1)), credential(3, 2, minute(2))], 4, 1],
  [
    'the slot that an unbound credential left',
    [credential(1, 'unbound', minute(0)), credential(2, 1, minute(1)), credential(3, 2, minute(2))],
    3,
    0,
  ],
])('the next credential gets %s', (_what, credentials, inUse, expected) => {
  expect(nextSlot(credentials, inUse)).toBe(expected)
})

const renewAt = Date.parse(minute(10))
test.each<[string, CredentialState[], number[], object]>([
  ['the renewal, with nothing else to do', [credential(1, 0, minute(15))], [], { do: 'renew', at: renewAt }],
  [
    'the revocation of a replaced one',
    [credential(1, 0, minute(15), minute(5))],
    [],
    { do: 'revoke', number: 1, at: Date.parse(minute(5)) },
  ],
  ['the renewal, before a later revocation', [credential(1, 0, minute(15), minute(11))], [], { do: 'renew' }],
  ['the first of two revocations', [credential(1, 0, minute(15), minute(6)), credential(2, 1, minute(15), minute(5))], [], { number: 2 }],
  ['no revocation that was tried', [credential(1, 0, minute(15), minute(5))], [1], { do: 'renew' }],
  ['no revocation of an unbound token', [credential(1, 'unbound', minute(15), minute(5))], [], { do: 'renew' }],
])('the next step is %s', (_what, credentials, tried, expected) => {
  expect(nextStep(credentials, renewAt, new Set(tried))).toMatchObject(expected)
})
