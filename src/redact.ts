import { Transform, type TransformCallback } from 'node:stream'
import { sealedValue, type Seal } from './secret.ts'

/** Fewer neighbouring characters of a secret than this may be a coincidence; this many are masked. */
const SHORTEST_RUN = 16
const GRAM = 4
const MASK = Buffer.from('***')
/** A prompt that ends in what could begin a secret is shown after this long. */
const HOLD_MS = 25

interface Run {
  start: number
  end: number
}

/**
 * Finds every run of at least 16 neighbouring characters of a secret: plain, URI- or JSON-escaped, in
 * base64 and base64url at each alignment, in hex.
 *
 * Every 4-gram of every spelling is indexed. A run of 16 holds, whole, one of the grams that start at
 * every 13th byte, so only those are looked up; a hit is compared exactly and extended both ways.
 */
export class Redactor {
  readonly #known = new Set<string>()
  /** All spellings, a zero byte, which none holds, behind each. */
  #text = Buffer.alloc(0)
  #size = 0
  /** For each place in the text, the shortest run of its spelling that gives the secret away. */
  #shortest = new Uint8Array(0)
  /** Places of grams, chained by hash: one more than the place, 0 ends the chain. */
  readonly #heads = new Int32Array(1 << 14)
  #next = new Int32Array(0)
  #step = SHORTEST_RUN - GRAM + 1

  /** Learns every spelling of the value before anyone else sees it. */
  readonly seal: Seal = (value) => {
    if (value.length < GRAM) throw new RangeError('a secret of fewer than 4 characters cannot be told from other text')
    for (const spelling of spellings(value)) this.#learn(spelling)
    return sealedValue(value)
  }

  redact(text: string): string {
    const bytes = Buffer.from(text)
    const runs = this.find(bytes)
    return runs.length === 0 ? text : Buffer.concat(masked(bytes, runs, 0, bytes.length, false)).toString()
  }

  /** A stream of its own memory, for one of the scan's outputs. */
  stream(): Transform {
    return new RedactingStream(this)
  }

  /** The runs of secret text in `bytes`, in order, overlaps merged. */
  find(bytes: Buffer): Run[] {
    const runs: Run[] = []
    if (this.#size === 0) return runs
    for (let at = 0; at + GRAM <= bytes.length; at += this.#step) {
      this.#forEachRun(bytes, at, (run, shortest) => {
        if (run.end - run.start >= shortest) add(runs, run)
      })
      const last = runs.at(-1)
      // Inside a run there is nothing to find; its last gram may begin the next one.
      if (last !== undefined && last.end - GRAM > at) at = last.end - GRAM - this.#step + 1
    }
    return runs
  }

  /** How many of the last bytes could be the beginning of a run that the next bytes complete. */
  pending(bytes: Buffer): number {
    let longest = 0
    if (bytes.length >= GRAM) this.#forEachRun(bytes, bytes.length - GRAM, ({ start, end }) => (longest = Math.max(longest, end - start)))
    return longest
  }

  /** The secret text around the gram at `at`, for each place that it has in a spelling. */
  #forEachRun(bytes: Buffer, at: number, visit: (run: Run, shortest: number) => void): void {
    const gram = bytes.readInt32LE(at)
    for (let next = this.#heads[slotOf(gram)] ?? 0; next > 0; next = this.#next[next - 1] ?? 0) {
      const place = next - 1
      if (this.#text.readInt32LE(place) === gram) visit(this.#extend(bytes, at, place), this.#shortest[place] ?? SHORTEST_RUN)
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
    const bytes = Buffer.from(spelling)
    const begin = this.#size
    const end = begin + bytes.length
    if (end >= this.#text.length) this.#grow(end + 1)
    const shortest = Math.min(SHORTEST_RUN, bytes.length)
    bytes.copy(this.#text, begin)
    this.#shortest.fill(shortest, begin, end)
    for (let place = begin; place + GRAM <= end; place += 1) {
      const slot = slotOf(this.#text.readInt32LE(place))
      this.#next[place] = this.#heads[slot] ?? 0
      this.#heads[slot] = place + 1
    }
    this.#size = end + 1
    this.#step = Math.min(this.#step, shortest - GRAM + 1)
  }

  #grow(atLeast: number): void {
    const size = Math.max(16_384, 2 * atLeast)
    const [text, shortest, next] = [Buffer.alloc(size), new Uint8Array(size), new Int32Array(size)]
    this.#text.copy(text)
    shortest.set(this.#shortest)
    next.set(this.#next)
    ;[this.#text, this.#shortest, this.#next] = [text, shortest, next]
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

/** Remembers the last bytes, written or not, so that a secret is found across any split of writes. */
class RedactingStream extends Transform {
  readonly #redactor: Redactor
  #recent: Buffer = Buffer.alloc(0)
  #written = 0
  #endsMasked = false
  #timer: NodeJS.Timeout | undefined

  constructor(redactor: Redactor) {
    super()
    this.#redactor = redactor
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    clearTimeout(this.#timer)
    const bytes = this.#recent.length === 0 ? chunk : Buffer.concat([this.#recent, chunk])
    const runs = this.#redactor.find(bytes)
    const pending = this.#redactor.pending(bytes)
    const until = pending >= SHORTEST_RUN ? bytes.length : Math.max(this.#written, bytes.length - pending)
    this.#write(bytes, runs, until)
    if (until < bytes.length) this.#timer = setTimeout(() => this.#release(), HOLD_MS)
    done()
  }

  override _flush(done: TransformCallback): void {
    clearTimeout(this.#timer)
    this.#release()
    done()
  }

  #release(): void {
    this.#write(this.#recent, this.#redactor.find(this.#recent), this.#recent.length)
  }

  #write(bytes: Buffer, runs: Run[], until: number): void {
    if (until > this.#written) {
      for (const part of masked(bytes, runs, this.#written, until, this.#endsMasked)) if (part.length > 0) this.push(part)
      this.#endsMasked = runs.at(-1)?.end === until
    }
    const keep = Math.max(0, Math.min(until, bytes.length - SHORTEST_RUN + 1))
    this.#recent = bytes.subarray(keep)
    this.#written = until - keep
  }
}
