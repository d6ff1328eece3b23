import { expect, test } from '@jest/globals'
import { PassThrough, Readable, Writable } from 'node:stream'
import { pipe } from '../../src/scan/pipe.ts'

const PIECE = Buffer.alloc(1 << 16, 'x')

/** Hands out pieces as long as it is asked to, and counts them. */
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

test('no more is read than the reader takes', async () => {
  const { from, given } = source(1000)
  const reader = new PassThrough()
  const done = pipe(from, [], reader)
  for (const limit of [10, 20]) {
    // All that can happen without the reader has happened when two turns bring nothing new.
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

test('what is written without an end of line is passed on at once', async () => {
  const [from, reader] = [new PassThrough(), new PassThrough()]
  const done = pipe(from, [(piece) => piece], reader)
  from.write('Password: ')
  expect(String(await new Promise((resolve) => reader.once('data', resolve)))).toBe('Password: ')
  from.end()
  await done
})

test('each filter gets what the one before made', async () => {
  let shown = ''
  const to = new Writable({ write: (piece: Buffer, _encoding, done) => done(void (shown += piece.toString())) })
  const append = (text: string) => (piece: Buffer) => Buffer.concat([piece, Buffer.from(text)])
  await pipe(Readable.from([Buffer.from('a'), Buffer.from('b')]), [append('1'), append('2')], to)
  expect(shown).toBe('a12b12')
})

test('a reader that is gone, also while it is waited for, does not stop the source', async () => {
  const { from, given } = source(1000)
  const reader = new Writable({ highWaterMark: 1, write: (_piece, _encoding, done) => setImmediate(done, new Error('gone')) })
  await pipe(from, [], reader)
  expect(given()).toBe(1001)
})
