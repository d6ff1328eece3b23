import { createHash } from 'node:crypto'
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { scheduler } from 'node:timers/promises'

/** kubepass reads and hashes one chunk in less than a millisecond, and then lets other work run. */
const CHUNK_BYTES = 256 * 1024

/** Returns the SHA-256 of the file in hex; undefined if it cannot be read, or if `signal` aborts. */
export async function sha256OfFile(path: string, signal: AbortSignal): Promise<string | undefined> {
  let file: number | undefined
  try {
    // A pipe would block until another process writes to it.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    if (!fstatSync(file).isFile()) return undefined
    const hash = createHash('sha256')
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
    for (let size = readSync(file, chunk); size > 0; size = readSync(file, chunk)) {
      hash.update(chunk.subarray(0, size))
      if (size === CHUNK_BYTES) await scheduler.yield()
      signal.throwIfAborted()
    }
    return hash.digest('hex')
  } catch {
    return undefined
  } finally {
    if (file !== undefined) closeSync(file)
  }
}
