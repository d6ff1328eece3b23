import { dumpedRegions, dumpedRuns, DumpReader, looksDumped } from './dump.ts'
import type { Filter } from './pipe.ts'
import { merged, RunIndex, SHORTEST_RUN, type Run } from './run-index.ts'
import { sealedValue, type Seal } from './secret.ts'

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
  readonly #runs = new RunIndex()
  readonly #dumpReader = new DumpReader()
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
      this.#values.add(value)
      for (const spelling of spellings(value)) {
        const bytes = Buffer.from(spelling)
        if (bytes.length < SHORTEST_RUN) this.#words.add(spelling)
        else this.#runs.add(bytes)
      }
    }
    return sealedValue(value)
  }

  redact(text: string): string {
    const bytes = Buffer.from(text)
    const runs = this.find(bytes).filter((run) => !this.#isShown(bytes, run))
    return runs.length === 0 ? text : Buffer.concat(masked(bytes, runs, 0, false)).toString()
  }

  #isShown(bytes: Buffer, { start, end }: Run): boolean {
    return this.#shown.some((text) => {
      const at = bytes.indexOf(text, Math.max(0, end - Buffer.byteLength(text)))
      return at !== -1 && at <= start
    })
  }

  /** Has a memory of its own, for one of the scan's outputs. */
  filter(): Filter {
    return redacting(this)
  }

  /** The runs of secret text in `bytes`, in order; what overlaps or touches is one. */
  find(bytes: Buffer): Run[] {
    const runs = this.#runs.find(bytes)
    if (this.#words.size === 0) return runs
    for (const word of this.#words)
      for (let at = bytes.indexOf(word); at >= 0; at = bytes.indexOf(word, at + 1))
        runs.push({ start: at, end: at + Buffer.byteLength(word) })
    return merged(runs)
  }

  /** The same where text looks dumped, across what separates it there. */
  findDumped(bytes: Buffer, cuts: readonly number[]): Run[] {
    return dumpedRegions(bytes, cuts).flatMap((region) =>
      this.#dumpReader
        .read(bytes, region)
        .flatMap((undumped) => this.#runs.find(undumped.text).flatMap((run) => dumpedRuns(bytes, undumped, run))),
    )
  }
}

/** The spellings in which a value may turn up. */
function spellings(value: string): string[] {
  const body = sensitivePart(value)
  const bytes = Buffer.from(body)
  const plain = [body, encodeURIComponent(body), JSON.stringify(body).slice(1, -1)]
  const encoded = [0, 1, 2].flatMap((shift) => base64Alignment(bytes.subarray(shift)))
  const hex = [bytes.toString('hex'), bytes.toString('hex').toUpperCase()]
  return [...new Set([...plain, ...encoded, ...hex])].filter((text) => text.length >= SHORTEST_SECRET)
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

/** `bytes` from `from` on with one mask for each run; none for a run whose mask was written before `from`. */
function masked(bytes: Buffer, runs: Run[], from: number, continues: boolean): Buffer[] {
  const parts: Buffer[] = []
  let at = from
  for (const { start, end } of runs) {
    if (end <= from) continue
    parts.push(bytes.subarray(at, Math.max(at, start)))
    if (start >= from || !continues) parts.push(MASK)
    at = end
  }
  return [...parts, bytes.subarray(at)]
}

/** Remembers the last bytes, so that a secret is found across any split of writes; what is shown by then is too short to matter. */
function redacting(redactor: Redactor): Filter {
  let recent: Buffer = Buffer.alloc(0)
  let endsMasked = false
  return (piece) => {
    if (piece.length === 0) return piece
    const joint = Buffer.concat([recent, piece.subarray(0, CONTEXT)])
    const from = recent.length
    const edge = Math.max(0, from - SHORTEST_RUN + 1)
    const crosses = redactor
      .find(joint.subarray(edge, from + SHORTEST_RUN - 1))
      .some(({ start, end }) => start < from - edge && from - edge < end)
    const dumped = looksDumped(joint, [from, joint.length]) || (piece.length > CONTEXT && looksDumped(piece, [piece.length]))
    const bytes = crosses || dumped ? Buffer.concat([recent, piece]) : piece
    const runs = dumped ? merged([...redactor.find(bytes), ...redactor.findDumped(bytes, [from, bytes.length])]) : redactor.find(bytes)
    recent = (piece.length < CONTEXT ? joint : piece).subarray(-CONTEXT)
    const shown = runs.length === 0 ? piece : Buffer.concat(masked(bytes, runs, bytes.length - piece.length, endsMasked))
    endsMasked = runs.at(-1)?.end === bytes.length
    return shown
  }
}
