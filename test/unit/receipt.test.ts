import { expect, test } from '@jest/globals'
import type { Options } from '../../src/options.ts'
import { anchorPrefix, type Run } from '../../src/job.ts'
import { newReceipt, parseReceipt } from '../../src/receipt.ts'

const run: Run = { platform: 'github', id: '42', attempt: '3', job: 'scan', repository: 'octo/repo', instance: 'https://github.com' }
const options = {
  server: 'https://10.0.0.1:6443',
  serviceAccount: { namespace: 'kubepass', name: 'scanner' },
  directory: '/tmp',
  duration: 900,
  deadline: 60_000,
  tokenAudiences: [] as readonly string[],
} as Options
const receipt = newReceipt(options, run, undefined, Date.parse('2026-01-01T00:00:00Z'))

test('a new receipt names the run, and the latest moment at which the token can be accepted', () => {
  expect(receipt.anchor?.name).toMatch(/^kubepass-42-3-[0-9a-f]{16}$/)
  expect(receipt.directory).toMatch(/^\/tmp\/kubepass-[0-9a-f]{16}$/)
  expect(receipt.deadBy).toBe('2026-01-01T00:17:10Z')
})

test('it comes back as it was', () => {
  expect(parseReceipt(JSON.stringify(receipt), anchorPrefix(run))).toEqual(receipt)
})

test.each<[string, object]>([
  ['another version', { version: 2 }],
  ["another run's anchor", { anchor: { name: 'kubepass-41-3-0123456789abcdef' } }],
  ['an anchor of any name', { anchor: { name: 'database-password' } }],
  ['a path in the name', { anchor: { name: 'kubepass-42-3-../../pods/xyz' } }],
  ['another directory', { directory: '/home/user' }],
  ['no directory', { directory: undefined }],
  ['no time', { deadBy: 'soon' }],
  ['a number for a name', { namespace: 1 }],
  ['an object for an id', { jti: {} }],
  ['a command in a time', { evidence: { ...receipt.evidence, revoked: { at: 'x\n::error::forged' } } }],
  ['a command behind a time', { deadBy: '2026-01-01 (##[error]x)' }],
  [
    'a text for a count',
    { evidence: { ...receipt.evidence, proven: { dead_at: '2026-01-01T00:00:00Z', samples: '3', seconds_after_revocation: 1 } } },
  ],
  ['no evidence', { evidence: undefined }],
  ['null for evidence', { evidence: null }],
  ['null for an anchor', { anchor: null }],
  ['a command in an id', { jti: 'x\n::error::forged' }],
  ['a number for a uid', { anchor: { name: receipt.anchor?.name, uid: 1 } }],
  [
    'a command in the time of issue',
    {
      evidence: {
        ...receipt.evidence,
        granted: { credential_id: null, issued_at: 'x\n::error::forged', expires_at: receipt.deadBy, bound_to: null },
      },
    },
  ],
  ['no time of the verification', { evidence: { ...receipt.evidence, verified: { username: null } } }],
  ['an unknown reach', { reached: 'moon' }],
])('with %s it is not believed', (_name, change) => {
  expect(parseReceipt(JSON.stringify({ ...receipt, ...change }), anchorPrefix(run))).toBeUndefined()
})

test.each(['', '{', 'null', '[]', '"x"'])('%j is no receipt', (text) => {
  expect(parseReceipt(text, anchorPrefix(run))).toBeUndefined()
})

test('any run id makes a name that Kubernetes takes', () => {
  expect(anchorPrefix({ ...run, id: 'Ärger/../x', attempt: '' })).toBe('kubepass-rger-x-0-')
})
