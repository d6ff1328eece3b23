import { expect, test } from '@jest/globals'
import { PassThrough, Readable, Writable } from 'node:stream'
import { pipe } from '../../src/scan/pipe.ts'

const PIECE = Buffer.alloc(1 << 16, 'x')

/** A stream of `most` pieces that counts the reads. */
function source(most: number): { from: Readable; given: () => number } {
  let count = 0
  const from = new Readable({
    read() {
      this.push(count < most ? PIECE : null)
      count += 1
    },
  })
  return { from, given: () => count }
}

test('pipe() does not read ahead of a slow reader', async () => {
  const { from, given } = source(1000)
  const reader = new PassThrough()
  const done = pipe(from, [], reader)
  for (const limit of [10, 20]) {
    // Without the reader, nothing more happens once two turns of the event loop bring nothing new.
    for (let seen = -1; seen !== given();) {
      seen = given()
      await new Promise(setImmediate)
      await new Promise(setImmediate)
    }
    expect(given()).toBeLessThan(limit)
    for (let i = 0; i < 5; i += 1) reader.read()
  }
  reader.resume()
  await done
  expect(given()).toBe(1001)
})

test('pipe() passes on a line without a line end at once', async () => {
  const [from, reader] = [new PassThrough(), new PassThrough()]
  const done = pipe(from, [(piece) => piece], reader)
  from.write('Password: ')
  expect(String(await new Promise((resolve) => reader.once('data', resolve)))).toBe('Password: ')
  from.end()
  await done
})

test('pipe() gives each filter the output of the one before', async () => {
  let shown = ''
  const to = new Writable({ write: (piece: Buffer, _encoding, done) => done(void (shown += piece.toString())) })
  const append = (text: string) => (piece: Buffer) => Buffer.concat([piece, Buffer.from(text)])
  await pipe(Readable.from([Buffer.from('a'), Buffer.from('b')]), [append('1'), append('2')], to)
  expect(shown).toBe('a12b12')
})

test('pipe() reads on when the reader fails', async () => {
  const { from, given } = source(1000)
  const reader = new Writable({ highWaterMark: 1, write: (_piece, _encoding, done) => setImmediate(done, new Error('gone')) })
  await pipe(from, [], reader)
  expect(given()).toBe(1001)
})
