import { allocate } from './memory'

/** Fewer neighbouring characters of a secret than this may be a coincidence; this many are masked. */
export const SHORTEST_RUN: usize = 16
/** So many bytes are looked up at once. */
const GRAM: usize = 6
/** So many runs of 16 bytes that begin at neighbouring bytes have one gram in common: the one at which the last run begins. */
const STEP: usize = SHORTEST_RUN - GRAM + 1
/** So many bytes are tested at once for runs that begin there. A run may end in the next block. */
const BLOCK: usize = 48
/** A run of 16 bytes that holds a gram holds one more, so many bytes before that or behind it. */
const OTHER: usize = (SHORTEST_RUN - GRAM) / 2

// The set of every 16 neighbouring bytes of the texts that were added.
/** Each slot holds the address of a run, found by the run's hash, or 0. At most half of the slots are taken. */
let slotCount: u32 = 1 << 10
let slots = allocate(slotCount << 2)
let taken: u32 = 0
/** A Bloom filter of every 6 neighbouring bytes. */
let filter = newFilter()
/** The smallest byte of all texts as a signed number: it is negative when a text holds a byte above 0x7f. */
let lowest: i8 = 0x7f
/** The last text that was added. Before each stand the address of the one before, and its length. */
let lastText: usize = 0

/** Adds a text. A zero byte ends its copy. */
export function add(from: usize, length: usize): void {
  const copy = allocate(2 * sizeof<usize>() + length + 1) + 2 * sizeof<usize>()
  store<usize>(copy - 2 * sizeof<usize>(), lastText)
  store<usize>(copy - sizeof<usize>(), length)
  memory.copy(copy, from, length)
  lastText = copy
  for (let at = copy; at < copy + length; at += 1) lowest = min(lowest, load<i8>(at))
  addGrams(copy, length)
  for (let at = copy; at + SHORTEST_RUN <= copy + length; at += 1) {
    const slot = slotOf(at)
    if (load<u32>(slot) != 0) continue
    store<u32>(slot, <u32>at)
    taken += 1
    if (taken << 1 > slotCount) grow()
  }
}

/** The end of the run that `nextRun` found last. */
export let runEnd: usize = 0

/**
 * Finds the next run between two addresses.
 * @returns the run's start, with its end in `runEnd`; 0 if there is none
 */
export function nextRun(from: usize, end: usize): usize {
  const words = filter
  const shift = filterShift()
  const least = lowest
  for (let block = from; block + SHORTEST_RUN <= end; block += BLOCK) {
    // The runs that begin at the first of these bytes and the next 10 hold one gram in common: one lookup is enough for them.
    for (let starts = possibleStarts(block, least); starts != 0;) {
      const first = <usize>ctz(starts)
      const at = block + first + STEP - 1
      const hash = hashOf(gramAt(at))
      const run = hasBit(wordOf(words, hash, shift), hash) ? runAround(at, end) : 0
      if (run != 0) return run
      starts &= (<u64>-1) << (first + STEP)
    }
  }
  return 0
}

/** The first address at which the next run may begin. It may overlap the last one, which could not go on. */
export function afterRun(): usize {
  return runEnd - SHORTEST_RUN + 2
}

/** At which bytes of a block a run may begin, as a bit for each: no text holds a byte below `least`, such as a blank. */
function possibleStarts(block: usize, least: i8): u64 {
  let found =
    atLeast(block, least) | (atLeast(block + 16, least) << 16) | (atLeast(block + 32, least) << 32) | (atLeast(block + 48, least) << 48)
  // The bit of the first of each 16 such bytes side by side is left.
  found &= found >> 1
  found &= found >> 2
  found &= found >> 4
  found &= found >> 8
  return found & ((1 << BLOCK) - 1)
}

/** Which of 16 bytes are not below another one as signed numbers, as a bit for each. */
function atLeast(at: usize, least: i8): u64 {
  return i8x16.bitmask(i8x16.ge_s(v128.load(at), i8x16.splat(least)))
}

/** The start of the run that holds the gram at `at`; 0 if there is none. */
function runAround(at: usize, end: usize): usize {
  // A run holds another gram as well: one of these two.
  if (!mayHave(at - OTHER) && !mayHave(at + OTHER)) return 0
  const last = min(at, end - SHORTEST_RUN)
  for (let run = at - STEP + 1; run <= last; run += 1) {
    const place = load<u32>(slotOf(run))
    if (place == 0) continue
    runEnd = endOf(run, place, end)
    return run
  }
  return 0
}

/** The end of a run whose first 16 bytes a text has at `place`. The run may end with bytes of another text. */
function endOf(run: usize, place: usize, end: usize): usize {
  while (true) {
    let at = run + SHORTEST_RUN
    place += SHORTEST_RUN
    // To compare bytes costs less than to look up a run for each. A zero byte ends the text.
    while (at < end && load<u8>(place) != 0 && load<u8>(at) == load<u8>(place)) {
      at += 1
      place += 1
    }
    run = at - SHORTEST_RUN + 1
    if (at == end) return end
    place = load<u32>(slotOf(run))
    if (place == 0) return at
  }
}

function mayHave(at: usize): bool {
  const hash = hashOf(gramAt(at))
  return hasBit(wordOf(filter, hash, filterShift()), hash)
}

/** The slot of the run that begins at `at`, or the empty one where it belongs. */
function slotOf(at: usize): usize {
  const wanted = v128.load(at)
  let slot = <u32>(hashOf(hashOf(load<u64>(at)) ^ load<u64>(at, 8)) >>> shiftFor(slotCount))
  while (true) {
    const address = slots + (slot << 2)
    const place = load<u32>(address)
    if (place == 0 || i8x16.all_true(i8x16.eq(v128.load(place), wanted))) return address
    slot = (slot + 1) & (slotCount - 1)
  }
}

function grow(): void {
  const old = slots
  const count = slotCount
  slotCount = count << 1
  slots = allocate(slotCount << 2)
  for (let slot: u32 = 0; slot < count; slot += 1) {
    const place = load<u32>(old + (slot << 2))
    if (place != 0) store<u32>(slotOf(place), place)
  }
  filter = newFilter()
  for (let text = lastText; text != 0; text = load<usize>(text - 2 * sizeof<usize>())) addGrams(text, load<usize>(text - sizeof<usize>()))
}

/** 16 bits for each run that there is room for. */
function newFilter(): usize {
  return allocate(slotCount)
}

function addGrams(text: usize, length: usize): void {
  for (let at = text; at + GRAM <= text + length; at += 1) {
    const hash = hashOf(gramAt(at))
    const word = wordOf(filter, hash, filterShift())
    store<u32>(word, load<u32>(word) | (1 << bitOf(hash)))
  }
}

function gramAt(at: usize): u64 {
  return load<u64>(at) & 0xffffffffffff
}

/** Multiplicative hashing: the upper bits of a product are well mixed. https://en.wikipedia.org/wiki/Hash_function#Fibonacci_hashing */
function hashOf(gram: u64): u64 {
  return gram * 0x9e3779b97f4a7c15
}

/** How far to shift a hash so that the number of one of so many places is left, a power of two. */
function shiftFor(count: u32): u64 {
  return 32 + clz(count - 1)
}

/** The filter has a word for each four slots. */
function filterShift(): u64 {
  return shiftFor(slotCount >> 2)
}

function wordOf(words: usize, hash: u64, shift: u64): usize {
  return words + ((<usize>(hash >>> shift)) << 2)
}

/** Bits of the hash that have no part in the number of its word. */
function bitOf(hash: u64): u32 {
  return (<u32>(hash >>> 32)) & 31
}

function hasBit(word: usize, hash: u64): bool {
  return ((load<u32>(word) >>> bitOf(hash)) & 1) != 0
}
