import type { Filter } from './filter.ts'
import { type Seal, sealedString } from './sealed-string.ts'
import { type ByteRange, TextSearch } from './text-search.ts'

const SHORTEST_SECRET = 4
const MASK = Buffer.from('***')
/** Every known form of dump shows 16 characters in at most this many bytes. */
const CONTEXT = 1024

/**
 * Finds every run of at least 16 neighbouring characters of a secret: plain, URI- or JSON-escaped, in base64 and base64url at
 * each alignment, and in hex. The redactor keeps every secret as long as it exists.
 */
export class Redactor {
  readonly #shown: readonly string[]
  readonly #values = new Set<string>()
  /** Other filters of the same outputs share this search, because each instance of WebAssembly reserves much address space. */
  readonly search = new TextSearch()
  /** The spellings of fewer than 16 characters. The redactor masks only the whole spelling. */
  readonly #shortSpellings = new Set<string>()

  /** @param shown texts of kubepass itself; redact() keeps them, although a secret may contain a part of one */
  constructor(shown: readonly string[] = []) {
    this.#shown = shown
  }

  /** Learns every spelling of the value, then seals it, so that no other code handles a secret that the redactor does not know. */
  readonly seal: Seal = (value) => {
    if (value.length < SHORTEST_SECRET) throw new RangeError('a secret of fewer than 4 characters cannot be told from other text')
    if (!this.#values.has(value)) {
      for (const spelling of spellings(value)) {
        if (!this.search.addText(Buffer.from(spelling))) this.#shortSpellings.add(spelling)
      }
      this.#values.add(value)
    }
    return sealedString(value)
  }

  redact(text: string): string {
    if (this.#values.size === 0) return text
    this.search.setInput(Buffer.from(text))
    this.search.markRuns(0)
    const bytes = this.search.text()
    const runs = this.#secretRuns(bytes).filter((run) => !this.#isShown(bytes, run))
    return runs.length === 0
      ? text
      : masked({ bytes, runs, from: 0, continues: false }, Buffer.alloc(mostMasked(bytes.length, runs))).toString()
  }

  #isShown(bytes: Buffer, { start, end }: ByteRange): boolean {
    return this.#shown.some((text) => {
      const at = bytes.indexOf(text, Math.max(0, end - Buffer.byteLength(text)))
      return at !== -1 && at <= start
    })
  }

  /**
   * Returns a filter for one output. The filter remembers the last bytes, so that it finds a secret across any split of writes. It
   * shows fewer than 16 characters of a secret before it finds the secret.
   */
  filter(): Filter {
    let recent = Buffer.alloc(0)
    let endsMasked = false
    // Reused, because new memory for each piece would cost more than the search.
    let memory = Buffer.alloc(0)
    return (piece) => {
      if (piece.length === 0) return piece
      const cut = recent.length
      this.search.setInput(recent, piece)
      this.search.markRuns(cut)
      this.search.markDumpedRuns(cut)
      const bytes = this.search.text()
      const runs = this.#secretRuns(bytes)
      recent = Buffer.from(bytes.subarray(-CONTEXT))
      const continues = endsMasked
      endsMasked = runs.at(-1)?.end === bytes.length
      if (runs.length === 0) return piece
      const most = mostMasked(piece.length, runs)
      if (memory.length < most) memory = Buffer.alloc(most)
      return masked({ bytes, runs, from: cut, continues }, memory)
    }
  }

  /** The runs that the search found in `bytes`, and the short spellings, in order. Runs that overlap or touch are merged. */
  #secretRuns(bytes: Buffer): ByteRange[] {
    const runs = this.search.markedRuns()
    if (this.#shortSpellings.size === 0) return runs
    for (const spelling of this.#shortSpellings)
      for (let at = bytes.indexOf(spelling); at >= 0; at = bytes.indexOf(spelling, at + 1))
        runs.push({ start: at, end: at + Buffer.byteLength(spelling) })
    return merged(runs)
  }
}

/** Sorts the runs and merges those that overlap or touch. */
function merged(runs: ByteRange[]): ByteRange[] {
  const result: ByteRange[] = []
  for (const run of runs.sort((a, b) => a.start - b.start)) {
    const last = result.at(-1)
    if (last === undefined || last.end < run.start) result.push(run)
    else last.end = Math.max(last.end, run.end)
  }
  return result
}

const SHORTEST_IN_DUMPS = 16
/** The characters that the search drops from a dump, as in assembly/read-dump.ts. */
const DROPPED = /[\t\v\f\r \0:,;"']/g

/** The spellings in which an output may show a value. */
function spellings(value: string): string[] {
  const body = sensitivePart(value)
  const bytes = Buffer.from(body)
  const plain = [body, encodeURIComponent(body), JSON.stringify(body).slice(1, -1)]
  // The search looks in dumps for 16 characters. A shorter spelling would only mask words that are no secrets.
  const inDumps = [body.replaceAll(' ', ''), body.replaceAll(DROPPED, '')].filter((text) => text.length >= SHORTEST_IN_DUMPS)
  const encoded = [0, 1, 2].flatMap((shift) => base64Alignment(bytes.subarray(shift)))
  const hex = [bytes.toString('hex'), bytes.toString('hex').toUpperCase()]
  return [...new Set([...plain, ...inDumps, ...encoded, ...hex])].filter((text) => text.length >= SHORTEST_SECRET)
}

/** The base64 and base64url characters that depend on these bytes alone, not on what follows. */
export function base64Alignment(bytes: Buffer): string[] {
  const whole = bytes.subarray(0, bytes.length - (bytes.length % 3))
  return [...new Set([whole.toString('base64'), whole.toString('base64url')])]
}

/** The part of a secret to search for. For a JWT the header is left out, because all tokens of a server share it. */
export function sensitivePart(value: string): string {
  return /^eyJ[\w-]*\.[\w-]+\.[\w-]+$/.test(value) ? value.slice(value.indexOf('.') + 1) : value
}

/** The most bytes of a masked text. A mask may be longer than its run, because a dump can have one character on each line. */
function mostMasked(length: number, runs: ByteRange[]): number {
  return length + runs.length * MASK.length
}

/** A text with the runs that a mask must hide. */
interface TextToMask {
  readonly bytes: Buffer
  /** In order; no two of them overlap or touch. */
  readonly runs: readonly ByteRange[]
  /** Where the new part of `bytes` begins. The bytes before it were part of earlier pieces. */
  readonly from: number
  /** Whether the previous piece ended in a mask. */
  readonly continues: boolean
}

/**
 * Copies `bytes` from `from` on into `memory`, with one mask for each run. A run that the previous piece has masked gets no
 * second mask.
 * @param memory with space for mostMasked() bytes
 * @returns the written part of `memory`
 */
function masked({ bytes, runs, from, continues }: TextToMask, memory: Buffer): Buffer {
  let [at, length] = [from, 0]
  for (const { start, end } of runs) {
    if (end <= from) continue
    length += bytes.copy(memory, length, at, Math.max(at, start))
    if (start >= from || !continues) length += MASK.copy(memory, length)
    at = end
  }
  length += bytes.copy(memory, length, at)
  return memory.subarray(0, length)
}
