import type { Filter } from '../redact/filter.ts'
import type { TextSearch } from '../redact/text-search.ts'

/** U+200B in UTF-8. */
const ZERO_WIDTH_SPACE = Buffer.from('\u200b')
const PREFIX = Buffer.from('##[')
const LF = 0x0a
const CR = 0x0d
const COLON = 0x3a
const HASH = 0x23
const BRACKET = 0x5b

/** What the line that a piece ends with has so far. */
interface Line {
  /** Nothing but white space; `colon` may follow it. */
  blank: boolean
  /** A colon that only white space precedes. */
  colon: boolean
  /** How many `#` it ends with, at most 2. */
  hashes: number
}

/**
 * Passes text on so that the runner sees no command in it: `::name::` counts at the start of a line,
 * `##[name]` anywhere. A zero-width space is put inside.
 * https://github.com/actions/runner/blob/v2.336.0/src/Runner.Common/ActionCommand.cs
 */
export function neutralizeCommands(search: TextSearch): Filter {
  let line: Line = { blank: true, colon: false, hashes: 0 }
  return (piece) => {
    if (piece.length === 0) return piece
    const places = [...colonPositions(piece, line, search), ...bracketPositions(piece, line)].sort((a, b) => a - b)
    line = lineAfter(piece, line)
    return places.length === 0 ? piece : withSpaces(piece, places)
  }
}

/** Before which bytes a space is needed: the second colon of each `::` that only white space precedes on its line. */
function colonPositions(piece: Buffer, line: Line, search: TextSearch): number[] {
  const places: number[] = []
  if (line.colon && piece[0] === COLON) places.push(0)
  // Buffer.indexOf() would stop at each single colon, of which most logs have many.
  search.setInput(piece)
  for (let at = search.indexOfPair(COLON, COLON, 0); at >= 0; at = search.indexOfPair(COLON, COLON, lineEnd(piece, at + 2))) {
    const before = lastNotBlank(piece, at)
    if (before < 0 ? line.blank : isLineEnd(piece[before])) places.push(at + 1)
  }
  return places
}

/** The bracket of each `##[`. */
function bracketPositions(piece: Buffer, { hashes }: Line): number[] {
  const places: number[] = []
  if (hashes === 2 && piece[0] === BRACKET) places.push(0)
  if (hashes >= 1 && piece[0] === HASH && piece[1] === BRACKET) places.push(1)
  for (let at = piece.indexOf(PREFIX); at >= 0; at = piece.indexOf(PREFIX, at + 3)) places.push(at + 2)
  return places
}

function lineAfter(piece: Buffer, before: Line): Line {
  const { length } = piece
  const colon = piece[length - 1] === COLON
  const end = colon ? length - 1 : length
  // Most lines hold more than white space, so that this ends after a few bytes.
  const last = lastNotBlank(piece, end)
  const onlyBlank = last < 0 ? before.blank : isLineEnd(piece[last])
  let hashes = 0
  while (hashes < 2 && hashes < length && piece[length - 1 - hashes] === HASH) hashes += 1
  if (hashes === length) hashes = Math.min(2, hashes + before.hashes)
  return { blank: onlyBlank && !colon, colon: onlyBlank && colon, hashes }
}

/** The last byte before `end` that is no white space within a line; -1 if there is none. */
function lastNotBlank(piece: Buffer, end: number): number {
  let at = end - 1
  while (at >= 0 && isBlank(piece[at] ?? 0)) at -= 1
  return at
}

/** The runner skips white space, some of which has several bytes: every byte of such counts. */
function isBlank(byte: number): boolean {
  return byte === 0x20 || byte >= 0x80 || byte === 0x09 || byte === 0x0b || byte === 0x0c
}

function isLineEnd(byte: number | undefined): boolean {
  return byte === LF || byte === CR
}

function lineEnd(piece: Buffer, at: number): number {
  while (at < piece.length && !isLineEnd(piece[at])) at += 1
  return at
}

function withSpaces(piece: Buffer, places: number[]): Buffer {
  const result = Buffer.allocUnsafe(piece.length + places.length * ZERO_WIDTH_SPACE.length)
  let from = 0
  let to = 0
  for (const place of places) {
    to += piece.copy(result, to, from, place)
    to += ZERO_WIDTH_SPACE.copy(result, to)
    from = place
  }
  piece.copy(result, to, from)
  return result
}
