/** Fewer neighbouring characters of a secret than this may be a coincidence; this many are masked. */
export const SHORTEST_RUN = 16
/** So many bytes are looked up at once. Any run of 16 holds one gram whole that begins at a multiple of STEP. */
const GRAM = 8
const STEP = SHORTEST_RUN - GRAM + 1
const { clz32, imul } = Math

export interface Run {
  start: number
  end: number
}

/**
 * The set of every 16 neighbouring bytes of the texts that were added. It finds where another text has such.
 *
 * Eight of each nine bytes of that text are looked up in a Bloom filter of every 8 neighbouring bytes, which is small
 * beside the set. The set itself is asked only where the filter knows them.
 */
export class RunIndex {
  /** What was added, one after another, with a zero byte, which no text holds, between them. */
  #text = new Uint8Array(1 << 12)
  #view = new DataView(this.#text.buffer)
  #end = 1
  /** Where in the text a run begins, by its hash; 0 is an empty slot. At most half of the slots are taken. */
  #slots = new Int32Array(1 << 10)
  #count = 0
  /** 16 bits for each run that there is room for. A gram sets two of them, in the same word. */
  #filter = new Int32Array(1 << 8)
  /** Four times the smallest byte of all texts; 0 when a text holds a byte above 0x7f. */
  #lowest = 0x7f7f7f7f

  add(text: Uint8Array): void {
    const from = this.#end
    this.#end += text.length + 1
    if (this.#end > this.#text.length) {
      const longer = new Uint8Array(Math.max(this.#end, 2 * this.#text.length))
      longer.set(this.#text)
      this.#text = longer
      this.#view = new DataView(longer.buffer)
    }
    this.#text.set(text, from)
    for (const byte of text) this.#lowest = byte > 0x7f ? 0 : Math.min(this.#lowest, byte * 0x01010101)
    this.#addGrams(from)
    for (let at = from; at + SHORTEST_RUN < this.#end; at += 1) {
      if (this.#placeOf(this.#view, at) !== 0) continue
      if (2 * this.#count >= this.#slots.length) this.#grow()
      this.#slots[this.#slotOf(this.#view, at)] = at
      this.#count += 1
    }
  }

  /** In order; what overlaps or touches is one. */
  find(bytes: Uint8Array): Run[] {
    const runs: Run[] = []
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const filter = this.#filter
    const shift = shiftFor(filter)
    const lowest = this.#lowest
    const outside = lowest === 0 ? 0 : 0x80808080
    const last = bytes.length - GRAM
    for (let at = 0; at <= last; at += STEP) {
      const first = view.getInt32(at, true)
      const second = view.getInt32(at + 4, true)
      // A byte that is in no text, such as a blank, sets an uppermost bit here. Most grams of prose have one, but not so
      // regularly that a branch were cheap: such a gram asks for all bits of the first word.
      const strange = (first | (first - lowest) | second | (second - lowest)) & outside
      const miss = (strange | -strange) >> 31
      const hash = gramHash(first, second) & ~miss
      const bits = bitsOf(hash) | miss
      if (((filter[hash >>> shift] ?? 0) & bits) !== bits) continue
      const run = this.#runAround(view, at)
      if (run === undefined) continue
      const before = runs.at(-1)
      if (before !== undefined && before.end >= run.start) before.end = run.end
      else runs.push(run)
      // No run begins where this one could not go on; a later one holds the gram that is looked up next.
      at = run.end - SHORTEST_RUN + 1
    }
    return runs
  }

  /** The run that holds the gram at `at`, as far as it goes on behind that. */
  #runAround(view: DataView, at: number): Run | undefined {
    // A run holds another gram as well: one of these two.
    if (!this.#mayHave(view, at - GRAM / 2) && !this.#mayHave(view, at + GRAM / 2)) return undefined
    const last = Math.min(at, view.byteLength - SHORTEST_RUN)
    for (let start = Math.max(0, at + GRAM - SHORTEST_RUN); start <= last; start += 1) {
      const place = this.#placeOf(view, start)
      if (place !== 0) return { start, end: this.#endOf(view, start, place) }
    }
    return undefined
  }

  /** The end of a run whose first 16 bytes the text has at `place`. The run may end with bytes of another text. */
  #endOf(view: DataView, start: number, place: number): number {
    const text = this.#text
    for (;;) {
      let end = start + SHORTEST_RUN
      let next = place + SHORTEST_RUN
      // To compare bytes costs less than to look up a run for each. A zero byte ends the text.
      while (end < view.byteLength && text[next] !== 0 && view.getUint8(end) === text[next]) [end, next] = [end + 1, next + 1]
      start = end - SHORTEST_RUN + 1
      place = end < view.byteLength ? this.#placeOf(view, start) : 0
      if (place === 0) return end
    }
  }

  #mayHave(view: DataView, at: number): boolean {
    if (at < 0 || at + GRAM > view.byteLength) return false
    const hash = gramHashAt(view, at)
    const bits = bitsOf(hash)
    return ((this.#filter[hash >>> shiftFor(this.#filter)] ?? 0) & bits) === bits
  }

  /** The place of the same 16 bytes in the text; 0 if the text does not hold them. */
  #placeOf(view: DataView, at: number): number {
    return this.#slots[this.#slotOf(view, at)] ?? 0
  }

  /** The slot of the run that begins at `at`, or the empty one where it belongs. */
  #slotOf(view: DataView, at: number): number {
    const [slots, text] = [this.#slots, this.#view]
    for (let slot = runHash(view, at) >>> shiftFor(slots); ; slot = (slot + 1) & (slots.length - 1)) {
      const place = slots[slot] ?? 0
      if (place === 0) return slot
      if (
        text.getInt32(place) === view.getInt32(at) &&
        text.getInt32(place + 4) === view.getInt32(at + 4) &&
        text.getInt32(place + 8) === view.getInt32(at + 8) &&
        text.getInt32(place + 12) === view.getInt32(at + 12)
      )
        return slot
    }
  }

  #addGrams(from: number): void {
    const filter = this.#filter
    const shift = shiftFor(filter)
    for (let at = from; at + GRAM <= this.#end; at += 1) {
      const hash = gramHashAt(this.#view, at)
      filter[hash >>> shift] = (filter[hash >>> shift] ?? 0) | bitsOf(hash)
    }
  }

  #grow(): void {
    const places = this.#slots
    this.#slots = new Int32Array(2 * places.length)
    this.#filter = new Int32Array(2 * this.#filter.length)
    for (const place of places) if (place !== 0) this.#slots[this.#slotOf(this.#view, place)] = place
    this.#addGrams(0)
  }
}

/** In order; runs that overlap, touch or have at most `gap` bytes between them become one. */
export function merged(runs: Run[], gap = 0): Run[] {
  const result: Run[] = []
  for (const run of runs.sort((a, b) => a.start - b.start)) {
    const last = result.at(-1)
    if (last === undefined || last.end + gap < run.start) result.push({ ...run })
    else last.end = Math.max(last.end, run.end)
  }
  return result
}

/** Multiplicative hashing: the upper bits of a product are well mixed. They are the number of a slot. */
function shiftFor(table: Int32Array): number {
  return clz32(table.length - 1)
}

function gramHash(first: number, second: number): number {
  return imul(imul(first, 0x9e3779b1) ^ second, 0x85ebca6b)
}

function gramHashAt(view: DataView, at: number): number {
  return gramHash(view.getInt32(at, true), view.getInt32(at + 4, true))
}

function runHash(view: DataView, at: number): number {
  return gramHash(gramHashAt(view, at), gramHashAt(view, at + GRAM))
}

/** Two bits of a word, by the lower bits of the hash, which have no part in its number. */
function bitsOf(hash: number): number {
  return (1 << hash) | (1 << (hash >>> 5))
}
