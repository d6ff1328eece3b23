import { writeSync } from 'node:fs'
import { errnoOf } from '../base/errors.ts'

export const STDOUT = 1
export const STDERR = 2

/**
 * Writes at once, and never throws: nobody may read any more, and the revocation must go on. Node's own
 * streams cost 3 ms and 2 MiB at their first use; what is said before the scan does without them.
 */
export function print(stream: typeof STDOUT | typeof STDERR, text: string): void {
  printWhole(stream, text)
}

/** @returns whether all of it was written */
export function printWhole(stream: typeof STDOUT | typeof STDERR, text: string): boolean {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(stream, bytes, at)
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN') return false
      // The pipe is full and does not block: let its reader catch up.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
  return true
}
