import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { commandsDefused } from '../../src/platform/workflow-commands.ts'

async function defused(chunks: Buffer[]): Promise<string> {
  const stream = commandsDefused()
  for (const chunk of chunks) stream.write(chunk)
  stream.end()
  return Buffer.concat((await stream.toArray()) as Buffer[]).toString()
}

/** As the runner reads lines: split at LF, CR and CRLF, leading white space skipped. */
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
])('%j issues no command', async (text) => {
  expect(hasCommand(text)).toBe(true)
  expect(hasCommand(await defused([Buffer.from(text)]))).toBe(false)
})

test('nor does any text, however it is cut', async () => {
  const text = fc.string({ unit: fc.constantFrom(':', '::', '#', '##[', '[', '\n', '\r', ' ', '\t', 'x', 'é', '\u00a0'), maxLength: 40 })
  await fc.assert(
    fc.asyncProperty(text, fc.integer({ min: 1, max: 5 }), async (whole, size) => {
      const bytes = Buffer.from(whole)
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))
      const output = await defused(chunks)
      return !hasCommand(output) && output.replaceAll('\u200b', '') === whole
    }),
    { numRuns: 2000 },
  )
})

test.each([['a :: b\n'], ['std::vector\n'], ['## [1.0.0]\n'], ['# title\n'], [': :\n']])('%j is left alone', async (text) => {
  expect(await defused([Buffer.from(text)])).toBe(text)
})
