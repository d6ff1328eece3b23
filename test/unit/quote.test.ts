import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { markdownCell, markdownCode, oneLine, quote, unquoted } from '../../src/base/quote.ts'

test('a quoted text is on one line, issues no workflow command and does not change the reading direction', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
      const quoted = quote(`${text}\n::error::x##[y]`)
      return quoted.startsWith('"') && !/[\p{Cc}\u2028\u2029\u202e\u2066]/u.test(quoted) && !quoted.includes('##[')
    }),
  )
})

test('quote cuts a long text', () => {
  expect(quote('x'.repeat(1000)).length).toBeLessThan(310)
})

test.each([
  ['plain', '`plain`'],
  ['a|b', '`a|b`'],
  ['a`b', '`` a`b ``'],
  ['a\n# b', '`a # b`'],
  ['<img src=x>', '`<img src=x>`'],
])('markdownCode of %j is %s', (text, markdown) => {
  expect(markdownCode(text)).toBe(markdown)
})

test('markdownCell alone escapes the character that ends a cell', () => {
  expect(markdownCell('a|b`|c')).toBe('`` a\\|b`\\|c ``')
})

test.each(['\u0085', '\u200b', '\u2028', '\u202e', '\u2066', '\ufeff'])('quote writes %j as an escape sequence', (character) => {
  expect(quote(character)).toBe(`"\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}"`)
})

test.each([
  ['a\n\tb ', 'a b'],
  ['a\u0000\u001b[31mb', 'a [31mb'],
  ['say "a\\b"', 'say "a\\b"'],
  ['x'.repeat(12), `${'x'.repeat(9)}…`],
])('oneLine makes %j %j', (text, line) => {
  expect(oneLine(text, 10 + (text.startsWith('x') ? 0 : 90))).toBe(line)
})

test('an unquoted text is on one line, and issues no workflow command', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
      const line = unquoted(`${text}\n##[y]`, 1000)
      return !/[\p{Cc}\u2028\u2029\u202e\u2066]/u.test(line) && !line.includes('##[')
    }),
  )
})
