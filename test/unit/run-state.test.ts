import { expect, test } from '@jest/globals'
import type { Options } from '../../src/config/options.ts'
import { latestDeadBy, type CredentialState, type LivePhase } from '../../src/state/credential-state.ts'
import { boundSecretPrefix, type Job } from '../../src/state/job-info.ts'
import { boundSecretNames, isTokenOf, latestDeadByOfRequest, newRunState, type RunState } from '../../src/state/run-state.ts'
import { parseRunState, toSavedForm } from '../../src/state/run-state-codec.ts'

const job: Job = {
  platform: 'github',
  id: '42',
  attempt: '3',
  job: 'scan',
  repository: 'octo/repo',
  instance: 'https://github.com',
  actor: 'octocat',
  commit: '6dcb09b',
  ref: 'refs/heads/main',
  event: 'push',
}
const options = {
  server: 'https://10.0.0.1:6443',
  serviceAccount: { namespace: 'kubepass', name: 'scanner' },
  directory: '/tmp',
  duration: 900,
  deadline: 60_000,
  tokenAudiences: [] as readonly string[],
} as Options
const empty = newRunState(options, job)
const names = boundSecretNames(empty)
const time = '2026-01-01T00:10:00.123Z'
const token = { jti: 'a-b', issuedAt: time, expiresAt: time }
const issued: LivePhase = { phase: 'issued', uid: 'u', token, acceptance: { at: time, username: 'x' }, revokeAt: time }
const state: RunState = {
  ...empty,
  identity: { kind: 'token', why: 'it was given' },
  issuer: { username: 'system:serviceaccount:kubepass-issuer:issuer', credential_id: 'JTI=0' },
  apiServer: { version: 'v1.36.0', ca_sha256: 'a'.repeat(64) },
  commandSha256: 'b'.repeat(64),
  programSha256: 'c'.repeat(64),
  lastNumber: 4,
  credentials: [
    { number: 1, slot: 0, deadBy: time, ...issued },
    { number: 2, slot: 1, deadBy: time, phase: 'revoked', last: issued, at: time, proof: { at: time, samples: 3, seconds: 1.5 } },
    { number: 4, slot: 'unbound', deadBy: time, phase: 'token-requested' },
  ],
  forgotten: [{ number: 3, slot: 2, deadBy: time, token, acceptance: { at: time, username: null } }],
  apiAccess: { ended_at: time, streams_cut: 1, requests: 3, unauthenticated: 2, uses: [], not_listed: 3 },
  scan: { startedAt: time, end: { at: time, exitCode: 3, signal: null, isAccepted: false } },
  isolation: { isolated: false, why_not: 'isolate is off', as_root: false },
  warnings: ['a warning'],
  error: 'NOT_REVOKED',
  errorReason: 'The API server refused to delete the Secret: 403 "no".',
  earlierError: { code: 'TAMPERED', reason: 'The scan wrote to GITHUB_ENV.' },
  deliveredToLaterSteps: true,
  recovered: true,
  cleanupAttempted: true,
  proofLeftToPost: true,
  reported: true,
}

test('a requested token has the latest time at which the API server can accept it', () => {
  expect(latestDeadByOfRequest(options, Date.parse('2026-01-01T00:00:00Z'))).toBe('2026-01-01T00:17:10Z')
})

test('a run has three bound Secret names, which follow from its key', () => {
  const { key } = empty
  expect(empty.directory).toBe(`/tmp/kubepass-${key}`)
  expect(new Set(names).size).toBe(3)
  expect(names[0]).toBe(`kubepass-42-3-${key}`)
  for (const name of names) expect(name).toMatch(/^kubepass-42-3-[0-9a-f]{16}$/)
  expect(boundSecretNames(newRunState({ ...options, directory: '/elsewhere' }, job, key))).toEqual(names)
})

test('the latest expiry is that of a token, not that of a bound Secret without a token', () => {
  const credential = (deadBy: string, phase: LivePhase): CredentialState => ({ number: 1, slot: 0, deadBy, ...phase })
  const early = credential('2026-01-01T00:00:00Z', { phase: 'token-requested' })
  const late = credential('2026-01-01T00:00:01Z', issued)
  const secret = credential('2027-01-01T00:00:00Z', { phase: 'secret-requested' })
  expect(latestDeadBy([late, early, secret])).toBe('2026-01-01T00:00:01Z')
  expect(latestDeadBy([secret])).toBeNull()
})

const inSecret = (name: string, uid: string): object => ({ 'kubernetes.io': { secret: { name, uid } } })
const withId: LivePhase = { phase: 'issued', uid: 'u', token: { ...token, jti: 'a' } }
const withoutId: LivePhase = { phase: 'issued', uid: 'u', token: { issuedAt: time, expiresAt: time } }
test.each<[string, LivePhase, CredentialState['slot'], object, boolean]>([
  ['the same id', withId, 0, { jti: 'a' }, true],
  ['another id', withId, 0, { jti: 'b', ...inSecret(names[0], 'u') }, false],
  ['no id, for a credential with an id', withId, 0, inSecret(names[0], 'u'), false],
  ['an id, for a credential without an id', withoutId, 0, { jti: 'a', ...inSecret(names[0], 'u') }, false],
  ['the bound Secret of the credential', withoutId, 0, inSecret(names[0], 'u'), true],
  ['the bound Secret, whose uid is unknown', { phase: 'token-requested' }, 0, inSecret(names[0], 'v'), true],
  ['a Secret of another name', withoutId, 0, inSecret(names[1], 'u'), false],
  ['a Secret of another uid', withoutId, 0, inSecret(names[0], 'v'), false],
  ['no Secret', withoutId, 0, {}, false],
  ['a Secret, for a credential that is bound to nothing', withoutId, 'unbound', inSecret(names[0], 'u'), false],
])('a token with %s is recognised or not', (...[, phase, slot, claims, expected]) => {
  const credential: CredentialState = { number: 1, slot, deadBy: time, ...phase }
  expect(isTokenOf(empty, credential, claims as Record<string, unknown>)).toBe(expected)
})

test('a saved run state is read as it was', () => {
  expect(parseRunState(JSON.stringify(state), job)).toEqual(state)
  expect(parseRunState(JSON.stringify(empty), job)).toEqual(empty)
  const unseen = { ...state, issuer: { username: 'alice', credential_id: null }, apiServer: { version: null, ca_sha256: null } }
  expect(parseRunState(JSON.stringify(unseen), job)).toEqual(unseen)
})

test('a saved run state has the number of the requests of the scan, but not their list', () => {
  const use = { verb: 'get', group: '', resource: 'pods', subresource: null, namespace: null, name: null, path: null }
  const used = { ...use, refused_by: null, count: 3, statuses: { 200: 3 }, first_at: time, last_at: time }
  const ended = { ended_at: time, streams_cut: 1, requests: 3, unauthenticated: 2, uses: [used], not_listed: 0 }
  expect(toSavedForm({ ...state, apiAccess: ended })).toEqual(state)
  const unknown = { ...state, apiAccess: { ...ended, ended_at: null, requests: null, uses: [] } }
  expect(parseRunState(JSON.stringify(toSavedForm(unknown)), job)).toEqual(unknown)
  expect(toSavedForm(empty)).toBe(empty)
})

test('a saved run state is read however many audiences it has', () => {
  const audiences = Array.from({ length: 150 }, (_, index) => `https://${index}.example.com`)
  const many = { ...state, requested: { ...state.requested, audiences } }
  expect(parseRunState(JSON.stringify(many), job)).toEqual(many)
})

test('the job of a saved run state is ignored', () => {
  expect(parseRunState(JSON.stringify({ ...state, job: { ...job, id: '41' } }), job)).toEqual(state)
})

test.each<[string, object]>([
  ['another version', { version: 3 }],
  ['no answer whether the scan had access', { apiAccess: undefined }],
  ['a text for the access', { apiAccess: 'proxy' }],
  ['a command in the end of the access', { apiAccess: { ...state.apiAccess, ended_at: 'x\n::error::forged' } }],
  ['a text for the requests', { apiAccess: { ...state.apiAccess, requests: '3' } }],
  ['a listed request', { apiAccess: { ...state.apiAccess, uses: [{ verb: 'get' }] } }],
  ['another fact in the access', { apiAccess: { ...state.apiAccess, token: 'x' } }],
  ['another directory', { directory: '/home/user' }],
  ['no directory', { directory: undefined }],
  ['a path for a key', { key: '../../pods/xyz' }],
  ['a number for the namespace', { requested: { ...state.requested, namespace: 1 } }],
  ['null for what was requested', { requested: null }],
  ['a command in the start of the scan', { scan: { startedAt: 'x\n::error::forged' } }],
  ['a number for the identity', { identity: 3 }],
  ['an unknown error code', { error: 'toString' }],
  ['an error without a reason', { errorReason: null }],
  ['a reason without an error', { error: null }],
  ['an earlier error without an error', { error: null, errorReason: null }],
  ['no answer whether an error came before', { earlierError: undefined }],
  ['a text for the earlier error', { earlierError: 'TAMPERED' }],
  ['an unknown code of the earlier error', { earlierError: { code: 'toString', reason: 'x' } }],
  ['a failed revocation before the failed revocation', { earlierError: { code: 'NOT_REVOKED', reason: 'x' } }],
  ['an earlier error without a reason', { earlierError: { code: 'TAMPERED' } }],
  ['an earlier reason of several lines', { earlierError: { code: 'TAMPERED', reason: 'x\n::error::forged' } }],
  ['an earlier reason that is too long', { earlierError: { code: 'TAMPERED', reason: 'x'.repeat(501) } }],
  ['another fact in the earlier error', { earlierError: { code: 'TAMPERED', reason: 'x', hint: 'y' } }],
  ['no answer whether it was recovered', { recovered: undefined }],
  ['a text for whether it was recovered', { recovered: 'yes' }],
  ['a reason of several lines', { errorReason: 'x\n::error::forged' }],
  ['a reason with a line separator', { errorReason: 'x\u2028y' }],
  ['an empty reason', { errorReason: '' }],
  ['a reason that is too long', { errorReason: 'x'.repeat(501) }],
  ['a text for a signal', { scan: { startedAt: time, end: { at: time, exitCode: 3, signal: 'SIG`](x)', isAccepted: false } } }],
  ['no answer whether the exit code counts', { scan: { startedAt: time, end: { at: time, exitCode: 3, signal: null } } }],
  ['a text for whether later steps have the credential', { deliveredToLaterSteps: 'yes' }],
  ['no answer whether it was reported', { reported: undefined }],
  ['a text for the warnings', { warnings: 'abc' }],
  ['no credentials', { credentials: undefined }],
  ['a text for the credentials', { credentials: 'abc' }],
  ['null for a credential', { credentials: [null] }],
  [
    'too many credentials',
    { credentials: Array.from({ length: 5 }, (_, index) => ({ ...state.credentials[2], number: index })), lastNumber: 9 },
  ],
  ['two credentials in a slot', { credentials: [state.credentials[0], { ...state.credentials[1], slot: 0 }] }],
  ['two credentials of a number', { credentials: [state.credentials[0], { ...state.credentials[1], number: 1 }] }],
  ['a credential that was never requested', { lastNumber: 3 }],
  ['a command in the time of an ended credential', { ended: [{ ...state.forgotten[0], token: { ...token, issuedAt: '##[error]x' } }] }],
  ['a text for a count', { forgottenNotListed: '3' }],
  ['no issuer', { issuer: undefined }],
  ['an issuer without a name', { issuer: { username: '', credential_id: null } }],
  ['a command in the name of the issuer', { issuer: { username: 'x\n::error::forged', credential_id: null } }],
  ['an issuer with a name that is too long', { issuer: { username: 'x'.repeat(1001), credential_id: null } }],
  ['an issuer with another fact', { issuer: { username: 'x', credential_id: null, groups: [] } }],
  ['an issuer whose credential id has another form', { issuer: { username: 'x', credential_id: 'x' } }],
  ['an issuer with a credential id that is too long', { issuer: { username: 'x', credential_id: `JTI=${'x'.repeat(301)}` } }],
  ['a text for the API server', { apiServer: 'v1.36.0' }],
  ['an API server without a CA', { apiServer: { version: 'v1.36.0' } }],
  ['a command in the version of the API server', { apiServer: { version: 'v1\n::error::forged', ca_sha256: null } }],
  ['a version of the API server that is too long', { apiServer: { version: `v1.${'0'.repeat(100)}`, ca_sha256: null } }],
  ['colons in the digest of the CA', { apiServer: { version: null, ca_sha256: 'AA:'.repeat(32) } }],
  ['no digest of the command', { commandSha256: undefined }],
  ['a digest of the command that is too short', { commandSha256: 'b'.repeat(63) }],
  ['upper case in the digest of the program', { programSha256: 'C'.repeat(64) }],
  ['a number beyond all runs', { lastNumber: 2 ** 53 - 1 }],
  ['a field that it does not have', { extra: 1 }],
])('a saved run state with %s is rejected', (_name, change) => {
  expect(parseRunState(JSON.stringify({ ...state, ...change }), job)).toBeUndefined()
})

test.each<[string, object]>([
  ['a fourth slot', { slot: 3 }],
  ['the name of an object for a slot', { slot: 'database-password' }],
  ['no time', { deadBy: 'soon' }],
  ['a command behind a time', { deadBy: '2026-01-01 (##[error]x)' }],
  ['an unknown phase', { phase: 'moon' }],
  ['the name of an inherited property for a phase', { phase: 'constructor' }],
  ['a phase that lacks its facts', { phase: 'deletion-requested', last: undefined }],
  ['an end within an end', { phase: 'absent', last: { phase: 'absent', last: { phase: 'planned' } } }],
  ['an object for a token id', { phase: 'issued', token: { ...token, jti: {} } }],
  ['a command in a token id', { phase: 'issued', token: { ...token, jti: 'x\n::error::forged' } }],
  ['a number for a uid', { phase: 'secret-created', uid: 1 }],
  ['a uid in a phase without one', { phase: 'secret-requested', uid: 'forged' }],
  ['a uid in the phase before its end', { phase: 'absent', last: { phase: 'planned', uid: 'forged' } }],
  ['an earlier phase while it lives', { phase: 'planned', last: null }],
  ['a command in the time of its revocation', { phase: 'revoked', last: { phase: 'planned' }, at: 'x\n::error::forged' }],
  ['a text for a number of refusals', { phase: 'revoked', last: issued, at: time, proof: { at: time, samples: '3', seconds: 1 } }],
])('a saved run state in which a credential has %s is rejected', (_name, change) => {
  for (const at of [0, 1, 2]) {
    const credentials = state.credentials.map((each, index) => (index === at ? { ...each, ...change } : each))
    expect(parseRunState(JSON.stringify({ ...state, credentials }), job)).toBeUndefined()
  }
})

test.each(['', '{', 'null', '[]', '"x"'])('the text %j is no run state', (text) => {
  expect(parseRunState(text, job)).toBeUndefined()
})

test('each id of a run makes a name that Kubernetes accepts', () => {
  expect(boundSecretPrefix({ ...job, id: 'Ärger/../x', attempt: '' })).toBe('kubepass-rger-x-0-')
})
