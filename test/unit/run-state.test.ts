import { expect, test } from '@jest/globals'
import type { Options } from '../../src/config/options.ts'
import { boundSecretPrefix, type JobInfo } from '../../src/state/job-info.ts'
import {
  boundSecretNames,
  latestDeadBy,
  isTokenOf,
  plannedCredential,
  nextSecretName,
  newRunState,
  type CredentialState,
} from '../../src/state/run-state.ts'
import { parseRunState } from '../../src/state/run-state-codec.ts'

const run: JobInfo = { platform: 'github', id: '42', attempt: '3', job: 'scan', repository: 'octo/repo', instance: 'https://github.com' }
const options = {
  server: 'https://10.0.0.1:6443',
  serviceAccount: { namespace: 'kubepass', name: 'scanner' },
  directory: '/tmp',
  duration: 900,
  deadline: 60_000,
  tokenAudiences: [] as readonly string[],
} as Options
const empty = newRunState(options, run)
const names = boundSecretNames(run, empty)
const [credential, second] = names.map((name) => plannedCredential(options, name, Date.parse('2026-01-01T00:00:00Z'))) as [
  CredentialState,
  CredentialState,
]
const state = { ...empty, credentials: [credential, { ...second, phase: 'token' as const, revoked: '2026-01-01T00:10:00.123Z' }] }

test('a planned credential has the latest time at which the API server can accept its token', () => {
  expect(state.directory).toMatch(/^\/tmp\/kubepass-[0-9a-f]{16}$/)
  expect(credential).toEqual({ boundSecret: { name: names[0] }, phase: 'nothing', deadBy: '2026-01-01T00:17:10Z' })
})

test("a run has three Secret names, which derive from its directory's name", () => {
  const key = state.directory.slice(-16)
  expect(new Set(names).size).toBe(3)
  expect(names[0]).toBe(`kubepass-42-3-${key}`)
  for (const name of names) expect(name).toMatch(/^kubepass-42-3-[0-9a-f]{16}$/)
  expect(boundSecretNames(run, newRunState({ ...options, directory: '/elsewhere' }, run, key))).toEqual(names)
})

test('the next credential gets an unused name, or else the name of the credential that expires first, but not of the one in use', () => {
  const [one, two, three] = names.map((name, index) => ({
    boundSecret: { name },
    phase: 'token',
    deadBy: `2026-01-01T00:0${String(index)}:00Z`,
  })) as [CredentialState, CredentialState, CredentialState]
  expect(nextSecretName(names, [one], one)).toBe(names[1])
  expect(nextSecretName(names, [two, one], two)).toBe(names[2])
  expect(nextSecretName(names, [three, one, two], three)).toBe(names[0])
  // If each token lives shorter than the one before, the newest expires first.
  expect(nextSecretName(names, [one, two, three], one)).toBe(names[1])
  expect(nextSecretName(names, [{ ...one, boundSecret: undefined }, two, three], two)).toBe(names[0])
})

test('latestDeadBy() is the end of the token that lives longest, and ignores a bound Secret without a token', () => {
  const ending = (deadBy: string, phase: CredentialState['phase']): CredentialState => ({ ...credential, deadBy, phase })
  const [early, late] = [ending('2026-01-01T00:00:00Z', 'token'), ending('2026-01-01T00:00:01Z', 'token')]
  expect(latestDeadBy([late, early, ending('2027-01-01T00:00:00Z', 'secret')])).toBe('2026-01-01T00:00:01Z')
  expect(latestDeadBy([ending('2027-01-01T00:00:00Z', 'secret')])).toBeNull()
})

const inSecret = (name: string, uid: string): object => ({ 'kubernetes.io': { secret: { name, uid } } })
test.each<[string, Partial<CredentialState>, object, boolean]>([
  ['its id', { jti: 'a' }, { jti: 'a' }, true],
  ['another id', { jti: 'a' }, { jti: 'b', ...inSecret('one', 'u') }, false],
  ['no id, and a credential that has one', { jti: 'a' }, inSecret('one', 'u'), false],
  ['an id, and a credential that has none', {}, { jti: 'a', ...inSecret('one', 'u') }, false],
  ['its Secret', {}, inSecret('one', 'u'), true],
  ['its Secret, whose uid is unknown', { boundSecret: { name: 'one' } }, inSecret('one', 'v'), true],
  ['a Secret of another name', {}, inSecret('two', 'u'), false],
  ['a Secret of another uid', {}, inSecret('one', 'v'), false],
  ['no Secret', {}, {}, false],
  ['a Secret, and a credential without one', { boundSecret: undefined }, inSecret('one', 'u'), false],
])('isTokenOf() compares a credential with a token that has %s', (_what, given, claims, expected) => {
  expect(isTokenOf({ ...credential, boundSecret: { name: 'one', uid: 'u' }, ...given }, claims as Record<string, unknown>)).toBe(expected)
})

test('parseRunState() restores a run state from its JSON', () => {
  expect(parseRunState(JSON.stringify(state), boundSecretPrefix(run))).toEqual(state)
})

test.each<[string, object]>([
  ['another version', { version: 2 }],
  ['another directory', { directory: '/home/user' }],
  ['no directory', { directory: undefined }],
  ['a number for a name', { namespace: 1 }],
  ['a command in a time', { evidence: { ...state.evidence, revoked: { at: 'x\n::error::forged' } } }],
  [
    'a text for a count',
    { evidence: { ...state.evidence, proven: { dead_at: '2026-01-01T00:00:00Z', samples: '3', seconds_after_revocation: 1 } } },
  ],
  ['no evidence', { evidence: undefined }],
  ['null for evidence', { evidence: null }],
  [
    'a command in the time of issue',
    {
      evidence: {
        ...state.evidence,
        granted: { credential_id: null, issued_at: 'x\n::error::forged', expires_at: credential.deadBy, bound_to: null },
      },
    },
  ],
  ['no time of the verification', { evidence: { ...state.evidence, verified: { username: null } } }],
  [
    'a command in the time of a renewal',
    {
      evidence: {
        ...state.evidence,
        renewed: [{ credential_id: null, issued_at: credential.deadBy, expires_at: '##[error]x', bound_to: null }],
      },
    },
  ],
  ['no list of renewals', { evidence: { ...state.evidence, renewed: undefined } }],
  ['no credentials', { credentials: undefined }],
  ['a text for credentials', { credentials: 'abc' }],
  ['null for a credential', { credentials: [null] }],
  ['more credentials than a run can have', { credentials: Array.from({ length: 5 }, () => credential) }],
])('parseRunState() rejects a run state with %s', (_name, change) => {
  expect(parseRunState(JSON.stringify({ ...state, ...change }), boundSecretPrefix(run))).toBeUndefined()
})

test.each<[string, object]>([
  ["another run's bound Secret", { boundSecret: { name: 'kubepass-41-3-0123456789abcdef' } }],
  ['a bound Secret of any name', { boundSecret: { name: 'database-password' } }],
  ['a path in the name', { boundSecret: { name: 'kubepass-42-3-../../pods/xyz' } }],
  ['no time', { deadBy: 'soon' }],
  ['a command after a time', { deadBy: '2026-01-01 (##[error]x)' }],
  ['an object for an id', { jti: {} }],
  ['null for a bound Secret', { boundSecret: null }],
  ['a command in an id', { jti: 'x\n::error::forged' }],
  ['a number for a uid', { boundSecret: { name: names[0], uid: 1 } }],
  ['an unknown phase', { phase: 'moon' }],
  ['a command in the time of its end', { revoked: 'x\n::error::forged' }],
])('parseRunState() rejects a run state that has %s in any credential', (_name, change) => {
  for (const at of [0, 1]) {
    const credentials = state.credentials.map((each, index) => (index === at ? { ...each, ...change } : each))
    expect(parseRunState(JSON.stringify({ ...state, credentials }), boundSecretPrefix(run))).toBeUndefined()
  }
})

test.each(['', '{', 'null', '[]', '"x"'])('%j is no run state', (text) => {
  expect(parseRunState(text, boundSecretPrefix(run))).toBeUndefined()
})

test('boundSecretPrefix() gives a valid Kubernetes name for any run id', () => {
  expect(boundSecretPrefix({ ...run, id: 'Ärger/../x', attempt: '' })).toBe('kubepass-rger-x-0-')
})
