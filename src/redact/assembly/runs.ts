import { allocate } from './memory'

/** The redactor masks this many neighbouring characters of a secret. Fewer may be a coincidence. */
export const SHORTEST_RUN: usize = 16
/** The length of a gram: the number of neighbouring bytes that one lookup in the filter tests. */
const GRAM: usize = 6
/** This many runs of 16 bytes that begin at neighbouring bytes share one gram: the first gram of the last of these runs. */
const STARTS_PER_GRAM: usize = SHORTEST_RUN - GRAM + 1
/** The number of bytes that one test examines for the beginning of a run. A run may end in the next block. */
const BLOCK: usize = 48
/** A run of 16 bytes that contains a gram contains a second one this many bytes before or after the first. */
const SECOND_GRAM_DISTANCE: usize = (SHORTEST_RUN - GRAM) / 2

// The set of every 16 neighbouring bytes of the added texts.
/** A hash table of runs. Each slot holds the address of a run, or 0. At most half of the slots are taken. */
let slotCount: u32 = 1 << 10
let slots = allocate(slotCount << 2)
let taken: u32 = 0
/** A Bloom filter of every 6 neighbouring bytes. */
let filter = newFilter()
/** The smallest byte of all texts as a signed number. It is negative if a text contains a byte above 0x7f. */
let lowest: i8 = 0x7f
/** The last added text. The words before each text hold the address of the text added before it, and its own length. */
let lastText: usize = 0

/** Adds a text. The copy of the text ends with a zero byte. */
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
    // The runs that begin at the first of these bytes and at the next 10 share one gram, so that one lookup tests all of them.
    for (let starts = possibleStarts(block, least); starts != 0;) {
      const first = <usize>ctz(starts)
      const at = block + first + STARTS_PER_GRAM - 1
      const hash = hashOf(gramAt(at))
      const run = hasBit(wordOf(words, hash, shift), hash) ? runAround(at, end) : 0
      if (run != 0) return run
      starts &= (<u64>-1) << (first + STARTS_PER_GRAM)
    }
  }
  return 0
}

/** The first address at which the next run may begin. The next run may overlap the last one. */
export function afterRun(): usize {
  return runEnd - SHORTEST_RUN + 2
}

/**
 * Returns one bit for each byte of a block: 1 if a run may begin there. No added text contains a byte below `least`, so that most
 * blanks rule a run out.
 */
function possibleStarts(block: usize, least: i8): u64 {
  let found =
    atLeast(block, least) | (atLeast(block + 16, least) << 16) | (atLeast(block + 32, least) << 32) | (atLeast(block + 48, least) << 48)
  // Keeps the bit of a byte only if the bits of the next 15 bytes are set as well.
  found &= found >> 1
  found &= found >> 2
  found &= found >> 4
  found &= found >> 8
  return found & ((1 << BLOCK) - 1)
}

/** Returns one bit for each of 16 bytes: 1 if the byte is not below `least`, both as signed numbers. */
function atLeast(at: usize, least: i8): u64 {
  return i8x16.bitmask(i8x16.ge_s(v128.load(at), i8x16.splat(least)))
}

/** The start of the run that contains the gram at `at`; 0 if there is none. */
function runAround(at: usize, end: usize): usize {
  // Each run contains one of these two other grams.
  if (!mayHave(at - SECOND_GRAM_DISTANCE) && !mayHave(at + SECOND_GRAM_DISTANCE)) return 0
  const last = min(at, end - SHORTEST_RUN)
  for (let run = at - STARTS_PER_GRAM + 1; run <= last; run += 1) {
    const place = load<u32>(slotOf(run))
    if (place == 0) continue
    runEnd = endOf(run, place, end)
    return run
  }
  return 0
}

/** The end of a run whose first 16 bytes an added text has at `place`. The run may continue with bytes of another added text. */
function endOf(run: usize, place: usize, end: usize): usize {
  while (true) {
    let at = run + SHORTEST_RUN
    place += SHORTEST_RUN
    // Comparing bytes costs less than one lookup for each byte. A zero byte ends the text.
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

/** The slot of the run that begins at `at`, or the empty slot for it. */
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

/** Allocates a filter with 16 bits for each run that the table has room for. */
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

/** The number of bits by which to shift a hash to the right to get a number below `count`, a power of two. */
function shiftFor(count: u32): u64 {
  return 32 + clz(count - 1)
}

/** The shift for the filter, which has one word for every four slots. */
function filterShift(): u64 {
  return shiftFor(slotCount >> 2)
}

function wordOf(words: usize, hash: u64, shift: u64): usize {
  return words + ((<usize>(hash >>> shift)) << 2)
}

/** The number of the bit in its word. It uses bits of the hash that the number of the word does not use. */
function bitOf(hash: u64): u32 {
  return (<u32>(hash >>> 32)) & 31
}

function hasBit(word: usize, hash: u64): bool {
  return ((load<u32>(word) >>> bitOf(hash)) & 1) != 0
}
