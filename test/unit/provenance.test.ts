import { expect, test } from '@jest/globals'
import type { Options } from '../../src/config/options.ts'
import { knownRun, withPossibleCredentials } from '../../src/lifecycle/provenance.ts'
import type { CredentialState, LivePhase } from '../../src/state/credential-state.ts'
import { newRunState, type RunState } from '../../src/state/run-state.ts'

const time = '2026-01-01T00:00:00Z'
const job = {
  platform: 'gitlab',
  id: '1',
  attempt: '1',
  job: '',
  repository: '',
  instance: '',
  actor: 'octocat',
  commit: '6dcb09b',
  ref: 'refs/heads/main',
  event: 'push',
} as const
const options = {
  server: 'https://10.0.0.1',
  serviceAccount: { namespace: 'kubepass', name: 'scanner' },
  directory: '/tmp',
  revocation: 'required',
  duration: 900,
  deadline: 60_000,
} as Options
const empty = newRunState(options, job, '0123456789abcdef')
const derived = withPossibleCredentials(empty, options)
const issued: LivePhase = { phase: 'issued', uid: 'u', token: { jti: 'a', issuedAt: time, expiresAt: time } }
const saved: RunState = { ...empty, lastNumber: 1, credentials: [{ number: 1, slot: 0, deadBy: time, ...issued }] }
const unbound = { number: 1, slot: 'unbound', deadBy: time, phase: 'token-requested' } as const satisfies CredentialState

test('a derived state has a possible token in each slot', () => {
  expect(derived.credentials.map(({ number, slot, phase }) => [number, slot, phase])).toEqual(
    ([0, 1, 2] as const).map((slot) => [slot + 1, slot, 'token-requested']),
  )
})

test.each<[string, RunState | undefined, RunState | undefined, string | undefined]>([
  ['a saved state', saved, undefined, 'saved'],
  ['nothing', undefined, undefined, undefined],
  ['the state of another server', { ...saved, server: 'https://10.0.0.2' }, undefined, undefined],
  ['the state of another namespace', { ...saved, requested: { ...saved.requested, namespace: 'x' } }, undefined, undefined],
  ['names only', undefined, derived, 'derived'],
  ['both', saved, derived, 'merged'],
  ['names, and the state of another server', { ...saved, server: 'https://10.0.0.2' }, derived, 'derived'],
  ['names, and the state of another directory', { ...saved, directory: '/tmp/kubepass-ffffffffffffffff' }, derived, 'derived'],
  ['names, and the state of another key', { ...saved, key: 'ffffffffffffffff' }, derived, 'derived'],
  ['names, and an unbound token where revocation is required', { ...saved, credentials: [unbound] }, derived, 'derived'],
])('the provenance of %s', (_what, ofSaved, ofDerived, expected) => {
  expect(knownRun(ofSaved, ofDerived, options)?.provenance).toBe(expected)
})

test('a merged state has the saved credentials without their uids, and a planned one in each other slot', () => {
  const { state } = knownRun(saved, derived, options) ?? {}
  const { uid, ...withoutUid } = issued
  expect(state?.credentials).toEqual([
    { number: 1, slot: 0, deadBy: time, ...withoutUid },
    { number: 3, slot: 1, deadBy: derived.credentials[1]?.deadBy, phase: 'planned' },
    { number: 4, slot: 2, deadBy: derived.credentials[2]?.deadBy, phase: 'planned' },
  ])
  expect(state?.lastNumber).toBe(4)
})

test.each<[string, CredentialState, object]>([
  ['a created Secret', { number: 1, slot: 0, deadBy: time, phase: 'secret-created', uid: 'u' }, { phase: 'secret-requested' }],
  [
    'a revoked credential',
    { number: 1, slot: 0, deadBy: time, phase: 'revoked', at: time, last: { phase: 'token-requested', uid: 'u' } },
    { phase: 'revoked', at: time, last: { phase: 'token-requested' } },
  ],
])('a merged state forgets the uid of %s', (_what, credential, expected) => {
  const { state } = knownRun({ ...saved, credentials: [credential] }, derived, options) ?? {}
  expect(state?.credentials[0]).toEqual({ number: 1, slot: 0, deadBy: time, ...expected })
})

test('a later process does not take a missing Secret for the effect of a DELETE that a saved state tells of', () => {
  const credential: CredentialState = { number: 1, slot: 0, deadBy: time, phase: 'deletion-requested', last: issued }
  const { state } = knownRun({ ...saved, credentials: [credential] }, undefined, options) ?? {}
  expect(state?.credentials).toEqual(saved.credentials)
})

test('where revocation is best-effort, a saved state with unbound tokens only is complete', () => {
  const only = { ...saved, credentials: [unbound] }
  expect(knownRun(only, derived, { ...options, revocation: 'best-effort' })).toEqual({ state: only, provenance: 'merged' })
})
