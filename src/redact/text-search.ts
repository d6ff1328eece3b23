import { KubepassError } from '../base/errors.ts'
import { searchModule } from './search-module.ts'

/** A run of bytes that stands in an added text. */
export interface ByteRange {
  start: number
  end: number
}

/** TypeScript declares it only together with all that browsers have. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object
  Instance: new (module: object) => { readonly exports: unknown }
}

/** The exports of assembly/index.ts. */
interface Exports {
  memory: { readonly buffer: ArrayBuffer }
  reserve(length: number): number
  addText(): 0 | 1
  markRuns(cut: number): void
  markDumps(cut: number): number
  nextMark(index: number, isMarked: 0 | 1): number
  indexOfPair(index: number, first: number, second: number): number
}

function newInstance(): Exports {
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(searchModule, 'base64'))).exports as Exports
  } catch (cause) {
    throw new KubepassError('INPUT', 'Node.js cannot run WebAssembly here, with which kubepass finds secrets in outputs.', {
      hint: 'Some releases of Node.js 24 reserve 10 GB of address space for WebAssembly: raise the limit that `ulimit -v` shows, or use a later release.',
      cause,
    })
  }
}

/**
 * The set of every 16 neighbouring bytes of the texts that were added. The search marks where another text, which is loaded, has
 * such bytes. WebAssembly does the work: assembly/.
 */
export class TextSearch {
  #instance: Exports | undefined
  #start = 0
  #length = 0

  // Not before there is something to search for: NODE_OPTIONS that are refused may take WebAssembly away.
  get #exports(): Exports {
    this.#instance ??= newInstance()
    return this.#instance
  }

  /** @returns whether the text has 16 bytes, so that it can be found */
  addText(input: Uint8Array): boolean {
    this.setInput(input)
    return this.#exports.addText() === 1
  }

  /** Takes the text that is searched from now on, in place of the last one, with nothing marked. */
  setInput(...parts: Uint8Array[]): void {
    this.#length = parts.reduce((sum, part) => sum + part.length, 0)
    this.#start = this.#exports.reserve(this.#length)
    let end = 0
    const text = this.text()
    for (const part of parts) {
      text.set(part, end)
      end += part.length
    }
  }

  /** The loaded text, valid until the next call of `add`, `load` or `markDumpedRuns`: their memory may grow. */
  text(): Buffer {
    return Buffer.from(this.#exports.memory.buffer, this.#start, this.#length)
  }

  /** Marks the runs that end behind an index of the loaded text, or there. */
  markRuns(cut: number): void {
    this.#exports.markRuns(cut)
  }

  /**
   * Marks runs across what separates their characters, where the loaded text looks like a dump.
   * @param cut where an output was cut: few lines of a dump may stand there and at the end
   * @returns how many bytes look like a dump
   */
  markDumpedRuns(cut: number): number {
    return this.#exports.markDumps(cut)
  }

  /** In order. Runs that overlap or touch are one. */
  markedRuns(): ByteRange[] {
    const exports = this.#exports
    const runs: ByteRange[] = []
    for (let start = exports.nextMark(0, 1); start >= 0;) {
      const end = exports.nextMark(start, 0)
      runs.push({ start, end })
      start = exports.nextMark(end, 1)
    }
    return runs
  }

  /** The index of the loaded text, from `from` on, at which `first` stands with `second` behind it; -1 if there is no such pair. */
  indexOfPair(first: number, second: number, from: number): number {
    return this.#exports.indexOfPair(from, first, second)
  }
}
