import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { markdownCode, quote } from '../../src/base/quote.ts'

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
  ['a|b', '`a\\|b`'],
  ['a`b', '`` a`b ``'],
  ['a\n# b', '`a # b`'],
  ['<img src=x>', '`<img src=x>`'],
])('markdownCode of %j is %s', (text, markdown) => {
  expect(markdownCode(text)).toBe(markdown)
})

test.each(['\u0085', '\u200b', '\u2028', '\u202e', '\u2066', '\ufeff'])('quote writes %j as an escape sequence', (character) => {
  expect(quote(character)).toBe(`"\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}"`)
})
