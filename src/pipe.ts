import { finished, type Readable, type Writable } from 'node:stream'

/**
 * Takes the next piece of an output and returns the text to show, which is valid until the next call. A filter holds nothing
 * back. It returns the piece itself if it changes nothing.
 */
export type Filter = (piece: Buffer) => Buffer

/**
 * Passes the data of `from` through the filters to `to`, one piece after another: the next one may come in the same memory.
 * If `to` fails, it reads on, so that the scan does not block.
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
