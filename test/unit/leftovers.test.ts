import { createHash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { leaks } from '../leftovers.ts'

const header = Buffer.from('{"alg":"RS256","kid":"x7"}').toString('base64url')
/** The same bytes in each run, because random bytes can give equal characters at the edges of base64 by chance. */
function bytes(count: number, seed: string): Buffer {
  return createHash('shake256', { outputLength: count }).update(seed).digest()
}

const token = [header, bytes(240, 'payload').toString('base64url'), bytes(256, 'signature').toString('base64url')].join('.')
const [, payload = '', signature = ''] = token.split('.')
const piece = payload.slice(77, 93)

const found = async (text: string | Buffer): Promise<boolean> => (await leaks([token], { here: text })).length === 1

describe('leaks() finds 16 consecutive characters of payload or signature', () => {
  test.each([
    ['the whole token', token],
    ['the beginning of the payload', payload.slice(0, 16)],
    ['the end of the signature', signature.slice(-16)],
    ['in the midst of other text', `a${piece}b`],
    ['among bytes that are no text', Buffer.concat([Buffer.of(0xff, 0, 0xc3), Buffer.from(piece), Buffer.of(0x80)])],
  ])('in plain text: %s', async (_, text) => {
    expect(await found(text)).toBe(true)
  })

  test.each([0, 1, 2, 3, 4, 5])('in base64 and base64url, %i bytes before it', async (before) => {
    const document = Buffer.from(`${'ÿ>?'.repeat(3).slice(0, before)}${piece}ÿ?>ÿ`)
    expect(await found(document.toString('base64'))).toBe(true)
    expect(await found(document.toString('base64url'))).toBe(true)
  })

  test('in base64 without padding', async () => {
    for (const before of [0, 1, 2]) {
      const text = Buffer.from('.'.repeat(before) + piece)
        .toString('base64')
        .replaceAll('=', '')
      expect(await found(text)).toBe(true)
    }
  })

  test('in hex of either case', async () => {
    const hex = Buffer.from(piece).toString('hex')
    expect(await found(hex)).toBe(true)
    expect(await found(hex.toUpperCase())).toBe(true)
  })

  test('but not 15 characters, in any form', async () => {
    const short = Buffer.from(`?${piece.slice(1)}?`)
    for (const text of [piece.slice(1), piece.slice(0, -1), short.toString('base64'), short.toString('hex')])
      expect(await found(text)).toBe(false)
  })

  test('but not 16 characters in two parts', async () => {
    expect(await found(`${piece.slice(0, 8)}\n${piece.slice(8)}`)).toBe(false)
    expect(await found(`${payload.slice(-8)}.${signature.slice(0, 8)}`)).toBe(false)
  })
})

test('leaks() ignores the header, which is common to all tokens', async () => {
  expect(await found(`${header}.`)).toBe(false)
  expect(await found(Buffer.from(header).toString('base64'))).toBe(false)
})

test('leaks() does not take another token for this one', async () => {
  const other = [header, bytes(240, 'other payload').toString('base64url'), bytes(256, 'other signature').toString('base64url')].join('.')
  expect(await found(`${other} ${Buffer.from(other).toString('base64')}`)).toBe(false)
})

test('leaks() returns only the places that leak', async () => {
  const texts = { stdout: `token: ${token}`, stderr: 'nothing', state: Buffer.from(token).toString('base64'), log: '' }
  expect(await leaks([token], texts)).toEqual(['stdout', 'state'])
  expect(await leaks([], texts)).toEqual([])
  expect(await leaks(['', 'opaque'], texts)).toEqual([])
})
