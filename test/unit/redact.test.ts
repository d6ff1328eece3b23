import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { createHash } from 'node:crypto'
import { Redactor } from '../../src/redact/redactor.ts'

const HEADER = Buffer.from('{"alg":"RS256","kid":"abc"}').toString('base64url')
const PAYLOAD = Buffer.from(
  '{"iss":"https://kubernetes.default.svc","sub":"system:serviceaccount:kubepass:scanner","jti":"0c5f"}',
).toString('base64url')
const SIGNATURE = Buffer.from(Array.from({ length: 96 }, (_, i) => (i * 89 + 41) % 256)).toString('base64url')
const TOKEN = `${HEADER}.${PAYLOAD}.${SIGNATURE}`
const SECRET = `${PAYLOAD}.${SIGNATURE}`

function knowing(...values: string[]): Redactor {
  const redactor = new Redactor()
  for (const value of values) redactor.seal(value)
  return redactor
}

/** The filtered output of these pieces. */
function streamed(redactor: Redactor, pieces: Buffer[]): string {
  const filter = redactor.filter()
  return Buffer.concat(pieces.map((piece) => Buffer.from(filter(piece)))).toString()
}

function cut(bytes: Buffer, lengths: number[]): Buffer[] {
  const chunks: Buffer[] = []
  let at = 0
  for (let i = 0; at < bytes.length; i += 1) {
    const length = lengths[i % lengths.length] ?? 1
    chunks.push(bytes.subarray(at, at + length))
    at += length
  }
  return chunks
}

/** Whether `text` contains 16 neighbouring characters of `secret`. */
function shows(text: string, secret: string): boolean {
  for (let at = 0; at + 16 <= secret.length; at += 1) if (text.includes(secret.slice(at, at + 16))) return true
  return false
}

const spellings: Record<string, (secret: string) => string> = {
  plain: (secret) => secret,
  base64: (secret) => Buffer.from(secret).toString('base64'),
  'base64, shifted by 1': (secret) => Buffer.from(`x${secret}`).toString('base64'),
  'base64, shifted by 2': (secret) => Buffer.from(`xy${secret}`).toString('base64'),
  base64url: (secret) => Buffer.from(secret).toString('base64url'),
  hex: (secret) => Buffer.from(secret).toString('hex'),
  'hex in capitals': (secret) => Buffer.from(secret).toString('hex').toUpperCase(),
}

describe.each(Object.entries(spellings))('a token in the spelling %s', (_name, spell) => {
  test('is masked, and so is every part of it with 24 characters', () => {
    const redactor = knowing(TOKEN)
    expect(shows(redactor.redact(`before ${spell(TOKEN)} after`), spell(SECRET))).toBe(false)
    for (let at = 0; at + 24 <= SECRET.length; at += 1) {
      const spelled = spell(SECRET.slice(at, at + 24))
      expect(redactor.redact(`key: ${spelled};`)).toContain('***')
    }
  })

  test('is masked across any split of writes, with any text around it', () => {
    const around = fc.oneof(fc.string({ maxLength: 60 }), fc.constant('eyJhbGciOiJSUzI1NiIsImtpZCI6'), fc.constant('\n'))
    const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 })
    const part = fc.tuple(fc.nat(SECRET.length - 40), fc.integer({ min: 40, max: SECRET.length }))
    fc.assert(
      fc.property(around, part, around, lengths, (before, [from, length], after, cuts) => {
        const secret = spell(SECRET.slice(from, from + length))
        const output = streamed(knowing(TOKEN), cut(Buffer.from(before + secret + after), cuts))
        // The first and last characters of base64 also depend on the text around the secret.
        return output.includes('***') && !shows(output, secret.slice(4, -4))
      }),
      { numRuns: 200 },
    )
  })
})

test('the filter returns a piece without a secret itself', () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1 })
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), lengths, (bytes, cuts) => {
      const pieces = cut(Buffer.from(bytes), cuts)
      const filter = knowing(TOKEN).filter()
      // The same object: the filter must not copy it.
      return pieces.every((piece) => filter(piece) === piece)
    }),
  )
})

test('16 neighbouring characters of a secret are masked, 15 are not', () => {
  const redactor = knowing(TOKEN)
  const at = PAYLOAD.length + 20
  expect(redactor.redact(`<${SECRET.slice(at, at + 15)}>`)).toBe(`<${SECRET.slice(at, at + 15)}>`)
  expect(redactor.redact(`<${SECRET.slice(at, at + 16)}>`)).toBe('<***>')
})

test("a JWT's header is not masked, because all tokens of a server share it", () => {
  expect(knowing(TOKEN).redact(`kid in ${HEADER}`)).toBe(`kid in ${HEADER}`)
})

test('a secret that is written one character at a time gets one mask', () => {
  expect(streamed(knowing(TOKEN), cut(Buffer.from(`[${SIGNATURE}]\n`), [1]))).toMatch(/^\[.{0,15}\*{3}\]\n$/)
})

test('the filter delays no bytes of a slowly written secret, and still shows fewer than 16 of its characters', () => {
  const filter = knowing(TOKEN).filter()
  let shown = ''
  for (const piece of SIGNATURE.match(/.{1,10}/g) ?? []) {
    shown += filter(Buffer.from(piece)).toString()
    if (!shown.includes('***')) expect(SIGNATURE.startsWith(shown)).toBe(true)
  }
  expect(shown).toMatch(/^.{10,15}\*{3}$/)
})

test('the filter masks several secrets, also one that is sealed after the filter was created', () => {
  const redactor = knowing(TOKEN, 'another-secret-value-of-length')
  const filter = redactor.filter()
  expect(filter(Buffer.from('one another-secret-value-of-length\n')).toString()).toBe('one ***\n')
  redactor.seal('a-third-one-that-came-late!')
  expect(filter(Buffer.from(`two a-third-one-that-came-late! three ${SIGNATURE}\n`)).toString()).toBe('two *** three ***\n')
})

test('a secret shorter than 16 characters is masked only as a whole', () => {
  expect(knowing('hunter2!').redact('password: hunter2!; hunter2')).toBe('password: ***; hunter2')
  expect(() => knowing('abc')).toThrow(RangeError)
})

test('a secret with characters that JSON and URLs escape is masked in those spellings', () => {
  const redactor = knowing('sixteen+"chars"/=and more')
  expect(redactor.redact(JSON.stringify({ a: 'sixteen+"chars"/=and more' }))).toBe('{"a":"***"}')
  expect(redactor.redact(encodeURIComponent('sixteen+"chars"/=and more'))).toBe('***')
})

test('base64url is masked where it differs from base64', () => {
  const value = '~?>'.repeat(8)
  expect(knowing(value).redact(Buffer.from(value).toString('base64url'))).toBe('***')
})

test('a text of kubepass itself is shown although a secret contains a part of it; the rest is masked', () => {
  const shown = 'for example: eyJhbGciOiJSUzI1NiIs...'
  const redactor = new Redactor([shown])
  redactor.seal(`Bearer ${HEADER}.${PAYLOAD}.${SIGNATURE}`)
  redactor.seal('eyJhbGciOiJSUzI1NiIsImtpZCI6IjEyMzQ1Njc4OTAifQ-hunter2hunter2')
  expect(redactor.redact(`token is wrong; ${shown}\n${shown}`)).toBe(`token is wrong; ${shown}\n${shown}`)
  expect(redactor.redact(`it was:eyJhbGciOiJSUzI1NiIsImtpZCI6; ${shown}`)).toBe(`it was:***; ${shown}`)
  expect(redactor.redact('for example:eyJhbGciOiJSUzI1NiIsImtpZCI6IjEyMzQ1Njc4OTAifQ-hunter2hunter2')).toBe('for example:***')
})

/** A renewed token: most of its payload is the same as in the token before. */
function renewed(count: number): string {
  const claims = { iss: 'https://kubernetes.default.svc', sub: 'system:serviceaccount:kubepass:scanner', iat: 1_700_000_000 + count * 600 }
  const payload = Buffer.from(JSON.stringify({ ...claims, jti: createHash('sha256').update(String(count)).digest('hex') }))
  const signature = createHash('shake256', { outputLength: 256 }).update(String(count)).digest()
  return [HEADER, payload.toString('base64url'), signature.toString('base64url')].join('.')
}

describe('after 200 renewals', () => {
  const tokens = Array.from({ length: 200 }, (_, count) => renewed(count))
  const redactor = knowing(...tokens)

  test('each token is masked completely, in each spelling', () => {
    for (const token of tokens)
      for (const spell of Object.values(spellings)) {
        const text = `<${spell(token.slice(HEADER.length + 1))}>`
        expect(redactor.redact(text)).toMatch(/^<.{0,4}\*{3}.{0,4}>$/)
      }
  })

  test('every 16 neighbouring characters of each token are masked, 15 are not', () => {
    for (const token of tokens.filter((_, index) => index % 20 === 0))
      for (let at = HEADER.length + 1; at + 16 <= token.length; at += 1) {
        expect(redactor.redact(`<${token.slice(at, at + 16)}>`)).toBe('<***>')
        expect(redactor.redact(`<${token.slice(at, at + 15)}>`)).toBe(`<${token.slice(at, at + 15)}>`)
      }
  })
})

test('a secret of 16 to 40 characters is masked at every offset', () => {
  for (let length = 16; length <= 40; length += 1) {
    const secret = createHash('sha512').update(String(length)).digest('hex').slice(0, length)
    const redactor = knowing(secret)
    for (let before = 0; before < 40; before += 1) {
      const around = 'x'.repeat(before)
      expect(redactor.redact(`${around}${secret}${around}`)).toBe(`${around}***${around}`)
    }
  }
})

test('without WebAssembly the redactor refuses a secret', () => {
  const descriptor = Object.getOwnPropertyDescriptor(globalThis, 'WebAssembly') ?? {}
  const redactor = new Redactor()
  try {
    Reflect.deleteProperty(globalThis, 'WebAssembly')
    for (let time = 0; time < 2; time += 1) expect(() => redactor.seal(TOKEN)).toThrow('Node.js cannot run WebAssembly here')
    expect(redactor.redact('text')).toBe('text')
  } finally {
    Object.defineProperty(globalThis, 'WebAssembly', descriptor)
  }
  redactor.seal(TOKEN)
  expect(redactor.redact(`<${SECRET}>`)).toBe('<***>')
})

test('a text of parts of two secrets shows no 16 neighbouring characters of either secret', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 16, maxLength: 80 })
  const parts = fc.array(fc.tuple(fc.boolean(), fc.nat(79), fc.integer({ min: 8, max: 40 })), { maxLength: 8 })
  let masked = 0
  fc.assert(
    fc.property(letters, letters, parts, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (one, other, made, cuts) => {
      const text = made.map(([isOne, from, length]) => (isOne ? one : other).slice(from, from + length)).join('')
      const redactor = knowing(one, other)
      const isSecret = Array.from(text, () => false)
      for (let at = 0; at + 16 <= text.length; at += 1)
        if ([one, other].some((secret) => secret.includes(text.slice(at, at + 16)))) isSecret.fill(true, at, at + 16)
      const expected = Array.from(text, (letter, at) => (isSecret[at] === true ? '*' : letter)).join('')
      expect(redactor.redact(text)).toBe(expected.replaceAll(/\*+/g, '***'))
      const shown = streamed(redactor, cut(Buffer.from(text), cuts))
      expect([shows(shown, one), shows(shown, other)]).toEqual([false, false])
      if (isSecret.includes(true)) masked += 1
    }),
    { numRuns: 500 },
  )
  expect(masked).toBeGreaterThan(80)
})

test('a short secret with separators does not mask the word that is left without the separators', () => {
  const redactor = knowing('pass:word', 'a b c d')
  expect(redactor.redact('the password of abcd: pass:word, a b c d')).toBe('the password of abcd: ***, ***')
})

test('two secrets that touch at a cut of the output get one mask', () => {
  const [one, other] = ['a1'.repeat(12), 'b2'.repeat(12)]
  expect(streamed(knowing(one, other), [Buffer.from(`<${one}`), Buffer.from(`${other}>`)])).toBe('<***>')
})

test.each(['ein Passwort mit größerer Stärke', 'äöüß'.repeat(6), 'пароль'.repeat(3)])(
  'a secret with characters outside ASCII is masked: %s',
  (secret) => {
    expect(knowing(secret).redact(`<${secret}> <${encodeURIComponent(secret)}>`)).toBe('<***> <***>')
  },
)
