import type { Run } from './run-index.ts'

/** A sample at each 23rd byte finds a dump of 16 characters. A prime number avoids the same byte of each element. */
const STEP = 23
const WINDOW = 20
/** How many bytes around a sample belong to the dump. The lines of dumps are shorter. */
const AROUND = 256
/** How many bytes around an ANSI code to search: 16 characters of a secret, and the code. */
const AROUND_CODE = 32
const ESCAPE = 0x1b
/** Nearly all ANSI codes begin so. */
const CODE = Buffer.from('\x1b[')
const LF = 0x0a
const CR = 0x0d
const BLANK = 0x20
const COLON = 0x3a
const BRACKET = 0x3e
const BAR = 0x7c

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

/** The regions that look like a dump, in order: separated hex digits, separated single characters, or ANSI codes. */
export function dumpedRegions(bytes: Buffer): Run[] {
  const regions: Run[] = []
  const include = (at: number, around: number): void => {
    const [start, end] = [Math.max(0, at - around), Math.min(bytes.length, at + around)]
    const last = regions.at(-1)
    if (last !== undefined && last.end + AROUND >= start) last.end = Math.max(last.end, end)
    else regions.push({ start, end })
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let code = bytes.indexOf(CODE)
  const lastWindow = bytes.length - WINDOW
  for (let at = 0; at <= lastWindow; at += STEP) {
    while (code >= 0 && code < at) {
      if (isCode(bytes, code)) include(code, AROUND_CODE)
      code = bytes.indexOf(CODE, code + 2)
    }
    const first = view.getInt32(at, true)
    const change = first ^ view.getInt32(at + 4, true)
    const isRegular = change !== 0 && ((change & 0x00ff00ff) === 0 || (change & 0xff00ff00) === 0)
    const [a, b, c] = [classes[first & 0xff] ?? 0, classes[(first >>> 8) & 0xff] ?? 0, classes[(first >>> 16) & 0xff] ?? 0]
    const d = classes[first >>> 24] ?? 0
    // All four bytes must have EITHER, and one must have HEX, which the shift moves to the bit of EITHER.
    const mayBeHex = (a & b & c & d & ((a | b | c | d) << 2) & EITHER) !== 0
    if ((isRegular && isSpaced(view, at)) || (mayBeHex && isHexDump(bytes, at))) {
      include(at, AROUND)
      at += AROUND / 2
    }
  }
  for (; code >= 0; code = bytes.indexOf(CODE, code + 2)) if (isCode(bytes, code)) include(code, AROUND_CODE)
  return regions
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

// The action for each byte.
const KEEP = 0
const DROP = 1
const LOOK = 2
const actions = Uint8Array.from({ length: 256 }, (_, byte) => {
  const letter = String.fromCharCode(byte)
  if (/[\n\x1b 0\\%&|>]/.test(letter)) return LOOK
  // No spelling of a token has any of these characters.
  return /[\t\v\f\r\0:,;"']/.test(letter) ? DROP : KEEP
})

/**
 * Drops blanks, separators, prefixes of hex digits, ANSI codes and the offsets at the start of lines from a region.
 * @returns the digits, and the column of characters beside the dump
 */
export function undump(bytes: Uint8Array, { start, end }: Run): [Undumped, Undumped] {
  const [text, places] = [new Uint8Array(end - start), new Int32Array(end - start)]
  const [columnText, columnPlaces] = [new Uint8Array(end - start), new Int32Array(end - start)]
  let [length, columnLength] = [0, 0]
  let columnMark = 0
  let at = start
  const beginLine = (): void => {
    const from = at
    at = offsetEnd(bytes, at, end)
    columnMark = at === from ? 0 : bytes[at - 1] === COLON ? BLANK : BAR
  }
  beginLine()
  while (at < end) {
    const byte = bytes[at] ?? 0
    const action = actions[byte] ?? KEEP
    if (action === KEEP) {
      text[length] = byte
      places[length] = at
      length += 1
      at += 1
    } else if (action === DROP) at += 1
    else if (byte === LF) {
      at += 1
      beginLine()
    } else if (byte === ESCAPE) at = codeEnd(bytes, at, end)
    else if (
      (columnMark === BLANK && byte === BLANK && bytes[at + 1] === BLANK) ||
      (columnMark === BAR && (byte === BAR || byte === BRACKET))
    ) {
      // A bar or bracket ends the column as well.
      const lineEnd = endOf(bytes, at, end)
      for (at += 1; at < lineEnd; at += 1) {
        if (bytes[at] === BLANK) continue
        columnText[columnLength] = bytes[at] ?? 0
        columnPlaces[columnLength] = at
        columnLength += 1
      }
      if (columnMark === BAR) columnLength -= 1
    } else if (byte === BLANK) at += 1
    else {
      const digits = digitsAfterPrefix(bytes, at, end)
      if (digits === at) {
        text[length] = byte
        places[length] = at
        length += 1
        at += 1
      } else at = digits
    }
  }
  return [
    { text: text.subarray(0, length), places },
    { text: columnText.subarray(0, Math.max(0, columnLength)), places: columnPlaces },
  ]
}

function endOf(bytes: Uint8Array, from: number, end: number): number {
  let at = from
  while (at < end && bytes[at] !== LF && bytes[at] !== CR) at += 1
  return at
}

function isHexDigit(byte: number | undefined): boolean {
  return ((classes[byte ?? 0] ?? 0) & HEX) !== 0
}

/** The place behind the offset that begins a line of a dump; `from` if the line has none. */
function offsetEnd(bytes: Uint8Array, from: number, end: number): number {
  let at = from
  while (at < end && at - from < 17 && isHexDigit(bytes[at])) at += 1
  if (at - from < 6 || at - from > 16) return from
  if (bytes[at] === 0x3a && bytes[at + 1] === 0x20) return at + 1
  return bytes[at] === 0x20 ? at : from
}

/** The place behind `\x`, `0x`, `\u00`, `%` or `&#x`, if two hex digits follow; otherwise `from`. */
function digitsAfterPrefix(bytes: Uint8Array, from: number, end: number): number {
  let at = from
  const byte = bytes[from] ?? 0
  const next = (bytes[from + 1] ?? 0) | 0x20
  if (byte === 0x25) at += 1
  else if ((byte === 0x5c || byte === 0x30) && next === 0x78) at += 2
  else if (byte === 0x5c && next === 0x75) at += bytes[from + 2] === 0x30 && bytes[from + 3] === 0x30 ? 4 : 0
  else if (byte === 0x26 && bytes[from + 1] === 0x23 && ((bytes[from + 2] ?? 0) | 0x20) === 0x78) at += 3
  return at > from && at + 1 < end && isHexDigit(bytes[at]) && isHexDigit(bytes[at + 1]) ? at : from
}

/** Tells an ANSI code from the same two bytes in a binary file. The end of the piece may cut a code off. */
function isCode(bytes: Uint8Array, at: number): boolean {
  const next = bytes[at + 2] ?? 0x30
  return (next >= 0x30 && next <= 0x3f) || (next >= 0x41 && next <= 0x5a) || (next >= 0x61 && next <= 0x7a)
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
