import { whichAre } from './byte-kinds'
import { allocate } from './memory'

/** Vector instructions read or write up to this many bytes beyond the end of a text. */
export const BEYOND: usize = 64

/** The addresses of the first byte of the text to search, and of the first byte after it. */
export let text: usize = 0
export let textEnd: usize = 0
/** The length of the longest text for which there is room. */
export let capacity: usize = 0
/** One byte for each byte of the text: 1 if the redactor must mask it, else 0. */
let marks: usize = 0
/** One byte for each byte of the text: 1 if the text looks dumped there, else 0. */
export let regions: usize = 0
/** All marked bytes lie between these two indices. */
let firstMark: usize = 0
let marksEnd: usize = 0

/**
 * Makes room for a text, with no byte marked.
 * @returns the address at which the caller puts the text
 */
export function reserve(length: usize): usize {
  if (length > capacity) {
    const more = max(length, 2 * capacity)
    text = allocate(more + BEYOND)
    marks = allocate(more + BEYOND)
    regions = allocate(more + BEYOND)
    // Set after the allocations, because one of them may trap.
    capacity = more
  } else if (marksEnd > 0) memory.fill(marks + firstMark, 0, marksEnd - firstMark)
  firstMark = capacity
  marksEnd = 0
  textEnd = text + length
  return text
}

/** Marks the bytes of the text between two addresses. */
export function mark(from: usize, to: usize): void {
  memory.fill(marks + (from - text), 1, to - from)
  firstMark = min(firstMark, from - text)
  marksEnd = max(marksEnd, to - text)
}

/** The index of the first byte from `index` on with this state, 1 for marked; -1 if no byte from `index` on is marked. */
export function nextMark(index: usize, isMarked: i32): i32 {
  if (index >= marksEnd) return -1
  return min(<i32>marksEnd, <i32>(find(marks + max(index, firstMark), marks + marksEnd, isMarked) - marks))
}

/** The address of the first byte with this value; an address at or after `to` if there is none. */
export function find(from: usize, to: usize, value: i32): usize {
  for (let at = from; at < to; at += 16) {
    const found = whichAre(v128.load(at), value)
    if (found != 0) return at + ctz(found)
  }
  return to
}

/** The first index, from `index` on, at which the bytes `first` and `second` stand in this order; -1 if there is none. */
export function indexOfPair(index: usize, first: i32, second: i32): i32 {
  let at = text + index
  // Most texts have no such pair, so that one branch for 64 bytes is cheaper than one for each 16.
  while (at + 64 < textEnd) {
    const found = v128.or(pairsAt(at, first, second), pairsAt(at + 16, first, second))
    const later = v128.or(pairsAt(at + 32, first, second), pairsAt(at + 48, first, second))
    if (v128.any_true(v128.or(found, later))) break
    at += 64
  }
  for (; at + 1 < textEnd; at += 16) {
    const found = i8x16.bitmask(pairsAt(at, first, second))
    if (found != 0) return at + ctz(found) + 1 < textEnd ? <i32>(at + ctz(found) - text) : -1
  }
  return -1
}

/** Returns a vector that has all bits set in each byte at which the pair begins. */
function pairsAt(at: usize, first: i32, second: i32): v128 {
  return v128.and(i8x16.eq(v128.load(at), i8x16.splat(<i8>first)), i8x16.eq(v128.load(at, 1), i8x16.splat(<i8>second)))
}
