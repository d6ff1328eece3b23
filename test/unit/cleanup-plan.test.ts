import { describe, expect, test } from '@jest/globals'
import {
  concludeDeletion,
  concludeProof,
  outcomeOfDelete,
  planFor,
  whenToProve,
  type CleanupView,
  type ProofView,
} from '../../src/lifecycle/cleanup-plan.ts'
import type { CredentialState, EndPhase, LivePhase } from '../../src/state/credential-state.ts'

const time = '2026-01-01T00:00:00Z'
const planned: LivePhase = { phase: 'planned' }
const secretRequested: LivePhase = { phase: 'secret-requested' }
const secretCreated: LivePhase = { phase: 'secret-created', uid: 'u' }
const tokenRequested: LivePhase = { phase: 'token-requested', uid: 'u' }
const issued: LivePhase = { phase: 'issued', uid: 'u', token: { issuedAt: time, expiresAt: time } }
const revoked: EndPhase = { phase: 'revoked', last: issued, at: time }
const absent: EndPhase = { phase: 'absent', last: issued }
const pending: EndPhase = { phase: 'deletion-requested', last: issued }
const credential = (phase: LivePhase | EndPhase, slot: CredentialState['slot'] = 0): CredentialState => ({
  number: 1,
  slot,
  deadBy: time,
  ...phase,
})
const owner: CleanupView = { isOwner: true, requireRevocation: true, mayHaveConcurrentCleanup: false }
const later: CleanupView = { ...owner, isOwner: false }

describe('the plan for a credential at the end of a run', () => {
  test.each<[string, LivePhase | EndPhase, string, string]>([
    ['planned', planned, 'nothing', 'delete'],
    ['secret-requested', secretRequested, 'delete', 'delete'],
    ['secret-created', secretCreated, 'delete', 'delete'],
    ['token-requested', tokenRequested, 'delete', 'delete'],
    ['issued', issued, 'delete', 'delete'],
    ['deletion-requested', pending, 'delete', 'delete'],
    ['revoked', revoked, 'nothing', 'delete'],
    ['absent', absent, 'delete', 'delete'],
  ])('%s: the owner and a later process', (_name, phase, ofOwner, ofLater) => {
    expect([planFor(credential(phase), owner), planFor(credential(phase), later)]).toEqual([ofOwner, ofLater])
  })

  test.each<[string, LivePhase, boolean, string]>([
    ['an unbound token where revocation is required', issued, true, 'cannot-revoke'],
    ['an unbound token that may exist', { phase: 'token-requested' }, true, 'cannot-revoke'],
    ['an unbound token where revocation is best-effort', issued, false, 'nothing'],
    ['an unbound credential without a token', planned, true, 'nothing'],
  ])('%s', (_name, phase, requireRevocation, expected) => {
    for (const view of [owner, later]) expect(planFor(credential(phase, 'unbound'), { ...view, requireRevocation })).toBe(expected)
  })
})

test.each<['deleted' | 'gone', boolean, string | undefined, 'deleted' | 'gone']>([
  ['deleted', false, 'u', 'deleted'],
  ['gone', false, 'u', 'gone'],
  ['gone', true, 'u', 'deleted'],
  ['gone', true, undefined, 'gone'],
])(
  'a DELETE that finds the Secret %s, with an earlier DELETE pending: %s, and the uid %s, means %s',
  (response, wasPending, uid, expected) => {
    expect(outcomeOfDelete(response, wasPending, uid)).toBe(expected)
  },
)

describe('the conclusion from a DELETE', () => {
  test.each<[string, LivePhase | EndPhase, CleanupView, 'deleted' | 'gone' | 'failed', string]>([
    ['deleted', issued, owner, 'deleted', 'done'],
    ['deleted by a later process', tokenRequested, later, 'deleted', 'done'],
    ['gone, and a token was issued', issued, owner, 'gone', 'secret-missing'],
    ['gone, and a token may have been issued', tokenRequested, later, 'gone', 'secret-missing'],
    ['gone, and the Secret had been created', secretCreated, owner, 'gone', 'secret-missing'],
    ['gone, and the owner had no response to the creation', secretRequested, owner, 'gone', 'done'],
    ['gone, and a later process cannot know that', secretRequested, later, 'gone', 'secret-missing'],
    ['gone, and revoked before', revoked, later, 'gone', 'done'],
    ['gone, and absent before', absent, later, 'gone', 'secret-missing'],
    ['gone, and another process deletes, too', issued, { ...later, mayHaveConcurrentCleanup: true }, 'gone', 'done'],
    ['gone, and nothing was requested', planned, later, 'gone', 'done'],
    ['gone a second time, without a response to the creation', { phase: 'absent', last: secretRequested }, later, 'gone', 'done'],
    ['failed, and an earlier DELETE found no Secret', { phase: 'absent', last: secretRequested }, later, 'failed', 'done'],
    ['failed, and a token was issued', issued, owner, 'failed', 'not-revoked'],
    ['failed, and a token may have been issued', tokenRequested, later, 'failed', 'not-revoked'],
    ['failed a second time', pending, owner, 'failed', 'not-revoked'],
    ['failed, and no token was requested', secretCreated, owner, 'failed', 'secret-left'],
    ['failed, and the Secret may not exist', secretRequested, later, 'failed', 'secret-left'],
    ['failed, and nothing was requested', planned, later, 'failed', 'done'],
    ['failed, and revoked before', revoked, later, 'failed', 'unconfirmed'],
    ['failed, and absent before', absent, later, 'failed', 'not-revoked'],
  ])('%s', (...[, phase, view, outcome, expected]) => {
    expect(concludeDeletion(credential(phase), outcome, view)).toBe(expected)
  })
})

const proofView: ProofView = { prove: 'wait', isProven: false, heldTokens: 1, postFollows: true, isStopping: false, hasSecondSignal: false }
test.each<[string, Partial<ProofView>, string]>([
  ['by default', {}, 'now'],
  ['prove: off', { prove: 'off' }, 'never'],
  ['without a token at hand', { heldTokens: 0 }, 'never'],
  ['proven before', { isProven: true }, 'never'],
  ['asked twice to end', { hasSecondSignal: true }, 'never'],
  ['prove: post', { prove: 'post' }, 'later'],
  ['prove: post, in post itself', { prove: 'post', postFollows: false }, 'now'],
  ['prove: post, with more tokens than post finds', { prove: 'post', heldTokens: 2 }, 'now'],
  ['stopped by a signal, with post to come', { isStopping: true }, 'try'],
  ['stopped by a signal, without post', { isStopping: true, postFollows: false }, 'now'],
])('the proof, %s: %j is %s', (_name, change, expected) => {
  expect(whenToProve({ ...proofView, ...change })).toBe(expected)
})

test.each<[('dead' | 'alive' | 'unclear')[], number, boolean, string]>([
  [['dead', 'dead'], 0, true, 'proven'],
  [['dead'], 0, false, 'proven'],
  [['dead'], 2, true, 'untested'],
  [['dead', 'alive'], 0, true, 'alive'],
  [['unclear', 'alive'], 0, true, 'alive'],
  [['dead', 'unclear'], 0, true, 'unclear'],
  [['alive'], 0, false, 'no-time'],
  [['unclear'], 3, false, 'no-time'],
])('tokens that are %j, %d untested, time left: %j is %s', (verdicts, untested, hasTime, expected) => {
  expect(concludeProof(verdicts, untested, hasTime)).toBe(expected)
})
