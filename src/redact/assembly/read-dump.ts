import { whichAre } from './byte-kinds'
import { hexDigitsAt } from './is-dumped'
import { Actions, Reading } from './reading'
import { capacity as textCapacity } from './text'

const LF = 0x0a
const ESCAPE = 0x1b
const BELL = 0x07
const BLANK = 0x20
const PERCENT = 0x25
const AMPERSAND = 0x26
const HASH = 0x23
const PARENTHESIS = 0x28
const PARENTHESIS_CLOSED = 0x29
const ZERO = 0x30
const COLON = 0x3a
const LESS = 0x3c
const GREATER = 0x3e
const BRACKET = 0x5b
const BACKSLASH = 0x5c
const BRACKET_CLOSED = 0x5d
const SMALL_X = 0x78
const BAR = 0x7c

/** For the digits of a dump. No spelling of a token contains a dropped character. */
const digitActions = Actions.of('\t\v\f\r \0:,;"\'', '\n\x1bxXuU%&')
/** For the column of characters beside the digits. */
const columnActions = Actions.of(' ', '\n\r\x1b')
let capacity: usize = 0
let digits = Reading.of(0)
let column = Reading.of(0)

/**
 * Drops blanks, separators, prefixes of hex digits, ANSI codes and the offsets at the start of lines. Marks the runs in the digits
 * and in the column of characters beside the digits.
 */
export function readDump(from: usize, to: usize): void {
  if (capacity < textCapacity) {
    digits = Reading.of(textCapacity)
    column = Reading.of(textCapacity)
    capacity = textCapacity
  }
  digits.length = column.length = 0
  for (let at = from; at < to;) {
    const offset = offsetEnd(at, to)
    const columnAt = offset == at ? to : columnStart(offset, to)
    at = readDigits(offset, columnAt)
    if (at == columnAt && at < to) at = readColumn(at, to)
  }
  digits.markPlacesOfRuns()
  column.markPlacesOfRuns()
}

/** @returns the address of the next line, or `to` */
function readDigits(from: usize, to: usize): usize {
  let at = from
  while (true) {
    at = digits.addUntil(to, at, digitActions)
    if (at >= to) return at
    const byte = load<u8>(at)
    if (byte == LF) return at + 1
    if (byte == ESCAPE) at = codeEnd(at, to)
    else {
      const prefixEnd = digitsAfterPrefix(at, to)
      if (prefixEnd == at) digits.add(byte, at)
      // The first character of \x, 0x and \u00 was added as text before.
      else if (byte != PERCENT && byte != AMPERSAND && digits.length > 0) digits.length -= 1
      at = max(prefixEnd, at + 1)
    }
  }
}

/** @returns the address of the line's end, or `to` */
function readColumn(from: usize, to: usize): usize {
  const before = column.length
  let at = column.addUntil(to, from + 1, columnActions)
  while (at < to && load<u8>(at) == ESCAPE) at = column.addUntil(to, codeEnd(at, to), columnActions)
  // If a bar or bracket begins the column, another one ends it, unless a cut of the output removed it.
  const last = load<u8>(at - 1)
  if ((last == BAR || last == LESS) && load<u8>(from) != BLANK && column.length > before) column.length -= 1
  return at
}

/**
 * Finds the column of characters in a line. Two blanks begin the column after an offset with a colon, such as `00000000:`; a bar
 * or bracket begins it after other offsets.
 * @returns the address of the blanks, bar or bracket; `to` if the line has no column
 */
function columnStart(offset: usize, to: usize): usize {
  const isMarkedByBlanks = load<u8>(offset - 1) == COLON
  for (let at = offset; at < to; at += 16) {
    const bytes = v128.load(at)
    const marks = isMarkedByBlanks
      ? whichAre(bytes, BLANK) & whichAre(v128.load(at, 1), BLANK)
      : whichAre(bytes, BAR) | whichAre(bytes, GREATER)
    const found = marks | whichAre(bytes, LF)
    if (found == 0) continue
    const mark = at + ctz(found)
    return mark < to && load<u8>(mark) != LF ? mark : to
  }
  return to
}

/** The address after the offset that begins a line of a dump; `from` if the line has no offset. */
function offsetEnd(from: usize, to: usize): usize {
  const first = codesEnd(from, to)
  const count = ctz(~hexDigitsAt(first) | 0x10000)
  if (count < 6 || first + count >= to || (hexDigitsAt(first + count) & 1) != 0) return from
  const at = codesEnd(first + count, to)
  if (at >= to) return from
  if (load<u8>(at) == COLON && at + 1 < to && load<u8>(at, 1) == BLANK) return at + 1
  return load<u8>(at) == BLANK ? at : from
}

/** The address of two hex digits after the prefix `\x`, `0x`, `\u00`, `%` or `&#x`; `from` if there is no prefix or no digits. */
function digitsAfterPrefix(from: usize, to: usize): usize {
  const byte = load<u8>(from)
  const before = load<u8>(from - 1)
  let at = from
  if (byte == PERCENT) at += 1
  else if (byte == AMPERSAND) at += load<u8>(from, 1) == HASH && (load<u8>(from, 2) | 0x20) == SMALL_X ? 3 : 0
  else if ((byte | 0x20) == SMALL_X) at += before == BACKSLASH || before == ZERO ? 1 : 0
  else at += before == BACKSLASH && load<u8>(from, 1) == ZERO && load<u8>(from, 2) == ZERO ? 3 : 0
  return at > from && at + 1 < to && (hexDigitsAt(at) & 3) == 3 ? at : from
}

/** The address after all ANSI codes at `from`, which may colour a line or its offset. */
function codesEnd(from: usize, to: usize): usize {
  let at = from
  while (at < to && load<u8>(at) == ESCAPE) at = codeEnd(at, to)
  return at
}

/** The address after an ANSI code. CSI ends with a letter, OSC with BEL or ST; a code for a character set has one more byte. */
function codeEnd(from: usize, to: usize): usize {
  const kind = load<u8>(from, 1)
  let at = from + 2
  if (kind == BRACKET) while (at < to && (load<u8>(at) < 0x40 || load<u8>(at) > 0x7e)) at += 1
  else if (kind == BRACKET_CLOSED) while (at < to && load<u8>(at) != BELL && load<u8>(at - 1) != ESCAPE) at += 1
  else if (kind != PARENTHESIS && kind != PARENTHESIS_CLOSED) at -= 1
  return min(at + 1, to)
}
