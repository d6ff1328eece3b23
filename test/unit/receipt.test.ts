import { expect, test } from '@jest/globals'
import type { Options } from '../../src/config/options.ts'
import { anchorPrefix, type Run } from '../../src/state/job.ts'
import { anchorNames, deadBy, isTokenOf, newCredential, nameOfNext, newReceipt, type Issued } from '../../src/state/run-state.ts'
import { parseReceipt } from '../../src/state/run-state-codec.ts'

const run: Run = { platform: 'github', id: '42', attempt: '3', job: 'scan', repository: 'octo/repo', instance: 'https://github.com' }
const options = {
  server: 'https://10.0.0.1:6443',
  serviceAccount: { namespace: 'kubepass', name: 'scanner' },
  directory: '/tmp',
  duration: 900,
  deadline: 60_000,
  tokenAudiences: [] as readonly string[],
} as Options
const empty = newReceipt(options, run)
const names = anchorNames(run, empty)
const [credential, second] = names.map((name) => newCredential(options, name, Date.parse('2026-01-01T00:00:00Z'))) as [Issued, Issued]
const receipt = { ...empty, credentials: [credential, { ...second, reached: 'token' as const, revoked: '2026-01-01T00:10:00.123Z' }] }

test('a credential that is to come has the latest moment at which its token can be accepted', () => {
  expect(receipt.directory).toMatch(/^\/tmp\/kubepass-[0-9a-f]{16}$/)
  expect(credential).toEqual({ anchor: { name: names[0] }, reached: 'nothing', deadBy: '2026-01-01T00:17:10Z' })
})

test('a run has three names, which follow from the one of its directory', () => {
  const key = receipt.directory.slice(-16)
  expect(new Set(names).size).toBe(3)
  expect(names[0]).toBe(`kubepass-42-3-${key}`)
  for (const name of names) expect(name).toMatch(/^kubepass-42-3-[0-9a-f]{16}$/)
  expect(anchorNames(run, newReceipt({ ...options, directory: '/elsewhere' }, run, key))).toEqual(names)
})

test('the next credential gets a name that is free, or else that of the first to end, but not of the one in use', () => {
  const [one, two, three] = names.map((name, index) => ({
    anchor: { name },
    reached: 'token',
    deadBy: `2026-01-01T00:0${String(index)}:00Z`,
  })) as [Issued, Issued, Issued]
  expect(nameOfNext(names, [one], one)).toBe(names[1])
  expect(nameOfNext(names, [two, one], two)).toBe(names[2])
  expect(nameOfNext(names, [three, one, two], three)).toBe(names[0])
  // Of tokens that live ever shorter the newest is dead first.
  expect(nameOfNext(names, [one, two, three], one)).toBe(names[1])
  expect(nameOfNext(names, [{ ...one, anchor: undefined }, two, three], two)).toBe(names[0])
})

test('of several credentials the last token counts, and no anchor without one', () => {
  const ending = (deadBy: string, reached: Issued['reached']): Issued => ({ ...credential, deadBy, reached })
  const [early, late] = [ending('2026-01-01T00:00:00Z', 'token'), ending('2026-01-01T00:00:01Z', 'token')]
  expect(deadBy([late, early, ending('2027-01-01T00:00:00Z', 'anchor')])).toBe('2026-01-01T00:00:01Z')
  expect(deadBy([ending('2027-01-01T00:00:00Z', 'anchor')])).toBeNull()
})

const inSecret = (name: string, uid: string): object => ({ 'kubernetes.io': { secret: { name, uid } } })
test.each<[string, Partial<Issued>, object, boolean]>([
  ['its id', { jti: 'a' }, { jti: 'a' }, true],
  ['another id', { jti: 'a' }, { jti: 'b', ...inSecret('one', 'u') }, false],
  ['no id, and a credential that has one', { jti: 'a' }, inSecret('one', 'u'), false],
  ['an id, and a credential that has none', {}, { jti: 'a', ...inSecret('one', 'u') }, false],
  ['its Secret', {}, inSecret('one', 'u'), true],
  ['its Secret, whose uid nobody saw', { anchor: { name: 'one' } }, inSecret('one', 'v'), true],
  ['a Secret of another name', {}, inSecret('two', 'u'), false],
  ['a Secret of another uid', {}, inSecret('one', 'v'), false],
  ['no Secret', {}, {}, false],
  ['a Secret, and a credential without one', { anchor: undefined }, inSecret('one', 'u'), false],
])('a token with %s', (_what, given, claims, expected) => {
  expect(isTokenOf({ ...credential, anchor: { name: 'one', uid: 'u' }, ...given }, claims as Record<string, unknown>)).toBe(expected)
})

test('it comes back as it was', () => {
  expect(parseReceipt(JSON.stringify(receipt), anchorPrefix(run))).toEqual(receipt)
})

test.each<[string, object]>([
  ['another version', { version: 2 }],
  ['another directory', { directory: '/home/user' }],
  ['no directory', { directory: undefined }],
  ['a number for a name', { namespace: 1 }],
  ['a command in a time', { evidence: { ...receipt.evidence, revoked: { at: 'x\n::error::forged' } } }],
  [
    'a text for a count',
    { evidence: { ...receipt.evidence, proven: { dead_at: '2026-01-01T00:00:00Z', samples: '3', seconds_after_revocation: 1 } } },
  ],
  ['no evidence', { evidence: undefined }],
  ['null for evidence', { evidence: null }],
  [
    'a command in the time of issue',
    {
      evidence: {
        ...receipt.evidence,
        granted: { credential_id: null, issued_at: 'x\n::error::forged', expires_at: credential.deadBy, bound_to: null },
      },
    },
  ],
  ['no time of the verification', { evidence: { ...receipt.evidence, verified: { username: null } } }],
  [
    'a command in the time of a renewal',
    {
      evidence: {
        ...receipt.evidence,
        renewed: [{ credential_id: null, issued_at: credential.deadBy, expires_at: '##[error]x', bound_to: null }],
      },
    },
  ],
  ['no list of renewals', { evidence: { ...receipt.evidence, renewed: undefined } }],
  ['no credentials', { credentials: undefined }],
  ['a text for credentials', { credentials: 'abc' }],
  ['null for a credential', { credentials: [null] }],
  ['more credentials than can be', { credentials: Array.from({ length: 5 }, () => credential) }],
])('with %s it is not believed', (_name, change) => {
  expect(parseReceipt(JSON.stringify({ ...receipt, ...change }), anchorPrefix(run))).toBeUndefined()
})

test.each<[string, object]>([
  ["another run's anchor", { anchor: { name: 'kubepass-41-3-0123456789abcdef' } }],
  ['an anchor of any name', { anchor: { name: 'database-password' } }],
  ['a path in the name', { anchor: { name: 'kubepass-42-3-../../pods/xyz' } }],
  ['no time', { deadBy: 'soon' }],
  ['a command behind a time', { deadBy: '2026-01-01 (##[error]x)' }],
  ['an object for an id', { jti: {} }],
  ['null for an anchor', { anchor: null }],
  ['a command in an id', { jti: 'x\n::error::forged' }],
  ['a number for a uid', { anchor: { name: names[0], uid: 1 } }],
  ['an unknown reach', { reached: 'moon' }],
  ['a command in the time of its end', { revoked: 'x\n::error::forged' }],
])('with %s in any of its credentials it is not believed', (_name, change) => {
  for (const at of [0, 1]) {
    const credentials = receipt.credentials.map((each, index) => (index === at ? { ...each, ...change } : each))
    expect(parseReceipt(JSON.stringify({ ...receipt, credentials }), anchorPrefix(run))).toBeUndefined()
  }
})

test.each(['', '{', 'null', '[]', '"x"'])('%j is no receipt', (text) => {
  expect(parseReceipt(text, anchorPrefix(run))).toBeUndefined()
})

test('any run id makes a name that Kubernetes takes', () => {
  expect(anchorPrefix({ ...run, id: 'Ärger/../x', attempt: '' })).toBe('kubepass-rger-x-0-')
})
