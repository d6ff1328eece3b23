import { describe, expect, test } from '@jest/globals'
import type { Options } from '../../src/config/options.ts'
import type { CredentialState, EndPhase, LivePhase, Slot } from '../../src/state/credential-state.ts'
import { toEvidence } from '../../src/state/evidence.ts'
import { reduce, type CredentialEvent, type RunEvent } from '../../src/state/run-events.ts'
import { newRunState, type RunState } from '../../src/state/run-state.ts'

const time = '2026-01-01T00:00:00Z'
const later = '2026-01-01T00:01:00Z'
const token = { jti: 'a', issuedAt: time, expiresAt: '2026-01-01T00:15:00Z' }
const acceptance = { at: time, username: 'x' }
const proof = { at: time, samples: 3, seconds: 1 }
const job = {
  platform: 'github',
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
const options = { server: 'https://10.0.0.1', serviceAccount: { namespace: 'kubepass', name: 'scanner' }, directory: '/tmp' } as Options
const empty = newRunState(options, job)
const access = { ended_at: time, streams_cut: 1, requests: 0, unauthenticated: 2, uses: [], not_listed: 0 }

const secretCreated: LivePhase = { phase: 'secret-created', uid: 'u' }
const issued: LivePhase = { phase: 'issued', uid: 'u', token }
const PHASES = {
  planned: { phase: 'planned' },
  'secret-requested': { phase: 'secret-requested' },
  'secret-created': secretCreated,
  'token-requested': { phase: 'token-requested', uid: 'u' },
  issued,
  'deletion-requested': { phase: 'deletion-requested', last: issued },
  revoked: { phase: 'revoked', last: issued, at: time },
  absent: { phase: 'absent', last: issued },
} satisfies Record<string, LivePhase | EndPhase>
type PhaseName = keyof typeof PHASES

const at = (phase: LivePhase | EndPhase, slot: Slot = 0): CredentialState => ({ number: 1, slot, deadBy: time, ...phase })
const stateWith = (...credentials: CredentialState[]): RunState => ({ ...empty, lastNumber: credentials.length, credentials })
const after = (phase: LivePhase | EndPhase, event: CredentialEvent, slot?: Slot): CredentialState | undefined =>
  reduce(stateWith(at(phase, slot)), event).credentials[0]

type Change = Exclude<CredentialEvent['type'], 'SecretRequested' | 'CredentialForgotten'>
/** For each event the phases that it fits, each with the phase after it. */
const TABLE: { readonly [T in Change]: [event: Extract<CredentialEvent, { type: T }>, Partial<Record<PhaseName, object>>] } = {
  SecretForbidden: [{ type: 'SecretForbidden', number: 1 }, { 'secret-requested': { phase: 'planned', slot: 'unbound' } }],
  SecretCreated: [{ type: 'SecretCreated', number: 1, uid: 'u' }, { 'secret-requested': secretCreated }],
  TokenRequested: [{ type: 'TokenRequested', number: 1 }, { 'secret-created': { phase: 'token-requested', uid: 'u' } }],
  TokenIssued: [{ type: 'TokenIssued', number: 1, token, deadBy: 'later' }, { 'token-requested': { ...issued, deadBy: 'later' } }],
  TokenAccepted: [{ type: 'TokenAccepted', number: 1, acceptance }, { issued: { ...issued, acceptance } }],
  RequestHadNoEffect: [
    { type: 'RequestHadNoEffect', number: 1 },
    { 'secret-requested': { phase: 'planned' }, 'token-requested': secretCreated },
  ],
  CredentialReplaced: [{ type: 'CredentialReplaced', number: 1, revokeAt: time }, { issued: { ...issued, revokeAt: time } }],
  DeletionRequested: [
    { type: 'DeletionRequested', number: 1 },
    {
      planned: { phase: 'deletion-requested', last: { phase: 'planned' } },
      'secret-requested': { phase: 'deletion-requested', last: { phase: 'secret-requested' } },
      'secret-created': { phase: 'deletion-requested', last: secretCreated },
      'token-requested': { phase: 'deletion-requested', last: { phase: 'token-requested', uid: 'u' } },
      issued: { phase: 'deletion-requested', last: issued },
      'deletion-requested': { phase: 'deletion-requested', last: issued },
      absent: { phase: 'deletion-requested', last: issued },
    },
  ],
  DeletionHadNoEffect: [{ type: 'DeletionHadNoEffect', number: 1 }, { 'deletion-requested': issued }],
  SecretDeleted: [
    { type: 'SecretDeleted', number: 1, at: time },
    {
      planned: { phase: 'revoked', last: { phase: 'planned' }, at: time },
      'secret-requested': { phase: 'revoked', last: { phase: 'secret-requested' }, at: time },
      'secret-created': { phase: 'revoked', last: secretCreated, at: time },
      'token-requested': { phase: 'revoked', last: { phase: 'token-requested', uid: 'u' }, at: time },
      issued: { phase: 'revoked', last: issued, at: time },
      'deletion-requested': { phase: 'revoked', last: issued, at: time },
      absent: { phase: 'revoked', last: issued, at: time },
    },
  ],
  RevokedSecretDeleted: [
    { type: 'RevokedSecretDeleted', number: 1, at: later },
    { revoked: { phase: 'revoked', last: issued, at: later } },
  ],
  SecretNotFound: [{ type: 'SecretNotFound', number: 1 }, { 'deletion-requested': { phase: 'absent', last: issued } }],
  TokenProvenDead: [
    { type: 'TokenProvenDead', number: 1, proof },
    { revoked: { phase: 'revoked', last: issued, at: time, proof }, absent: { phase: 'absent', last: issued, proof } },
  ],
  TokenStillAccepted: [
    { type: 'TokenStillAccepted', number: 1 },
    { revoked: issued, absent: issued },
  ],
}

describe.each(Object.entries(TABLE))('%s', (_type, [event, fitting]) => {
  test.each(Object.keys(PHASES) as PhaseName[])('in phase %s', (name) => {
    const expected = fitting[name]
    if (expected === undefined) expect(() => after(PHASES[name], event)).toThrow(`the event ${event.type} does not fit`)
    else expect(after(PHASES[name], event)).toEqual({ number: 1, slot: 0, deadBy: time, ...expected })
  })
})

test('a credential that was alive although the state called it revoked voids the proofs of all credentials', () => {
  const dead: LivePhase | EndPhase = { phase: 'revoked', last: { phase: 'issued', token }, at: time, proof }
  const credentials = [1, 2].map((number) => ({ ...at(dead), number }))
  const { credentials: left } = reduce({ ...stateWith(at(dead)), credentials }, { type: 'RevokedSecretDeleted', number: 1, at: later })
  expect(left.map((each) => 'proof' in each)).toEqual([false, false])
})

test('a token that is bound to nothing is requested without a Secret', () => {
  expect(after({ phase: 'planned' }, { type: 'TokenRequested', number: 1 }, 'unbound')).toMatchObject({ phase: 'token-requested' })
  expect(after({ phase: 'token-requested' }, { type: 'RequestHadNoEffect', number: 1 }, 'unbound')).toMatchObject({ phase: 'planned' })
})

test.each<[string, RunEvent]>([
  ['an event of no credential', { type: 'TokenAccepted', number: 2, acceptance }],
  ['a credential whose number is not the next', { type: 'SecretRequested', number: 3, slot: 1, deadBy: time }],
  ['a credential in a slot that is taken', { type: 'SecretRequested', number: 2, slot: 0, deadBy: time }],
  ['the isolation of a scan that did not start', { type: 'ScanStarted', isolation: { isolated: true, why_not: null, as_root: false } }],
  ['the end of a scan that did not start', { type: 'ScanEnded', at: time, exitCode: 0, signal: null, isAccepted: true }],
])('%s does not fit', (_what, event) => {
  expect(() => reduce(stateWith(at(issued)), event)).toThrow('does not fit')
})

const issuer = { username: 'system:serviceaccount:kubepass-issuer:issuer', credential_id: null }
const apiServer = { version: 'v1.36.0', ca_sha256: null }
test.each<[RunEvent, object]>([
  [{ type: 'ProgramRead', programSha256: 'c' }, { program_sha256: 'c' }],
  [{ type: 'IssuerSeen', issuer }, { issuer }],
  [{ type: 'ApiServerSeen', apiServer }, { api_server: apiServer }],
])('the event %j is a fact of the evidence, and does not fit twice', (event, expected) => {
  const once = reduce(empty, event)
  expect(toEvidence(once)).toEqual({ ...toEvidence(empty), ...expected })
  expect(() => reduce(once, event)).toThrow(`the event ${event.type} does not fit`)
})

test('the evidence has the job, and null for each fact that was not seen', () => {
  expect(toEvidence(empty)).toMatchObject({
    run: job,
    issuer: null,
    api_server: { version: null, ca_sha256: null },
    command_sha256: null,
    program_sha256: null,
  })
  expect(toEvidence(newRunState({ ...options, commandSha256: 'b' }, job)).command_sha256).toBe('b')
})

test('an event changes its own credential only, and no state that was seen before', () => {
  const before = stateWith(at(issued), { ...at(issued, 1), number: 2 })
  const copy = structuredClone(before)
  const result = reduce(before, { type: 'DeletionRequested', number: 2 })
  expect(before).toEqual(copy)
  expect(result.credentials[0]).toBe(before.credentials[0])
  expect(result.credentials[1]).toMatchObject({ phase: 'deletion-requested' })
})

test('a warning is kept once', () => {
  const once = reduce(empty, { type: 'Warned', text: 'a' })
  expect(reduce(reduce(once, { type: 'Warned', text: 'b' }), { type: 'Warned', text: 'a' }).warnings).toEqual(['a', 'b'])
})

test.each<[string, readonly RunEvent[], object]>([
  [
    'the end of the scan',
    [
      { type: 'ScanStarting', at: time },
      { type: 'ScanEnded', at: time, exitCode: 100, signal: null, isAccepted: true },
    ],
    { used: { exit_code: 100, accepted: true } },
  ],
  ['a scan that runs', [{ type: 'ScanStarting', at: time }], { used: { exit_code: null, accepted: null } }],
  ['the reason of an error', [{ type: 'Failed', code: 'REFUSED', reason: 'why' }], { error: 'REFUSED', error_reason: 'why' }],
  [
    'the last error',
    [
      { type: 'Failed', code: 'TIMEOUT', reason: 'one' },
      { type: 'Failed', code: 'INTERRUPTED', reason: 'two' },
    ],
    { error: 'INTERRUPTED', earlier_error: null, error_reason: 'two' },
  ],
  [
    'a failed revocation and the error before it',
    [
      { type: 'Failed', code: 'TAMPERED', reason: 'One.' },
      { type: 'Failed', code: 'NOT_REVOKED', reason: 'Two.' },
    ],
    { error: 'NOT_REVOKED', earlier_error: 'TAMPERED', error_reason: 'Two. Before that: TAMPERED: One.' },
  ],
  [
    'the error before two failed revocations',
    [
      { type: 'Failed', code: 'TIMEOUT', reason: 'One.' },
      { type: 'Failed', code: 'NOT_REVOKED', reason: 'Two.' },
      { type: 'Failed', code: 'NOT_REVOKED', reason: 'Three.' },
    ],
    { error: 'NOT_REVOKED', earlier_error: 'TIMEOUT', error_reason: 'Three. Before that: TIMEOUT: One.' },
  ],
  [
    'the first error, although a defect and another failed revocation follow',
    [
      { type: 'Failed', code: 'TAMPERED', reason: 'One.' },
      { type: 'Failed', code: 'NOT_REVOKED', reason: 'Two.' },
      { type: 'Failed', code: 'INTERNAL', reason: 'Three.' },
      { type: 'Failed', code: 'NOT_REVOKED', reason: 'Four.' },
    ],
    { error: 'NOT_REVOKED', earlier_error: 'TAMPERED', error_reason: 'Four. Before that: TAMPERED: One.' },
  ],
  [
    'no earlier error after a failed revocation alone',
    [
      { type: 'Failed', code: 'NOT_REVOKED', reason: 'one' },
      { type: 'Failed', code: 'NOT_REVOKED', reason: 'two' },
    ],
    { error: 'NOT_REVOKED', earlier_error: null, error_reason: 'two' },
  ],
  [
    'the beginnings of two reasons that are too long together',
    [
      { type: 'Failed', code: 'TAMPERED', reason: 'x'.repeat(500) },
      { type: 'Failed', code: 'NOT_REVOKED', reason: 'y'.repeat(500) },
    ],
    { error_reason: `${'y'.repeat(249)}… Before that: TAMPERED: ${'x'.repeat(225)}…` },
  ],
  ['that another process finishes the run', [{ type: 'RecoveryBegun' }], { recovered: true }],
  [
    'that the scan has access, and not yet how it used it',
    [{ type: 'AccessOpened' }],
    { api_access: { ended_at: null, streams_cut: 0, requests: null, unauthenticated: 0, uses: [], not_listed: 0 } },
  ],
  ['the end of the access', [{ type: 'AccessOpened' }, { type: 'AccessEnded', access }], { api_access: access }],
  ['that the scan had no access through the API proxy', [{ type: 'CleanedUp', proofLeftToPost: false }], { api_access: null }],
  ['that later steps have the credential', [{ type: 'DeliveredToLaterSteps' }], { delivered_to_later_steps: true }],
  ['a finished cleanup', [{ type: 'CleanedUp', proofLeftToPost: true }], { finished: true }],
])('the evidence shows %s of the events', (_what, events, expected) => {
  expect(toEvidence(events.reduce(reduce, empty))).toMatchObject(expected)
})

/** Acquires a credential and forgets it again after its revocation. */
function past(state: RunState, number: number, forget = true): RunState {
  const events: RunEvent[] = [
    { type: 'SecretRequested', number, slot: ((number - 1) % 3) as Slot & number, deadBy: time },
    { type: 'SecretCreated', number, uid: 'u' },
    { type: 'TokenRequested', number },
    { type: 'TokenIssued', number, token: { ...token, jti: `id-${number}` }, deadBy: time },
    { type: 'SecretDeleted', number, at: time },
  ]
  const result = events.reduce(reduce, state)
  return forget ? reduce(result, { type: 'CredentialForgotten', number }) : result
}

test('of many forgotten credentials the first and the last are listed, and the rest are counted', () => {
  let state = empty
  for (let number = 1; number <= 250; number += 1) state = past(state, number)
  const { granted, renewed, renewed_not_listed } = toEvidence(state)
  expect(granted?.credential_id).toBe('JTI=id-1')
  expect(renewed.map(({ credential_id }) => credential_id)).toEqual(Array.from({ length: 99 }, (_, index) => `JTI=id-${index + 152}`))
  expect(renewed_not_listed).toBe(150)
})

test('granted is the first credential, although a later one was forgotten before', () => {
  let state = past(past(empty, 1, false), 2)
  state = reduce(state, { type: 'CredentialForgotten', number: 1 })
  for (let number = 3; number <= 120; number += 1) state = past(state, number)
  expect(toEvidence(state).granted?.credential_id).toBe('JTI=id-1')
})

test('a forgotten credential without a token leaves nothing', () => {
  const state = reduce(stateWith(at({ phase: 'absent', last: { phase: 'secret-requested' } })), { type: 'CredentialForgotten', number: 1 })
  expect(state).toMatchObject({ credentials: [], forgotten: [] })
})

test.each(['secret-requested', 'secret-created', 'token-requested', 'issued', 'deletion-requested'] as const)(
  'a credential that is %s cannot be forgotten, unless its token is bound to nothing',
  (name) => {
    const event = { type: 'CredentialForgotten', number: 1 } as const
    expect(() => reduce(stateWith(at(PHASES[name])), event)).toThrow('does not fit')
    expect(reduce(stateWith(at(PHASES[name], 'unbound')), event).credentials).toEqual([])
  },
)

test('a forgotten token that the API server still accepts keeps the run from counting as revoked', () => {
  const state = past(past(empty, 1), 2, false)
  expect(toEvidence(state).revoked).toEqual({ at: time })
  expect(toEvidence(reduce(state, { type: 'TokenStillAccepted', number: 1 })).revoked).toBeNull()
})

test('a further DELETE does not take away the proof of a token whose Secret was absent', () => {
  const state = stateWith(at({ phase: 'absent', last: issued, proof }))
  expect(() => reduce(state, { type: 'DeletionRequested', number: 1 })).toThrow('does not fit')
})

test('a run has no more than four credentials at a time, and a bounded number of warnings', () => {
  const full = stateWith(...([1, 2, 3, 4].map((number) => ({ ...at(issued, 'unbound'), number })) satisfies CredentialState[]))
  expect(() => reduce(full, { type: 'SecretRequested', number: 5, slot: 0, deadBy: time })).toThrow('does not fit')
  const events = Array.from({ length: 1000 }, (_, index): RunEvent => ({ type: 'Warned', text: `warning ${index}` }))
  expect(events.reduce(reduce, empty).warnings).toHaveLength(500)
})

const second = (phase: LivePhase | EndPhase): CredentialState => ({ ...at(phase, 1), number: 2 })
const revoked: EndPhase = { phase: 'revoked', last: issued, at: '2026-01-01T00:01:00Z' }
const absent: EndPhase = { phase: 'absent', last: issued }
test.each<[string, CredentialState[], object]>([
  ['no credential', [], { revoked: null, missing: false, dead_by: null, granted: null, verified: null }],
  ['a token in use', [at(issued)], { revoked: null, missing: false, dead_by: time }],
  ['a revoked token', [at(revoked)], { revoked: { at: '2026-01-01T00:01:00Z' }, missing: false, dead_by: time }],
  ['a revoked token beside one in use', [at(revoked), second(issued)], { revoked: null, missing: false }],
  [
    'two revoked tokens',
    [at(revoked), second({ ...revoked, at: '2026-01-01T00:02:00Z' })],
    { revoked: { at: '2026-01-01T00:02:00Z' }, renewed: [{}] },
  ],
  ['a token whose Secret was absent', [at(absent)], { revoked: null, missing: true }],
  ['an absent Secret beside a deleted one', [at(absent), second(revoked)], { revoked: { at: '2026-01-01T00:01:00Z' }, missing: false }],
  ['a DELETE without a response', [at({ phase: 'deletion-requested', last: issued })], { revoked: null, missing: false }],
  ['a token that is bound to nothing', [at(issued, 'unbound')], { revoked: null, missing: false, granted: { bound_to: null } }],
  ['a deleted Secret without a token', [at({ ...revoked, last: secretCreated })], { revoked: null, missing: false, dead_by: null }],
  [
    'the weakest of two proofs',
    [at({ ...revoked, proof }), second({ ...revoked, proof: { ...proof, samples: 2, seconds: 9 } })],
    { proven: { dead_at: time, samples: 2, seconds_after_revocation: 9 } },
  ],
])('the evidence shows %s', (_what, credentials, expected) => {
  expect(toEvidence(stateWith(...credentials))).toMatchObject(expected)
})
