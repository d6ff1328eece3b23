import { merged, type Run } from './run-index.ts'

/** How many bytes lie between two samples. A prime number avoids the same byte of each element. */
const STEP = 23
/** How many bytes before and behind a cut hold a dump of 16 characters in its shortest lines. */
const NEAR_CUT = 128
const WINDOW = 12
/** How many bytes around a sample belong to the dump: a dump of 16 characters has several lines, and not each holds a sample. */
const AROUND = 512
/** How many bytes around an ANSI code to search: 16 characters of a secret, and the code. */
const AROUND_CODE = 32
/** Regions with so few bytes between them are read as one. */
const GAP = 64
const ESCAPE = 0x1b
/** Nearly all ANSI codes begin so. */
const CODE = Buffer.from('\x1b[')
const LF = 0x0a
const CR = 0x0d
const BLANK = 0x20
const COLON = 0x3a
const BRACKET = 0x3e
const BAR = 0x7c
const PERCENT = 0x25
const AMPERSAND = 0x26
const LESS = 0x3c
const HASH = 0x23
const BACKSLASH = 0x5c
const ZERO = 0x30
const SMALL_X = 0x78

// Bits of a byte's class.
const HEX = 1
const SEPARATOR = 2
const EITHER = 4
const classes = Uint8Array.from({ length: 256 }, (_, byte) => {
  const letter = String.fromCharCode(byte)
  if (/[0-9a-fA-F]/.test(letter)) return HEX | EITHER
  // The prefixes in \x41, \u0041, 0x41, %41, &#x41; and $'\x41' count as separators.
  return /[\t\n\v\f\r \0:,;"'\\xXuU%&#$|{}]/.test(letter) ? SEPARATOR | EITHER : 0
})

/**
 * The regions that look like a dump, in order: separated hex digits, separated single characters, or ANSI codes.
 * @param cuts places where an output was cut: few lines of a dump may stand there, so that each byte begins a sample
 */
export function dumpedRegions(bytes: Buffer, cuts: readonly number[] = []): Run[] {
  return merged([...sampledRegions(bytes), ...codeRegions(bytes), ...cutRegions(bytes, cuts)], GAP)
}

/** Whether there is such a region. */
export function looksDumped(bytes: Buffer, cuts: readonly number[] = []): boolean {
  return nextSample(bytes, 0) >= 0 || nextCode(bytes, 0) >= 0 || cutRegions(bytes, cuts).length > 0
}

function cutRegions(bytes: Buffer, cuts: readonly number[]): Run[] {
  const regions: Run[] = []
  for (const cut of cuts) {
    const from = Math.max(0, cut - NEAR_CUT)
    const at = nextSample(bytes.subarray(from, cut + NEAR_CUT), 0, 1)
    if (at >= 0) include(regions, bytes, from + at, AROUND)
  }
  return regions
}

function sampledRegions(bytes: Buffer): Run[] {
  const regions: Run[] = []
  for (let at = nextSample(bytes, 0); at >= 0; at = nextSample(bytes, at + AROUND / 2)) include(regions, bytes, at, AROUND)
  return regions
}

/** The place of the next sample that looks dumped; -1 if there is none. The last window is a sample, too. */
function nextSample(bytes: Buffer, from: number, step = STEP): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const last = bytes.length - WINDOW
  for (let at = from; at <= last; at += step) if (isDumped(bytes, view, at)) return at
  return from <= last && isDumped(bytes, view, last) ? last : -1
}

function codeRegions(bytes: Buffer): Run[] {
  const regions: Run[] = []
  for (let at = nextCode(bytes, 0); at >= 0; at = nextCode(bytes, at + 2)) include(regions, bytes, at, AROUND_CODE)
  return regions
}

/** The place of the next ANSI code; -1 if there is none. */
function nextCode(bytes: Buffer, from: number): number {
  // A call for each code would cost more than a look at what is near.
  const near = Math.min(from + 64, bytes.length)
  for (let at = from; at < near; at += 1) if (isCode(bytes, at)) return at
  let at = bytes.indexOf(CODE, near)
  while (at >= 0 && !isCode(bytes, at)) at = bytes.indexOf(CODE, at + 2)
  return at
}

/** Adds what lies around a place behind those of all regions, or widens the last region. */
function include(regions: Run[], bytes: Uint8Array, at: number, around: number): void {
  const [start, end] = [Math.max(0, at - around), Math.min(bytes.length, at + around)]
  const last = regions.at(-1)
  if (last !== undefined && last.end + GAP >= start) last.end = end
  else regions.push({ start, end })
}

/** Whether the window at `at` holds separated hex digits, or separated single characters. */
function isDumped(bytes: Uint8Array, view: DataView, at: number): boolean {
  const first = view.getInt32(at, true)
  const change = first ^ view.getInt32(at + 4, true)
  if (change !== 0 && ((change & 0x00ff00ff) === 0 || (change & 0xff00ff00) === 0) && isSpaced(view, at)) return true
  const a = classes[first & 0xff] ?? 0
  const b = classes[(first >>> 8) & 0xff] ?? 0
  const c = classes[(first >>> 16) & 0xff] ?? 0
  const d = classes[first >>> 24] ?? 0
  // All four bytes must have EITHER, and one must have HEX, which the shift moves to the bit of EITHER.
  return (a & b & c & d & ((a | b | c | d) << 2) & EITHER) !== 0 && isHexDump(bytes, at)
}

/** The window holds hex digits and separators only, and its first 8 bytes hold both. */
function isHexDump(bytes: Uint8Array, from: number): boolean {
  let [all, any] = [EITHER, 0]
  for (let at = from; at < from + WINDOW; at += 1) {
    const kind = classes[bytes[at] ?? 0] ?? 0
    all &= kind
    any |= kind
    if (at === from + 7 && any !== (HEX | SEPARATOR | EITHER)) return false
    if (all === 0) return false
  }
  return true
}

/** Blanks, or the zeros of UTF-16, separate single characters, with the same pattern in both words. */
function isSpaced(view: DataView, at: number): boolean {
  const [first, second] = [view.getInt32(at, true), view.getInt32(at + 4, true)]
  return ((first | second) & 0x80808080) === 0 && (isSpacedBy(first, second, 0x20202020) || isSpacedBy(first, second, 0))
}

function isSpacedBy(first: number, second: number, by: number): boolean {
  const places = others(first, by)
  return places === others(second, by) && SPACED.includes(places)
}

/** The patterns: one byte of four, or each second byte. */
const SPACED = [0x80, 0x8000, 0x800000, 0x80000000 | 0, 0x800080, 0x80008000 | 0]

/** Sets the uppermost bit of each byte of `word` that differs from the byte in `by`. */
function others(word: number, by: number): number {
  const x = word ^ by
  return (((x & 0x7f7f7f7f) + 0x7f7f7f7f) | x) & 0x80808080
}

/** The text of a dump without its separators, and the former place of each byte. */
export interface Undumped {
  text: Uint8Array
  places: Int32Array
}

// The action for a byte. DROP and KEEP are also the number of bytes by which the text grows.
const DROP = 0
const KEEP = 1
const LOOK = 2
const actions = Uint8Array.from({ length: 256 }, (_, byte) => {
  const letter = String.fromCharCode(byte)
  if (/[\n\x1bxXuU%&]/.test(letter)) return LOOK
  // No spelling of a token has any of these characters.
  return /[\t\v\f\r \0:,;"']/.test(letter) ? DROP : KEEP
})
const columnActions = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte === LF || byte === CR || byte === ESCAPE ? LOOK : byte === BLANK ? DROP : KEEP,
)

/** Reads the text of dumps. It keeps its memory, because new memory for each piece of an output costs more than the reading. */
export class DumpReader {
  #digits = new Text(0)
  #column = new Text(0)

  /**
   * Drops blanks, separators, prefixes of hex digits, ANSI codes and the offsets at the start of lines from a region.
   * @returns the digits, and the column of characters beside the dump; both are valid until the next call
   */
  read(bytes: Uint8Array, { start, end }: Run): [Undumped, Undumped] {
    if (this.#digits.capacity < end - start) [this.#digits, this.#column] = [new Text(end - start), new Text(end - start)]
    const [digits, column] = [this.#digits, this.#column]
    digits.length = column.length = 0
    for (let at = start; at < end;) {
      const offset = offsetEnd(bytes, at, end)
      const columnAt = offset === at ? end : columnStart(bytes, offset, end)
      at = readDigits(bytes, offset, columnAt, digits)
      if (at === columnAt && at < end) at = readColumn(bytes, at, end, column)
    }
    return [digits.undumped(), column.undumped()]
  }
}

/** Bytes of an output, and where each of them stands in it. */
class Text {
  length = 0
  readonly capacity: number
  readonly #bytes: Uint8Array
  readonly #places: Int32Array

  constructor(capacity: number) {
    this.capacity = capacity
    this.#bytes = new Uint8Array(capacity)
    this.#places = new Int32Array(capacity)
  }

  undumped(): Undumped {
    return { text: this.#bytes.subarray(0, this.length), places: this.#places }
  }

  add(byte: number, place: number): void {
    this.#bytes[this.length] = byte
    this.#places[this.length] = place
    this.length += 1
  }

  /** @returns the place of the first byte to look at, or `end` */
  addUntil(end: number, bytes: Uint8Array, from: number, actions: Uint8Array): number {
    const [text, places] = [this.#bytes, this.#places]
    let { length } = this
    let at = from
    for (; at < end; at += 1) {
      const byte = bytes[at] ?? 0
      const action = actions[byte] ?? KEEP
      if (action === LOOK) break
      // A useless write costs less than a branch for each byte.
      text[length] = byte
      places[length] = at
      length += action
    }
    this.length = length
    return at
  }
}

/** @returns the place of the next line, or `end` */
function readDigits(bytes: Uint8Array, from: number, end: number, into: Text): number {
  let at = from
  for (;;) {
    at = into.addUntil(end, bytes, at, actions)
    if (at >= end) return at
    const byte = bytes[at] ?? 0
    if (byte === LF) return at + 1
    if (byte === ESCAPE) at = codeEnd(bytes, at, end)
    else {
      const digits = digitsAfterPrefix(bytes, at, end)
      if (digits === at) into.add(byte, at)
      // The first character of \x, 0x and \u00 has been taken for text.
      else if (byte !== PERCENT && byte !== AMPERSAND) into.length = Math.max(0, into.length - 1)
      at = Math.max(digits, at + 1)
    }
  }
}

/** @returns the place of the line's end, or `end` */
function readColumn(bytes: Uint8Array, from: number, end: number, into: Text): number {
  const before = into.length
  let at = into.addUntil(end, bytes, from + 1, columnActions)
  while (bytes[at] === ESCAPE && at < end) at = into.addUntil(end, bytes, codeEnd(bytes, at, end), columnActions)
  // A bar or bracket ends the column that one begins, unless the output was cut before it.
  const isClosed = bytes[at - 1] === BAR || bytes[at - 1] === LESS
  if (isClosed && bytes[from] !== BLANK && into.length > before) into.length -= 1
  return at
}

/**
 * Finds the column of characters in a line. Two blanks begin it behind `00000000:`, a bar or bracket behind other offsets.
 * @returns the place of that mark; `end` if the line has no column
 */
function columnStart(bytes: Uint8Array, offset: number, end: number): number {
  const isMarkedByBlanks = bytes[offset - 1] === COLON
  for (let at = offset; at < end && bytes[at] !== LF; at += 1) {
    const byte = bytes[at]
    if (isMarkedByBlanks ? byte === BLANK && bytes[at + 1] === BLANK : byte === BAR || byte === BRACKET) return at
  }
  return end
}

function isHexDigit(byte: number | undefined): boolean {
  return ((classes[byte ?? 0] ?? 0) & HEX) !== 0
}

/** The place behind the offset that begins a line of a dump; `from` if the line has none. */
function offsetEnd(bytes: Uint8Array, from: number, end: number): number {
  const first = codesEnd(bytes, from, end)
  let at = first
  while (at < end && at - first < 17 && isHexDigit(bytes[at])) at += 1
  if (at - first < 6 || at - first > 16) return from
  at = codesEnd(bytes, at, end)
  if (bytes[at] === COLON && bytes[at + 1] === BLANK) return at + 1
  return bytes[at] === BLANK ? at : from
}

/** The place of two hex digits behind the `x` or `u` of `\x`, `0x` and `\u00`, behind `%` or `&#x`; without them `from`. */
function digitsAfterPrefix(bytes: Uint8Array, from: number, end: number): number {
  const byte = bytes[from] ?? 0
  const before = bytes[from - 1]
  let at = from
  if (byte === PERCENT) at += 1
  else if (byte === AMPERSAND) at += bytes[from + 1] === HASH && ((bytes[from + 2] ?? 0) | 0x20) === SMALL_X ? 3 : 0
  else if ((byte | 0x20) === SMALL_X) at += before === BACKSLASH || before === ZERO ? 1 : 0
  else at += before === BACKSLASH && bytes[from + 1] === ZERO && bytes[from + 2] === ZERO ? 3 : 0
  return at > from && at + 1 < end && isHexDigit(bytes[at]) && isHexDigit(bytes[at + 1]) ? at : from
}

/** Tells an ANSI code from the same two bytes in a binary file. The end of the piece may cut a code off. */
function isCode(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== ESCAPE || bytes[at + 1] !== CODE[1]) return false
  const next = bytes[at + 2] ?? 0x30
  return (next >= 0x30 && next <= 0x3f) || (next >= 0x41 && next <= 0x5a) || (next >= 0x61 && next <= 0x7a)
}

/** The place behind all ANSI codes that stand at `from`, which colour a line or its offset. */
function codesEnd(bytes: Uint8Array, from: number, end: number): number {
  let at = from
  while (at < end && bytes[at] === ESCAPE) at = codeEnd(bytes, at, end)
  return at
}

/** The place behind an ANSI code. CSI ends with a letter, OSC with BEL or ST; one byte names a character set. */
function codeEnd(bytes: Uint8Array, from: number, end: number): number {
  const kind = bytes[from + 1]
  let at = from + 2
  if (kind === 0x5b) while (at < end && ((bytes[at] ?? 0) < 0x40 || (bytes[at] ?? 0) > 0x7e)) at += 1
  else if (kind === 0x5d) while (at < end && bytes[at] !== 0x07 && bytes[at - 1] !== ESCAPE) at += 1
  else if (kind !== 0x28 && kind !== 0x29) at -= 1
  return Math.min(at + 1, end)
}

/** The former places of a run of the text, as one run for each line. */
export function dumpedRuns(bytes: Uint8Array, { places }: Undumped, run: Run): Run[] {
  const runs: Run[] = []
  let start = places[run.start] ?? 0
  for (let index = run.start; index < run.end; index += 1) {
    const at = places[index] ?? 0
    const next = index + 1 < run.end ? (places[index + 1] ?? 0) : undefined
    if (next !== undefined && !hasLineEnd(bytes, at, next)) continue
    runs.push({ start, end: at + 1 })
    start = next ?? 0
  }
  return runs
}

function hasLineEnd(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (bytes[at] === LF) return true
  return false
}
