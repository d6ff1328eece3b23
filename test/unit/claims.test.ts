import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { checkCredential, describeClaims, readCredential, validityProblem, type ExpectedToken } from '../../src/token/claims.ts'
import { decodeJwt } from '../../src/token/jwt.ts'
import { endsAt, renewAt, revokeSupersededAt } from '../../src/token/lifetime.ts'
import { decode } from '../../src/commands/decode.ts'
import { KubepassError } from '../../src/base/errors.ts'
import { Redactor } from '../../src/redact/redactor.ts'

const { seal } = new Redactor()
const IAT = 1_800_000_000

const header = { alg: 'RS256', kid: 'k' }
const claims = {
  iss: 'https://kubernetes.default.svc',
  aud: ['https://kubernetes.default.svc'],
  sub: 'system:serviceaccount:kubepass:scanner',
  iat: IAT,
  nbf: IAT,
  exp: IAT + 900,
  jti: 'id-1',
  'kubernetes.io': { namespace: 'kubepass', serviceaccount: { name: 'scanner', uid: 'u' }, secret: { name: 'bound-secret', uid: 'uid-1' } },
}
const expected: ExpectedToken = {
  namespace: 'kubepass',
  name: 'scanner',
  duration: 900,
  boundSecret: { name: 'bound-secret', uid: 'uid-1' },
  audiences: [],
  statedExpiry: new Date((IAT + 900) * 1000).toISOString(),
}

function jwt(head: object, body: object): string {
  return [head, body].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.') + '.c2lnbmF0dXJl'
}

const check = (body: object, head: object = header, want: Partial<ExpectedToken> = {}): string[] =>
  checkCredential(readCredential(seal(jwt(head, body))), { ...expected, ...want }, IAT)

test('a token that matches the TokenRequest is accepted without a warning', () => {
  expect(readCredential(seal(jwt(header, claims)))).toMatchObject({ jti: 'id-1', issuedAt: IAT, expiresAt: IAT + 900 })
  expect(check(claims)).toEqual([])
})

test('a token that lives shorter than requested causes a warning', () => {
  expect(check({ ...claims, exp: IAT + 600 }, header, { statedExpiry: undefined })).toEqual([
    expect.stringMatching(/600 s, shorter than the 900 s/),
  ])
})

test("a difference between the API server's clock and this machine's clock causes a warning", () => {
  const token = readCredential(seal(jwt(header, claims)))
  expect(checkCredential(token, expected, IAT - 600)).toEqual([expect.stringMatching(/600 s ahead/)])
  expect(checkCredential(token, expected, IAT + 600)).toEqual([expect.stringMatching(/600 s behind/)])
})

const kubernetes = claims['kubernetes.io']
describe('a token is refused', () => {
  test.each<[string, object, object, RegExp, Partial<ExpectedToken>?]>([
    ['the algorithm none', claims, { alg: 'none' }, /algorithm is "none"/],
    ['a shared key', claims, { alg: 'HS256' }, /algorithm/],
    ['no algorithm', claims, {}, /algorithm is "missing"/],
    ['another subject', { ...claims, sub: 'system:serviceaccount:kubepass:admin' }, header, /subject/],
    ['another namespace', { ...claims, 'kubernetes.io': { ...kubernetes, namespace: 'x' } }, header, /namespace/],
    [
      'another ServiceAccount',
      { ...claims, 'kubernetes.io': { ...kubernetes, serviceaccount: { name: 'x' } } },
      header,
      /another ServiceAccount/,
    ],
    ['no private claims', { ...claims, 'kubernetes.io': undefined }, header, /namespace/],
    ['bound to nothing', { ...claims, 'kubernetes.io': { ...kubernetes, secret: undefined } }, header, /not bound/],
    [
      'bound to another uid',
      { ...claims, 'kubernetes.io': { ...kubernetes, secret: { name: 'bound-secret', uid: 'x' } } },
      header,
      /not bound/,
    ],
    ['bound to another name', { ...claims, 'kubernetes.io': { ...kubernetes, secret: { name: 'x', uid: 'uid-1' } } }, header, /not bound/],
    ['a longer life', { ...claims, exp: IAT + 3600 }, header, /3600 s, longer than the 900 s/, { statedExpiry: undefined }],
    ['an expiry that the TokenRequest response does not state', { ...claims, exp: IAT + 880 }, header, /another time/],
    ['an exp before iat', { ...claims, exp: IAT - 1 }, header, /times/],
    ['an exp before iat, without nbf', { ...claims, nbf: undefined, exp: IAT - 1 }, header, /times/],
    ['no exp', { ...claims, exp: undefined }, header, /times/],
    ['an nbf after exp', { ...claims, nbf: IAT + 901 }, header, /times/],
    ['a missing audience', claims, header, /audiences are/, { audiences: ['vault'] }],
    ['a second audience', { ...claims, aud: ['vault', 'x'] }, header, /audiences are/, { audiences: ['vault'] }],
  ])('for %s', (...[, body, head, why, want]) => {
    expect(() => check(body, head, want)).toThrow(
      expect.objectContaining({ code: 'RIGHTS', message: expect.stringMatching(why) as unknown }),
    )
  })

  test('if it is no JWT', () => {
    expect(() => readCredential(seal('not-a-token-at-all'))).toThrow(KubepassError)
  })
})

test.each(['', 'a.b', 'a.b.c.d', '....', `${'x'.repeat(20)}.${'y'.repeat(20)}.z`, 'bnVsbA.bnVsbA.x', 'W10.W10.x'])(
  'decodeJwt does not accept %j as a JWT',
  (text) => {
    expect(decodeJwt(text)).toBeUndefined()
  },
)

test('describeClaims quotes line ends, workflow commands and bidi characters in a claim', () => {
  const shown = describeClaims(seal(jwt(header, { ...claims, ref: 'refs/heads/x\n::error::pwned ##[group] \u202e' })))
  expect(shown).toContain(String.raw`ref: "refs/heads/x\n::error::pwned ##\u005bgroup] \u202e"`)
})

describe('kubepass decode', () => {
  const shown = decode(`${jwt(header, claims)}\n`, (IAT + 300) * 1000)
  test('shows the header, the claims and the times in words', () => {
    expect(shown).toContain('alg: "RS256"')
    expect(shown).toContain('sub: "system:serviceaccount:kubepass:scanner"')
    expect(shown).toContain(`exp: ${IAT + 900}  (2027-01-15T08:15:00.000Z, in 10 minutes)`)
    expect(shown).toContain(`iat: ${IAT}  (2027-01-15T08:00:00.000Z, 5 minutes ago)`)
  })
  test('does not show the signature', () => {
    expect(shown).not.toContain('c2lnbmF0dXJl')
  })
  test('reports a text that is no JWT', () => {
    expect(() => decode('hello')).toThrow(/no JWT/)
  })
})

describe('renewal', () => {
  const life = fc.integer({ min: 1, max: 365 * 24 * 3600 })
  const time = fc.integer({ min: 1, max: 4e12 })
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

  test("renewAt is at 65 to 75 % of the token's life, independent of the API server's clock", () => {
    fc.assert(
      fc.property(life, time, time, chance, (seconds, receivedAt, serversTime, random) => {
        const granted = { issuedAt: serversTime, expiresAt: serversTime + seconds }
        const share = (renewAt(granted, receivedAt, random) - receivedAt) / (seconds * 1000)
        expect(share).toBeGreaterThan(0.649)
        expect(share).toBeLessThan(0.751)
        expect(endsAt(granted, receivedAt)).toBe(receivedAt + seconds * 1000)
      }),
    )
  })

  test('renewAt differs between jobs', () => {
    const granted = { issuedAt: IAT, expiresAt: IAT + 900 }
    expect(new Set(Array.from({ length: 20 }, () => renewAt(granted, 0))).size).toBeGreaterThan(1)
    expect([renewAt(granted, 0, 0), renewAt(granted, 0, 0.5)]).toEqual([585_000, 630_000])
  })

  test('a replaced credential is revoked at its expiry, or after rotate_grace if that is earlier', () => {
    expect(revokeSupersededAt(900_000, 630_000, undefined)).toBe(900_000)
    expect(revokeSupersededAt(900_000, 630_000, 120)).toBe(750_000)
    expect(revokeSupersededAt(900_000, 630_000, 600)).toBe(900_000)
  })
})

describe("validityProblem of an identity's token", () => {
  const NOW = IAT
  const why = (more: object): string | undefined => validityProblem(seal(jwt(header, { sub: 'x', ...more })), NOW)
  test.each<[object, RegExp | undefined]>([
    [{}, undefined],
    [{ exp: NOW + 1 }, undefined],
    // Within the allowed difference of two clocks.
    [{ exp: NOW - 119 }, undefined],
    [
      { exp: NOW - 121 },
      /^expired 2 minutes ago\. Its times:\n {2}exp: 2027-01-15T07:57:59Z \(2 minutes ago\)\nIt is now 2027-01-15T08:00:00Z$/,
    ],
    [{ iat: NOW - 90_000, nbf: NOW - 90_000, exp: NOW - 86_400 }, /^expired 1 day ago\. Its times:\n {2}iat: .*\n {2}nbf: .*\n {2}exp: /],
    [{ nbf: NOW + 299 }, undefined],
    [{ nbf: NOW + 3600, exp: NOW + 7200 }, /^is not valid yet: it will be in 1 hour\. Its times:\n {2}nbf: .*\n {2}exp: /],
    [{ exp: 'soon', nbf: -1 }, undefined],
  ])('with the times %j', (times, says) => {
    if (says === undefined) expect(why(times)).toBeUndefined()
    else expect(why(times)).toMatch(says)
  })
  test('is undefined for a token that is no JWT', () => {
    expect(validityProblem(seal('abcdefghijklmnopqrstuvwxyz'))).toBeUndefined()
  })
})

test('describeClaims does not quote a text inside a list or an object twice', () => {
  expect(describeClaims(seal(jwt(header, { aud: ['https://a', '##[x'], sub: { a: 'b' } })))).toBe(
    '  aud: ["https://a","##\\u005bx"]\n  sub: {"a":"b"}',
  )
})
