import { finished, type Readable, type Writable } from 'node:stream'

/**
 * Takes the next piece of an output and returns what may be shown of it. A filter holds nothing back, and
 * returns the piece itself where nothing is to change.
 */
export type Filter = (piece: Buffer) => Buffer

/**
 * Passes all that comes from `from` through the filters to `to`, at the speed of `to`. A `to` that is gone must not block the scan.
 * @returns resolves when `to` has taken the last piece
 */
export function pipe(from: Readable, filters: readonly Filter[], to: Writable): Promise<void> {
  let gone = false
  to.on('error', () => {
    gone = true
    from.resume()
  })
  from.on('data', (piece: Buffer) => {
    for (const filter of filters) piece = filter(piece)
    if (gone || to.write(piece)) return
    from.pause()
    to.once('drain', () => from.resume())
  })
  return new Promise((resolve) => finished(from, () => to.write('', () => resolve())))
}
