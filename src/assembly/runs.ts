import { allocate } from './memory'

/** Fewer neighbouring characters of a secret than this may be a coincidence; this many are masked. */
const SHORTEST_RUN: usize = 16
/** So many bytes are looked up at once. Any run of 16 bytes holds one gram whole that begins at a multiple of STEP. */
const GRAM: usize = 6
const STEP: usize = SHORTEST_RUN - GRAM + 1
/** A run of 16 bytes that holds a gram holds one more, so many bytes before that or behind it. */
const OTHER: usize = (SHORTEST_RUN - GRAM) / 2

// The set of every 16 neighbouring bytes of the texts that were added.
/** Each slot holds the address of a run, found by the run's hash, or 0. At most half of the slots are taken. */
let slotCount: u32 = 1 << 10
let slots = allocate(slotCount << 2)
let taken: u32 = 0
/** A Bloom filter of every 6 neighbouring bytes. */
let filter = newFilter()
/** The smallest byte of all texts, repeated six times. */
let lowest: u64 = 0x7f7f7f7f7f7f
/** The bits by which a byte shows that no text has it; none when a text holds a byte above 0x7f. */
let outside: u64 = 0x808080808080
/** The last text that was added. Before each stand the address of the one before, and its length. */
let lastText: usize = 0

/** Adds a text. A zero byte, which no text holds, ends its copy. */
export function add(from: usize, length: usize): void {
  const copy = allocate(2 * sizeof<usize>() + length + 1) + 2 * sizeof<usize>()
  store<usize>(copy - 2 * sizeof<usize>(), lastText)
  store<usize>(copy - sizeof<usize>(), length)
  memory.copy(copy, from, length)
  lastText = copy
  for (let at = copy; at < copy + length; at += 1) {
    const byte: u64 = load<u8>(at)
    lowest = min(lowest, byte * 0x010101010101)
    if (byte > 0x7f) outside = 0
  }
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
 * Finds the next run between two addresses. The filter does not know most grams of other texts.
 * @param from where to begin, at least `start`
 * @returns the run's start, with its end in `runEnd`; 0 if there is none
 */
export function nextRun(start: usize, from: usize, end: usize): usize {
  if (end - start < SHORTEST_RUN) return 0
  const words = filter
  const shift = filterShift()
  const least = lowest
  const bits = outside
  for (let at = from; at + GRAM <= end; at += STEP) {
    const gram = gramAt(at)
    // A byte that is in no text, such as a blank, sets an uppermost bit here. Many grams of prose have one, but not so
    // regularly that a branch were cheap. The word before the filter has no bits.
    const isStrange = ((gram | (gram - least)) & bits) != 0
    const hash = hashOf(gram)
    if (!hasBit(select<usize>(words - 4, wordOf(words, hash, shift), isStrange), hash)) continue
    const run = runAround(at, start, end)
    if (run != 0) return run
  }
  return 0
}

/** No run begins where the last one could not go on; a later one holds the gram at this address. */
export function afterRun(): usize {
  return runEnd - SHORTEST_RUN + 1 + STEP
}

/** The start of the run that holds the gram at `at`; 0 if there is none. */
function runAround(at: usize, start: usize, end: usize): usize {
  // A run holds another gram as well: one of these two.
  if (!mayHave(at - OTHER, start, end) && !mayHave(at + OTHER, start, end)) return 0
  const last = min(at, end - SHORTEST_RUN)
  for (let run = max(start + SHORTEST_RUN - GRAM, at) - (SHORTEST_RUN - GRAM); run <= last; run += 1) {
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

function mayHave(at: usize, start: usize, end: usize): bool {
  if (at < start || at + GRAM > end) return false
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

/** 16 bits for each run that there is room for, and before them a word without bits. */
function newFilter(): usize {
  return allocate(slotCount + 4) + 4
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
