import { ByteKinds, kindsOf, whichAre, whichHave } from './byte-kinds'

/** The length of a window: the number of bytes that are judged together. */
const WINDOW: usize = 12
/** Sets of bytes of a window, with one bit for each byte. */
const ALL = 0xfff
const FIRST_8 = 0xff
const FIRST_4 = 0xf

const kinds = ByteKinds.none()
const HEX = kinds.add('0123456789ABCDEFabcdef')
/** The separators. They include the prefixes in \x41, \u0041, 0x41, %41, &#x41; and $'\x41'. */
kinds.add('\t\n\v\f\r \0:,;"\'\\xXuU%&#$|{}')

/**
 * Finds the next window that looks dumped. Windows begin `step` bytes apart; one more window ends at `to`.
 * @returns the address of the window; 0 if there is none
 */
export function nextDumped(from: usize, to: usize, step: usize): usize {
  const upper = kinds.upper
  const lower = kinds.lower
  for (let at = from; at + WINDOW <= to; at += step) if (mayBeDumped(at, upper, lower) && isDumped(at, upper, lower)) return at
  return from + WINDOW <= to && isDumped(to - WINDOW, upper, lower) ? to - WINDOW : 0
}

/** Rules out most windows. The function has no branches, because the processor could not predict them. */
function mayBeDumped(at: usize, upper: v128, lower: v128): bool {
  const bytes = v128.load(at)
  const found = kindsOf(bytes, upper, lower)
  const others = whichAre(found, 0) & ALL
  const digits = whichHave(found, HEX) & FIRST_4
  const blanks = (whichAre(bytes, 0x20) | whichAre(bytes, 0)) & FIRST_8
  return (((<i32>(others == 0)) & (<i32>(digits != 0))) | ((<i32>(popcnt(blanks) >= 4)) & (<i32>(blanks != FIRST_8)))) != 0
}

/**
 * Whether the window consists of hex digits and separators, with a digit in the first 4 bytes and a separator in the first 8; or
 * of separated single characters.
 */
function isDumped(at: usize, upper: v128, lower: v128): bool {
  const bytes = v128.load(at)
  const found = kindsOf(bytes, upper, lower)
  if ((whichAre(found, 0) & ALL) == 0) {
    const digits = whichHave(found, HEX)
    if ((digits & FIRST_4) != 0 && (digits & FIRST_8) != FIRST_8) return true
  }
  return isSpaced(at, bytes)
}

/** Returns one bit for each of the 16 bytes at an address: 1 for a hex digit. */
export function hexDigitsAt(at: usize): i32 {
  return whichHave(kindsOf(v128.load(at), kinds.upper, kinds.lower), HEX)
}

/** Whether blanks, or the zeros of UTF-16, separate single characters in the first 8 bytes. */
function isSpaced(at: usize, bytes: v128): bool {
  const word = load<u64>(at)
  // All characters are at odd indices, or all are at even ones, so that the two halves differ at these indices only.
  const change = (<u32>word) ^ (<u32>(word >>> 32))
  if (change == 0 || ((change & 0x00ff00ff) != 0 && (change & 0xff00ff00) != 0) || (word & 0x8080808080808080) != 0) return false
  return areBetween(whichAre(bytes, 0x20) & FIRST_8) || areBetween(whichAre(bytes, 0) & FIRST_8)
}

/** Whether the bits are set for three of every four bytes, or for every second byte. */
function areBetween(places: i32): bool {
  return places == 0x77 || places == 0xbb || places == 0xdd || places == 0xee || places == 0x55 || places == 0xaa
}
