import { expect, test } from '@jest/globals'
import type { Options } from '../../src/config/options.ts'
import { planReport, type ReportPlan, type ReportView } from '../../src/lifecycle/report-plan.ts'
import type { CredentialState, EndPhase, LivePhase } from '../../src/state/credential-state.ts'
import { reduce, type RunEvent } from '../../src/state/run-events.ts'
import { newRunState, type RunState } from '../../src/state/run-state.ts'

const time = '2026-01-01T00:00:00Z'
const job = {
  platform: 'github',
  id: '1',
  attempt: '1',
  job: '',
  repository: '',
  instance: '',
  actor: '',
  commit: '',
  ref: '',
  event: '',
} as const
const options = { server: 'https://10.0.0.1', serviceAccount: { namespace: 'kubepass', name: 'scanner' }, directory: '/tmp' } as Options
const empty = newRunState(options, job)

const issued: LivePhase = { phase: 'issued', uid: 'u', token: { issuedAt: time, expiresAt: time }, acceptance: { at: time, username: 'x' } }
const proof = { at: time, samples: 3, seconds: 1 }
const revoked: EndPhase = { phase: 'revoked', last: issued, at: time }
const proven: EndPhase = { ...revoked, proof }
const absent: EndPhase = { phase: 'absent', last: issued }
const refused: EndPhase = { phase: 'revoked', last: { phase: 'secret-created', uid: 'u' }, at: time }

function stateOf(phase: LivePhase | EndPhase | undefined, change: Partial<RunState> = {}): RunState {
  const credentials: CredentialState[] = phase === undefined ? [] : [{ number: 1, slot: 0, deadBy: time, ...phase }]
  return { ...empty, lastNumber: credentials.length, credentials, cleanupAttempted: true, ...change }
}

const unbound = stateOf(undefined, { credentials: [{ number: 1, slot: 'unbound', deadBy: time, ...issued }] })

const mains: [string, RunState, ReportPlan][] = [
  ['a proven end', stateOf(proven), 'all'],
  ['an end without a proof, which post cannot prove either', stateOf(revoked), 'all'],
  ['an absent Secret', stateOf(absent), 'all'],
  ['a token that was refused', stateOf(refused, { error: 'REFUSED', errorReason: 'no' }), 'all'],
  ['no request', stateOf(undefined, { error: 'IDENTITY', errorReason: 'no' }), 'all'],
  ['a credential that is bound to nothing', unbound, 'all'],
  ['a proof that is left to post', stateOf(revoked, { proofLeftToPost: true }), 'record'],
  ['a credential that later steps use', stateOf(issued, { cleanupAttempted: false, deliveredToLaterSteps: true }), 'record'],
  ['a failed revocation', stateOf(issued, { error: 'NOT_REVOKED', errorReason: 'no' }), 'record'],
  ['a DELETE without a response', stateOf({ phase: 'deletion-requested', last: issued }), 'record'],
  ['a Secret that may be left', stateOf({ phase: 'secret-requested' }), 'record'],
]

const mainView: Omit<ReportView, 'now'> = { before: empty, provenance: 'owner', postFollows: true }

test.each(mains)('after %s main reports what post cannot change', (_what, now, plan) => {
  expect(planReport({ ...mainView, now })).toBe(plan)
})

test.each(mains)('after %s a process without a post step reports all', (_what, now) => {
  expect(planReport({ ...mainView, now, postFollows: false })).toBe('all')
})

function cannotRevoke(state: RunState): RunState {
  return reduce(state, { type: 'Failed', code: 'NOT_REVOKED', reason: 'no' })
}

/** The ends that post can give to the state of main. */
const finishings: Record<string, (state: RunState) => RunState> = {
  'changes nothing': (state) => state,
  'revokes and proves': (state) => ({
    ...state,
    credentials: state.credentials.map(({ number, slot, deadBy }) => ({ number, slot, deadBy, ...proven })),
  }),
  'cannot revoke': cannotRevoke,
}
const cleanedUp: RunEvent = { type: 'CleanedUp', proofLeftToPost: false }

test.each(mains)('after %s exactly one of main and post writes the section', (_what, atEnd) => {
  for (const [what, finish] of Object.entries(finishings)) {
    const plan = planReport({ ...mainView, now: atEnd })
    const before = plan === 'all' ? reduce(atEnd, { type: 'Reported' }) : atEnd
    if (plan === 'all' && what !== 'changes nothing') continue
    const post = planReport({ before, now: finish(reduce(before, cleanedUp)), provenance: 'saved', postFollows: false })
    expect([what, [plan, post].filter((each) => each === 'all')]).toEqual([what, ['all']])
  }
})

test.each(mains)('after %s post writes the section of a main that was killed before it wrote the section', (_what, atEnd) => {
  for (const finish of Object.values(finishings))
    expect(planReport({ before: atEnd, now: finish(reduce(atEnd, cleanedUp)), provenance: 'saved', postFollows: false })).toBe('all')
})

test('post writes a section if the end differs from what main reported, so that a forged state hides nothing', () => {
  const before = stateOf(revoked, { reported: true })
  expect(planReport({ before, now: stateOf(proven, { reported: true }), provenance: 'saved', postFollows: false })).toBe('all')
  const failed = reduce(before, { type: 'Failed', code: 'NOT_REVOKED', reason: 'no' })
  expect(planReport({ before, now: failed, provenance: 'saved', postFollows: false })).toBe('all')
  const alive = stateOf(issued, { reported: true })
  expect(planReport({ before: alive, now: alive, provenance: 'saved', postFollows: false })).toBe('all')
})

test.each<[string, RunState, RunState, ReportPlan]>([
  ['that changes nothing', stateOf(proven), stateOf(proven), 'nothing'],
  ['that finds no Secret', stateOf(issued, { cleanupAttempted: false }), stateOf(absent), 'nothing'],
  ['that cannot revoke', stateOf(issued, { cleanupAttempted: false }), cannotRevoke(stateOf(issued)), 'nothing'],
  ['that revokes', stateOf(issued, { cleanupAttempted: false }), stateOf(revoked), 'all'],
  ['that proves', stateOf(revoked), stateOf(proven), 'all'],
])('a process %s and knows the names only reports what it changed', (_what, before, now, plan) => {
  expect(planReport({ before, now, provenance: 'derived', postFollows: false })).toBe(plan)
})

const padded = (state: RunState): RunState => ({
  ...state,
  credentials: [...state.credentials, { number: 2, slot: 1, deadBy: time, phase: 'deletion-requested', last: { phase: 'planned' } }],
})
const reported = { reported: true }
test.each<[string, RunState, RunState, ReportPlan]>([
  ['has the facts that main reported', stateOf(proven, reported), stateOf(proven, reported), 'nothing'],
  ['tried further names in vain', padded(stateOf(proven, reported)), padded(stateOf(proven, reported)), 'nothing'],
  ['has the facts that main saved and did not report', stateOf(proven), stateOf(proven), 'all'],
  ['finds no Secret after main was killed', stateOf(issued, { cleanupAttempted: false }), stateOf(absent, { recovered: true }), 'all'],
  ['cannot revoke after main was killed', stateOf(issued, { cleanupAttempted: false }), cannotRevoke(stateOf(issued)), 'all'],
  ['cannot revoke, as main reported before', stateOf(proven, reported), cannotRevoke(stateOf(proven, reported)), 'all'],
  ['revokes', stateOf(issued, { cleanupAttempted: false }), stateOf(revoked), 'all'],
  ['proves', stateOf(revoked, reported), stateOf(proven, reported), 'all'],
])('a process that has a saved state as a hint and %s', (_what, before, now, plan) => {
  expect(planReport({ before, now, provenance: 'merged', postFollows: false })).toBe(plan)
})

test.each<[string, Partial<RunState>, Partial<RunState>]>([
  ['the outcome', {}, { recovered: true, scan: { startedAt: time } }],
  ['the error', { error: 'TIMEOUT', errorReason: 'x' }, { error: 'INTERNAL', errorReason: 'x' }],
  [
    'the earlier error',
    { error: 'NOT_REVOKED', errorReason: 'x' },
    { error: 'NOT_REVOKED', errorReason: 'x', earlierError: { code: 'TAMPERED', reason: 'x' } },
  ],
])('a process that changed %s reports it', (_what, one, other) => {
  const scan = { startedAt: time, end: { at: time, exitCode: 0, signal: null, isAccepted: true } }
  const before = stateOf(proven, { ...reported, scan, ...one })
  for (const provenance of ['saved', 'merged'] as const) {
    expect(planReport({ before, now: stateOf(proven, { ...reported, scan, ...other }), provenance, postFollows: false })).toBe('all')
    expect(planReport({ before, now: { ...before, warnings: ['x'] }, provenance, postFollows: false })).toBe('nothing')
  }
})
