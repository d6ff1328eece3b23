import { nextDumped } from './is-dumped'
import { readDump } from './read-dump'
import { find, indexOfPair, regions, text, textEnd } from './text'

/** The distance between two samples. It is prime, so that the samples do not always hit the same byte of each dumped element. */
const SAMPLE_STEP: usize = 23
/** The number of bytes around a sample to read. A dump of 16 characters has several lines, and some lines contain no sample. */
const AROUND: usize = 512
/** The number of bytes before and after a cut that can contain a dump of 16 characters in the shortest lines. */
const NEAR_CUT: usize = 128
/** The number of bytes around an ANSI code to read. Codes with up to 128 bytes between them are read together. */
const AROUND_CODE: usize = 64
const ESCAPE = 0x1b
const BRACKET = 0x5b

let hasRegions = false

/**
 * Marks the runs of the text where it looks dumped: separated hex digits, separated single characters, or ANSI codes.
 * @param cut the address of a cut in the output. Only a few lines of a dump may stand there and at the end, so that each byte near
 *   them begins a sample
 * @returns how many bytes look dumped
 */
export function markDumped(cut: usize): usize {
  const length = textEnd - text
  for (let at = nextDumped(text, textEnd, SAMPLE_STEP); at != 0; at = nextDumped(at + AROUND / 2, textEnd, SAMPLE_STEP)) include(at, AROUND)
  includeCut(cut)
  includeCut(textEnd)
  for (let at = nextCode(text); at != 0; at = nextCode(at + 2)) include(at, AROUND_CODE)
  if (!hasRegions) return 0
  let looked: usize = 0
  const end = regions + length
  for (let start = find(regions, end, 1); start < end;) {
    const stop = min(end, find(start, end, 0))
    readDump(text + (start - regions), text + (stop - regions))
    looked += stop - start
    start = find(stop, end, 1)
  }
  memory.fill(regions, 0, length)
  hasRegions = false
  return looked
}

function includeCut(cut: usize): void {
  const at = nextDumped(max(text + NEAR_CUT, cut) - NEAR_CUT, min(textEnd, cut + NEAR_CUT), 1)
  if (at != 0) include(at, AROUND)
}

/** Adds the bytes around an address to the regions. */
function include(at: usize, around: usize): void {
  const from = max(text + around, at) - around
  const to = min(textEnd, at + around)
  memory.fill(regions + (from - text), 1, to - from)
  hasRegions = true
}

/** The address of the next ANSI code that begins with `ESC [`, as nearly all of them do; 0 if there is none. */
function nextCode(from: usize): usize {
  for (let index = indexOfPair(from - text, ESCAPE, BRACKET); index >= 0; index = indexOfPair(index + 2, ESCAPE, BRACKET))
    if (isCode(text + index)) return text + index
  return 0
}

/** Whether `ESC [` begins an ANSI code, and is not a coincidence in a binary file. The end of the text may cut a code off. */
function isCode(at: usize): bool {
  if (at + 2 == textEnd) return true
  const next = load<u8>(at, 2)
  return (next >= 0x30 && next <= 0x3f) || (next >= 0x41 && next <= 0x5a) || (next >= 0x61 && next <= 0x7a)
}
