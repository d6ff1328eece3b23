import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { neutralizeCommands } from '../../src/platform/workflow-commands.ts'
import { TextSearch } from '../../src/redact/text-search.ts'

function neutralized(pieces: Buffer[]): string {
  return Buffer.concat(pieces.map(neutralizeCommands(new TextSearch()))).toString()
}

/** Whether the runner finds a command: it splits lines at LF, CR and CRLF, and skips leading white space. */
function hasCommand(text: string): boolean {
  return text.split(/\r\n|\r|\n/).some((line) => line.trimStart().startsWith('::') || line.includes('##['))
}

test.each([
  ['::set-output name=a::b\n'],
  ['  \t::error::x\n'],
  ['\u00a0\u3000::error::x\n'],
  ['text\n::add-mask::x'],
  ['text\r::add-mask::x'],
  ['anything ##[set-output name=a]b\n'],
  ['####[group]\n'],
])('neutralizeCommands removes the workflow command in %j', (text) => {
  expect(hasCommand(text)).toBe(true)
  expect(hasCommand(neutralized([Buffer.from(text)]))).toBe(false)
})

const units = fc.constantFrom(':', '::', '#', '##', '##[', '[', '\n', '\r', ' ', '\t', '\v', 'x', 'é', '\u00a0', '\0')

test('a neutralized text issues no workflow command, across any split of writes', () => {
  fc.assert(
    fc.property(fc.string({ unit: units, maxLength: 40 }), fc.integer({ min: 1, max: 5 }), (whole, size) => {
      const output = neutralized(cut(Buffer.from(whole), [size]))
      return !hasCommand(output) && output.replaceAll('\u200b', '') === whole
    }),
    { numRuns: 2000 },
  )
})

test('neutralizeCommands equals two regular expressions, for a whole text and for its pieces', () => {
  const reference = (text: Buffer): string =>
    text
      .toString('latin1')
      .replaceAll(/(^|[\r\n])([\s\x80-\xff]*:)(?=:)/g, '$1$2\xe2\x80\x8b')
      .replaceAll('##[', '##\xe2\x80\x8b[')
  const lengths = fc
    .array(fc.integer({ min: 0, max: 7 }), { minLength: 1, maxLength: 6 })
    .filter((cuts) => cuts.some((length) => length > 0))
  fc.assert(
    fc.property(fc.string({ unit: units, maxLength: 120 }), lengths, (whole, cuts) => {
      const bytes = Buffer.from(whole)
      const expected = Buffer.from(reference(bytes), 'latin1').toString()
      expect(neutralized([bytes])).toBe(expected)
      expect(neutralized(cut(bytes, cuts))).toBe(expected)
    }),
    { numRuns: 3000 },
  )
})

test('neutralizeCommands returns the piece itself if it changes nothing', () => {
  const filter = neutralizeCommands(new TextSearch())
  for (const text of ['', 'a: b\n', '\n'.repeat(100), ' '.repeat(100), 'ก:', ' #', '# [x] std::string']) {
    const piece = Buffer.from(text)
    expect(filter(piece)).toBe(piece)
  }
})

test.each([['a :: b\n'], ['std::vector\n'], ['## [1.0.0]\n'], ['# title\n'], [': :\n']])(
  'neutralizeCommands does not change %j',
  (text) => {
    expect(neutralized([Buffer.from(text)])).toBe(text)
  },
)

function cut(bytes: Buffer, lengths: number[]): Buffer[] {
  const pieces: Buffer[] = []
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const length = lengths[i % lengths.length] ?? 1
    pieces.push(bytes.subarray(at, at + length))
    at += length
  }
  return pieces
}
