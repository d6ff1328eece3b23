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

/** The last line of a piece, which the next piece may continue. */
interface Line {
  /** It has only white space so far. */
  blank: boolean
  /** It ends with a colon that only white space precedes. */
  colon: boolean
  /** How many `#` it ends with, at most 2. */
  hashes: number
}

/**
 * Makes a filter that hides workflow commands from the runner by a zero-width space. The runner reads `::name::` as a command at
 * the start of a line, `##[name]` anywhere.
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

/** The positions of the second colon of each `::` that only white space precedes on its line. */
function colonPositions(piece: Buffer, line: Line, search: TextSearch): number[] {
  const places: number[] = []
  if (line.colon && piece[0] === COLON) places.push(0)
  // Faster than Buffer.indexOf(), which would stop at each single colon: most logs have many.
  search.setInput(piece)
  for (let at = search.indexOfPair(COLON, COLON, 0); at >= 0; at = search.indexOfPair(COLON, COLON, lineEnd(piece, at + 2))) {
    const before = lastNotBlank(piece, at)
    if (before < 0 ? line.blank : isLineEnd(piece[before])) places.push(at + 1)
  }
  return places
}

/** The positions of the bracket of each `##[`. */
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
  // Fast for most lines: they hold more than white space, so the search ends after a few bytes.
  const last = lastNotBlank(piece, end)
  const onlyBlank = last < 0 ? before.blank : isLineEnd(piece[last])
  let hashes = 0
  while (hashes < 2 && hashes < length && piece[length - 1 - hashes] === HASH) hashes += 1
  if (hashes === length) hashes = Math.min(2, hashes + before.hashes)
  return { blank: onlyBlank && !colon, colon: onlyBlank && colon, hashes }
}

/** The position of the last byte before `end` that is not white space within a line; -1 if there is none. */
function lastNotBlank(piece: Buffer, end: number): number {
  let at = end - 1
  while (at >= 0 && isBlank(piece[at] ?? 0)) at -= 1
  return at
}

/** The runner skips white space, also characters of several bytes in UTF-8. So every byte from 0x80 on counts as white space. */
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
