import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { setImmediate } from 'node:timers/promises'
import { Redactor } from '../../src/redact.ts'

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

async function streamed(redactor: Redactor, chunks: Buffer[]): Promise<string> {
  const stream = redactor.stream()
  for (const chunk of chunks) stream.write(chunk)
  stream.end()
  return Buffer.concat((await stream.toArray()) as Buffer[]).toString()
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

/** Whether 16 neighbouring characters of `secret` stand in `text`. */
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

describe.each(Object.entries(spellings))('%s', (_name, spell) => {
  test('of the whole token, and of every part of 24 characters, is masked', () => {
    const redactor = knowing(TOKEN)
    expect(shows(redactor.redact(`before ${spell(TOKEN)} after`), spell(SECRET))).toBe(false)
    for (let at = 0; at + 24 <= SECRET.length; at += 1) {
      const spelled = spell(SECRET.slice(at, at + 24))
      expect(redactor.redact(`key: ${spelled};`)).toContain('***')
    }
  })

  test('is masked across any split of writes, whatever stands around it', async () => {
    const around = fc.oneof(fc.string({ maxLength: 60 }), fc.constant('eyJhbGciOiJSUzI1NiIsImtpZCI6'), fc.constant('\n'))
    const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 12 })
    const part = fc.tuple(fc.nat(SECRET.length - 40), fc.integer({ min: 40, max: SECRET.length }))
    await fc.assert(
      fc.asyncProperty(around, part, around, lengths, async (before, [from, length], after, cuts) => {
        const secret = spell(SECRET.slice(from, from + length))
        const output = await streamed(knowing(TOKEN), cut(Buffer.from(before + secret + after), cuts))
        // The edges of base64 depend on the neighbours and are no part of the secret.
        return output.includes('***') && !shows(output, secret.slice(4, -4))
      }),
      { numRuns: 200 },
    )
  })
})

test('clean text comes through byte by byte as it was', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 3000 }),
      fc.array(fc.integer({ min: 1, max: 500 }), { minLength: 1 }),
      async (bytes, cuts) => {
        const stream = knowing(TOKEN).stream()
        for (const chunk of cut(Buffer.from(bytes), cuts)) stream.write(chunk)
        stream.end()
        return Buffer.concat((await stream.toArray()) as Buffer[]).equals(Buffer.from(bytes))
      },
    ),
  )
})

test('15 neighbouring characters may be a coincidence, 16 are not', () => {
  const redactor = knowing(TOKEN)
  const at = PAYLOAD.length + 20
  expect(redactor.redact(`<${SECRET.slice(at, at + 15)}>`)).toBe(`<${SECRET.slice(at, at + 15)}>`)
  expect(redactor.redact(`<${SECRET.slice(at, at + 16)}>`)).toBe('<***>')
})

test('the header, which all tokens of a server share, is not masked', () => {
  expect(knowing(TOKEN).redact(`kid in ${HEADER}`)).toBe(`kid in ${HEADER}`)
})

test('a run that comes a character at a time gets one mask', async () => {
  expect(await streamed(knowing(TOKEN), cut(Buffer.from(`[${SIGNATURE}]\n`), [1]))).toMatch(/^\[.{0,15}\*{3}\]\n$/)
})

test('a secret dripped slowly is found: nothing is held back, and no 16 characters are shown', async () => {
  const stream = knowing(TOKEN).stream()
  let shown = ''
  stream.on('data', (chunk: Buffer) => (shown += chunk.toString()))
  for (const piece of SIGNATURE.match(/.{1,10}/g) ?? []) {
    stream.write(piece)
    await setImmediate()
    if (!shown.includes('***')) expect(SIGNATURE.startsWith(shown)).toBe(true)
  }
  expect(shown).toMatch(/^.{10,15}\*{3}$/)
})

test('several secrets, and a new one while the stream is open', async () => {
  const redactor = knowing(TOKEN, 'another-secret-value-of-length')
  const stream = redactor.stream()
  stream.write('one another-secret-value-of-length\n')
  redactor.seal('a-third-one-that-came-late!')
  stream.end(`two a-third-one-that-came-late! three ${SIGNATURE}\n`)
  expect(Buffer.concat((await stream.toArray()) as Buffer[]).toString()).toBe('one ***\ntwo *** three ***\n')
})

test('a secret shorter than 16 characters is masked as a whole', () => {
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

test('a text of the program itself is shown although a secret has a part of it, and nothing beyond that', () => {
  const shown = 'for example: eyJhbGciOiJSUzI1NiIs...'
  const redactor = new Redactor([shown])
  redactor.seal(`Bearer ${HEADER}.${PAYLOAD}.${SIGNATURE}`)
  redactor.seal('eyJhbGciOiJSUzI1NiIsImtpZCI6IjEyMzQ1Njc4OTAifQ-hunter2hunter2')
  expect(redactor.redact(`token is wrong; ${shown}\n${shown}`)).toBe(`token is wrong; ${shown}\n${shown}`)
  expect(redactor.redact(`it was eyJhbGciOiJSUzI1NiIsImtpZCI6; ${shown}`)).toBe(`it was ***; ${shown}`)
  expect(redactor.redact('for example: eyJhbGciOiJSUzI1NiIsImtpZCI6IjEyMzQ1Njc4OTAifQ-hunter2hunter2')).toBe('for example: ***')
})
