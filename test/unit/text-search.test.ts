import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { TextSearch, type ByteRange } from '../../src/redact/text-search.ts'

const SHORTEST_RUN = 16

/** Small alphabets, so that runs often touch, overlap and continue in another text. Some have control or non-ASCII bytes. */
const alphabets = fc.constantFrom([0x61, 0x62], [0x61, 0xe4], [0x00, 0x61], [0x0a, 0x20, 0x61], [0x2d, 0x39, 0x41, 0x7a], [0x80, 0xff])

interface Sample {
  secrets: Buffer[]
  before: Buffer
  text: Buffer
  cut: number
}

const samples: fc.Arbitrary<Sample> = alphabets.chain((alphabet) => {
  const bytes = (size: fc.IntArrayConstraints): fc.Arbitrary<Buffer> =>
    fc.array(fc.constantFrom(...alphabet), size).map((each) => Buffer.from(each))
  return fc.array(bytes({ minLength: 10, maxLength: 60 }), { minLength: 1, maxLength: 3 }).chain((secrets) => {
    const slice = fc
      .tuple(fc.constantFrom(...secrets), fc.nat(40), fc.integer({ min: 8, max: 40 }))
      .map(([secret, from, length]) => secret.subarray(from, from + length))
    const filler = fc.constantFrom('\u0000', ' ', '~'.repeat(9), '-'.repeat(70)).map((text) => Buffer.from(text))
    return fc.record({
      secrets: fc.constant(secrets),
      before: bytes({ maxLength: 300 }),
      text: fc.array(fc.oneof(slice, slice, filler), { maxLength: 12 }).map((parts) => Buffer.concat(parts)),
      cut: fc.nat(120),
    })
  })
})

/** The runs that the search must mark, found by a simple algorithm. */
function expectedRuns({ secrets, text, cut }: Sample): ByteRange[] {
  const runs: ByteRange[] = []
  for (let at = Math.max(0, cut - SHORTEST_RUN); at + SHORTEST_RUN <= text.length; at += 1) {
    const window = text.subarray(at, at + SHORTEST_RUN)
    if (!secrets.some((secret) => secret.includes(window))) continue
    const last = runs.at(-1)
    if (last !== undefined && last.end >= at) last.end = at + SHORTEST_RUN
    else runs.push({ start: at, end: at + SHORTEST_RUN })
  }
  return runs
}

test('the search marks exactly the runs that end at or after the cut, with any input before', () => {
  let found = 0
  fc.assert(
    fc.property(samples, (sample) => {
      const { secrets, before, text, cut } = sample
      const search = new TextSearch()
      for (const secret of secrets) expect(search.addText(secret)).toBe(secret.length >= SHORTEST_RUN)
      search.setInput(before)
      search.markRuns(0)
      search.setInput(text)
      search.markRuns(Math.min(cut, text.length))
      const runs = search.markedRuns()
      expect(runs).toEqual(expectedRuns({ ...sample, cut: Math.min(cut, text.length) }))
      found += runs.length
    }),
    { numRuns: 1_000 },
  )
  expect(found).toBeGreaterThan(100)
})

test('a dump in one input does not change what looks dumped in the next input', () => {
  const dump = '61 62 63 64 65 66 67 68 '
  const dumpedBytes = (texts: string[]): number[] => {
    const search = new TextSearch()
    return texts.map((text) => {
      search.setInput(Buffer.from(text))
      return search.markDumpedRuns(0)
    })
  }
  const next = dump.repeat(4) + 'Nothing here is a dump of anything. '.repeat(80)
  const [alone = 0] = dumpedBytes([next])
  expect(alone).toBeLessThan(next.length)
  expect(dumpedBytes([dump.repeat(200), next])).toEqual([200 * dump.length, alone])
})
