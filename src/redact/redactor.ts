import type { Filter } from './filter.ts'
import { type Seal, sealedString } from './sealed-string.ts'
import { type ByteRange, TextSearch } from './text-search.ts'

const SHORTEST_SECRET = 4
const MASK = Buffer.from('***')
/** In so many bytes 16 characters stand in any form of dump. */
const CONTEXT = 1024

/**
 * Finds every run of at least 16 neighbouring characters of a secret: plain, URI- or JSON-escaped, in
 * base64 and base64url at each alignment, in hex. No secret is forgotten.
 */
export class Redactor {
  readonly #shown: readonly string[]
  readonly #values = new Set<string>()
  /** Other filters of the same outputs search with it as well, because each instance of WebAssembly reserves much address space. */
  readonly search = new TextSearch()
  /** The spellings of fewer than 16 characters, which are masked as a whole. */
  readonly #words = new Set<string>()

  /** @param shown texts of the program itself, which no message loses although a secret has a part of one */
  constructor(shown: readonly string[] = []) {
    this.#shown = shown
  }

  /** Learns every spelling of the value before anyone else sees it. */
  readonly seal: Seal = (value) => {
    if (value.length < SHORTEST_SECRET) throw new RangeError('a secret of fewer than 4 characters cannot be told from other text')
    if (!this.#values.has(value)) {
      for (const spelling of spellings(value)) {
        if (!this.search.addText(Buffer.from(spelling))) this.#words.add(spelling)
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
    const runs = this.#found(bytes).filter((run) => !this.#isShown(bytes, run))
    return runs.length === 0 ? text : masked(bytes, runs, 0, false, Buffer.alloc(mostMasked(bytes.length, runs))).toString()
  }

  #isShown(bytes: Buffer, { start, end }: ByteRange): boolean {
    return this.#shown.some((text) => {
      const at = bytes.indexOf(text, Math.max(0, end - Buffer.byteLength(text)))
      return at !== -1 && at <= start
    })
  }

  /**
   * Remembers the last bytes of one output, so that a secret is found across any split of writes. Before a secret is found, the
   * filter has shown fewer than 16 of its characters.
   */
  filter(): Filter {
    let recent = Buffer.alloc(0)
    let endsMasked = false
    // New memory for each piece would cost more than the search.
    let memory = Buffer.alloc(0)
    return (piece) => {
      if (piece.length === 0) return piece
      const cut = recent.length
      this.search.setInput(recent, piece)
      this.search.markRuns(cut)
      this.search.markDumpedRuns(cut)
      const bytes = this.search.text()
      const runs = this.#found(bytes)
      recent = Buffer.from(bytes.subarray(-CONTEXT))
      const continues = endsMasked
      endsMasked = runs.at(-1)?.end === bytes.length
      if (runs.length === 0) return piece
      const most = mostMasked(piece.length, runs)
      if (memory.length < most) memory = Buffer.alloc(most)
      return masked(bytes, runs, cut, continues, memory)
    }
  }

  /** The runs that the search found in `bytes`, and the words, in order. Runs that overlap or touch are one. */
  #found(bytes: Buffer): ByteRange[] {
    const runs = this.search.markedRuns()
    if (this.#words.size === 0) return runs
    for (const word of this.#words)
      for (let at = bytes.indexOf(word); at >= 0; at = bytes.indexOf(word, at + 1))
        runs.push({ start: at, end: at + Buffer.byteLength(word) })
    return merged(runs)
  }
}

/** In order; runs that overlap or touch become one. */
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

/** The spellings in which a value may turn up. */
function spellings(value: string): string[] {
  const body = sensitivePart(value)
  const bytes = Buffer.from(body)
  const plain = [body, encodeURIComponent(body), JSON.stringify(body).slice(1, -1)]
  // A dump is searched for 16 characters. A shorter spelling would only mask a word that is no secret.
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

/** A JWT's header is common to all tokens of a server; what follows it is the secret. */
export function sensitivePart(value: string): string {
  return /^eyJ[\w-]*\.[\w-]+\.[\w-]+$/.test(value) ? value.slice(value.indexOf('.') + 1) : value
}

/** The most bytes of a masked text. A mask may be longer than what it stands for: a dump can have one character on each line. */
function mostMasked(length: number, runs: ByteRange[]): number {
  return length + runs.length * MASK.length
}

/**
 * Writes `bytes` from `from` on into `memory` with one mask for each run; none for a run whose mask was written before `from`.
 * @returns what was written
 */
function masked(bytes: Buffer, runs: ByteRange[], from: number, continues: boolean, memory: Buffer): Buffer {
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
