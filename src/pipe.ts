import { finished, type Readable, type Writable } from 'node:stream'

/**
 * Takes the next piece of an output and returns the text to show. A filter holds nothing back. It returns the piece itself
 * if it changes nothing.
 */
export type Filter = (piece: Buffer) => Buffer

/**
 * Passes the data of `from` through the filters to `to`, at the speed of `to`. If `to` fails, it reads on, so that the scan does not block.
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
