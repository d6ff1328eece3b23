import { finished, type Readable, type Writable } from 'node:stream'
import type { Filter } from '../redact/filter.ts'

/**
 * Passes the data of `from` through the filters to `to`. It reads the next piece when `to` has taken the last one, because `from` may
 * reuse the buffer. If `to` fails, it goes on reading, so that the scan does not block.
 * @returns resolves when `to` has taken the last piece
 */
export function pipe(from: Readable, filters: readonly Filter[], to: Writable): Promise<void> {
  to.on('error', () => undefined)
  from.on('data', (piece: Buffer) => {
    for (const filter of filters) piece = filter(piece)
    from.pause()
    to.write(piece, () => from.resume())
  })
  from.resume()
  return new Promise((resolve) => finished(from, () => to.write('', () => resolve())))
}
