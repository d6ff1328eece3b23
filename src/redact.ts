import { Transform, type TransformCallback } from 'node:stream'
import { sealedValue, type Seal } from './secret.ts'

/** Fewer neighbouring characters of a secret than this may be a coincidence; this many are masked. */
const SHORTEST_RUN = 16
const GRAM = 4
const MASK = Buffer.from('***')
interface Run {
  start: number
  end: number
}

/**
 * Finds every run of at least 16 neighbouring characters of a secret: plain, URI- or JSON-escaped, in
 * base64 and base64url at each alignment, in hex.
 *
 * Of each spelling every 13th 4-gram is indexed: a run of 16 holds one of them whole, wherever it begins. A
 * hit in the text is compared exactly and extended both ways.
 */
export class Redactor {
  readonly #shown: readonly string[]
  readonly #known = new Set<string>()
  /** All spellings, a zero byte, which none holds, behind each. */
  #text = Buffer.alloc(0)
  /** The places of the indexed grams, and the shortest run of their spelling that gives the secret away. */
  readonly #places: { at: number; shortest: number; next: number }[] = []
  /** Chains of places by hash: one more than the index of the first, 0 for none. */
  readonly #heads = new Int32Array(1 << 14)

  /** @param shown texts of the program itself, which no message loses although a secret has a part of one */
  constructor(shown: readonly string[] = []) {
    this.#shown = shown
  }

  /** Learns every spelling of the value before anyone else sees it. */
  readonly seal: Seal = (value) => {
    if (value.length < GRAM) throw new RangeError('a secret of fewer than 4 characters cannot be told from other text')
    for (const spelling of spellings(value)) this.#learn(spelling)
    return sealedValue(value)
  }

  redact(text: string): string {
    const bytes = Buffer.from(text)
    const runs = this.find(bytes).filter((run) => !this.#isShown(bytes, run))
    return runs.length === 0 ? text : Buffer.concat(masked(bytes, runs, 0, bytes.length, false)).toString()
  }

  #isShown(bytes: Buffer, { start, end }: Run): boolean {
    return this.#shown.some((text) => {
      const at = bytes.indexOf(text, Math.max(0, end - Buffer.byteLength(text)))
      return at !== -1 && at <= start
    })
  }

  /** A stream of its own memory, for one of the scan's outputs. */
  stream(): Transform {
    return new RedactingStream(this)
  }

  /** The runs of secret text in `bytes`, in order, overlaps merged. */
  find(bytes: Buffer): Run[] {
    const runs: Run[] = []
    for (let end = 0, gram = 0; end < bytes.length; end += 1) {
      gram = (gram >>> 8) | ((bytes[end] ?? 0) << 24)
      // What begins inside a run and leaves it shows too little beyond to matter, or is found there.
      if (end < (runs.at(-1)?.end ?? 0)) continue
      if (this.#heads[slotOf(gram)] !== 0 && end + 1 >= GRAM) this.#addRuns(runs, bytes, end + 1 - GRAM, gram)
    }
    return runs
  }

  #addRuns(runs: Run[], bytes: Buffer, start: number, gram: number): void {
    for (let next = this.#heads[slotOf(gram)] ?? 0; next > 0;) {
      const place = this.#places[next - 1]
      if (place === undefined) return
      next = place.next
      if (this.#text.readInt32LE(place.at) !== gram) continue
      const run = this.#extend(bytes, start, place.at)
      if (run.end - run.start >= place.shortest) add(runs, run)
    }
  }

  #extend(bytes: Buffer, at: number, place: number): Run {
    const text = this.#text
    let start = at
    for (let p = place; start > 0 && p > 0 && text[p - 1] !== 0 && text[p - 1] === bytes[start - 1]; p -= 1) start -= 1
    let end = at + GRAM
    for (let p = place + GRAM; end < bytes.length && text[p] !== 0 && text[p] === bytes[end]; p += 1) end += 1
    return { start, end }
  }

  #learn(spelling: string): void {
    if (this.#known.has(spelling)) return
    this.#known.add(spelling)
    const begin = this.#text.length
    this.#text = Buffer.concat([this.#text, Buffer.from(`${spelling}\0`)])
    const end = this.#text.length - 1
    const shortest = Math.min(SHORTEST_RUN, end - begin)
    for (let at = begin; at + GRAM <= end; at += shortest - GRAM + 1) {
      const slot = slotOf(this.#text.readInt32LE(at))
      this.#places.push({ at, shortest, next: this.#heads[slot] ?? 0 })
      this.#heads[slot] = this.#places.length
    }
  }
}

/** Fibonacci hashing: the upper 14 bits of the product are well mixed. */
function slotOf(gram: number): number {
  return Math.imul(gram, 0x9e3779b1) >>> 18
}

function add(runs: Run[], run: Run): void {
  for (let last = runs.at(-1); last !== undefined && last.end >= run.start; last = runs.at(-1)) {
    run = { start: Math.min(last.start, run.start), end: Math.max(last.end, run.end) }
    runs.pop()
  }
  runs.push(run)
}

/** The spellings in which a value may turn up. */
function spellings(value: string): string[] {
  const body = sensitivePart(value)
  const bytes = Buffer.from(body)
  const plain = [body, encodeURIComponent(body), JSON.stringify(body).slice(1, -1)]
  const encoded = [0, 1, 2].flatMap((shift) => base64Alignment(bytes.subarray(shift)))
  const hex = [bytes.toString('hex'), bytes.toString('hex').toUpperCase()]
  return [...plain, ...encoded, ...hex].filter((text) => text.length >= GRAM)
}

/** The base64 and base64url characters that depend on these bytes alone, not on what follows. */
export function base64Alignment(bytes: Buffer): string[] {
  const whole = bytes.subarray(0, bytes.length - (bytes.length % 3))
  return [...new Set([whole.toString('base64'), whole.toString('base64url')])]
}

/** A JWT's header is common to all tokens of a server; what follows it is the secret. */
export function sensitivePart(value: string): string {
  return /^eyJ[\w-]*\.[\w-]+\.[\w-]+$/.test(value) ? value.slice(value.indexOf('.') + 1) : value
}

/** `bytes[from, to)` with one mask for each run; none for a run whose mask was written before `from`. */
function masked(bytes: Buffer, runs: Run[], from: number, to: number, continues: boolean): Buffer[] {
  const parts: Buffer[] = []
  let at = from
  for (const { start, end } of runs) {
    if (end <= from || start >= to) continue
    parts.push(bytes.subarray(at, Math.max(at, start)))
    if (start >= from || !continues) parts.push(MASK)
    at = end
  }
  if (at < to) parts.push(bytes.subarray(at, to))
  return parts
}

/** Remembers the last bytes, so that a secret is found across any split of writes; what is shown by then is too short to matter. */
class RedactingStream extends Transform {
  readonly #redactor: Redactor
  #recent: Buffer = Buffer.alloc(0)
  #endsMasked = false

  constructor(redactor: Redactor) {
    super()
    this.#redactor = redactor
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const bytes = Buffer.concat([this.#recent, chunk])
    const runs = this.#redactor.find(bytes)
    for (const part of masked(bytes, runs, this.#recent.length, bytes.length, this.#endsMasked)) if (part.length > 0) this.push(part)
    this.#endsMasked = runs.at(-1)?.end === bytes.length
    this.#recent = bytes.subarray(Math.max(0, bytes.length - SHORTEST_RUN + 1))
    done()
  }
}
