import { writeSync } from 'node:fs'
import { errnoOf } from '../base/errors.ts'

export const STDOUT = 1
export const STDERR = 2

/**
 * Writes synchronously and never throws, because the revocation must go on even if the reader of the output is gone. It does not
 * use the streams of Node.js, which cost 3 ms and 2 MiB at their first use.
 */
export function print(stream: typeof STDOUT | typeof STDERR, text: string): void {
  printWhole(stream, text)
}

/** @returns whether the whole text was written */
export function printWhole(stream: typeof STDOUT | typeof STDERR, text: string): boolean {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(stream, bytes, at)
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN') return false
      // The pipe is full and non-blocking: wait 1 ms for its reader.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
  return true
}
