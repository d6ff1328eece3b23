import { KubepassError } from '../base/errors.ts'
import { searchModule } from './search-module.ts'

/** A run of bytes that an added text contains. */
export interface ByteRange {
  start: number
  end: number
}

/** Declared here, because TypeScript declares it only in its library for browsers. */
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
    throw new KubepassError('INPUT', 'Node.js cannot run WebAssembly here. kubepass needs it to find secrets in outputs.', {
      hint: 'Some releases of Node.js 24 reserve 10 GB of address space for WebAssembly: raise the limit that `ulimit -v` shows, or use a later release.',
      cause,
    })
  }
}

/**
 * Holds every 16 neighbouring bytes of the added texts. The search marks where the input has such bytes. The folder assembly/ has
 * the source of the WebAssembly module that does the work.
 */
export class TextSearch {
  #instance: Exports | undefined
  #start = 0
  #length = 0

  // Created at the first use, because unsafe NODE_OPTIONS can disable WebAssembly, and kubepass must be able to report them.
  get #exports(): Exports {
    this.#instance ??= newInstance()
    return this.#instance
  }

  /** @returns false if the text has fewer than 16 bytes, so that the search cannot find it */
  addText(input: Uint8Array): boolean {
    this.setInput(input)
    return this.#exports.addText() === 1
  }

  /** Replaces the text to search, and removes all marks. */
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

  /** The input. It is valid until the next call of `addText`, `setInput` or `markDumpedRuns`, because each may grow the memory. */
  text(): Buffer {
    return Buffer.from(this.#exports.memory.buffer, this.#start, this.#length)
  }

  /** Marks the runs that end at or after the index `cut` of the input. */
  markRuns(cut: number): void {
    this.#exports.markRuns(cut)
  }

  /**
   * Marks runs whose characters are separated, where the input looks like a dump.
   * @param cut the index at which a piece of the output begins: only a few lines of a dump may stand there and at the end
   * @returns how many bytes look like a dump
   */
  markDumpedRuns(cut: number): number {
    return this.#exports.markDumps(cut)
  }

  /** The marked runs, in order. Runs that overlap or touch are merged. */
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

  /** The first index of the input, from `from` on, where the bytes `first` and `second` stand in this order; -1 if there is none. */
  indexOfPair(first: number, second: number, from: number): number {
    return this.#exports.indexOfPair(from, first, second)
  }
}
