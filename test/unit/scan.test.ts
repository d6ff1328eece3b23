import { expect, test } from '@jest/globals'
import { randomUUID } from 'node:crypto'
import { PassThrough, Writable } from 'node:stream'
import { Scan } from '../../src/scan.ts'

test('what follows the scan comes after all of its output, however slowly that is read', async () => {
  let read = ''
  const slow = new Writable({
    write(chunk: Buffer, _encoding, done) {
      setTimeout(() => {
        read += chunk.toString()
        done()
      }, 50)
    },
  })
  const scan = await Scan.start(['seq', '5'], process.env, randomUUID(), 'off', {
    stdin: 'ignore',
    stdout: () => slow,
    stderr: () => slow,
    filters: () => [new PassThrough()],
    close: () => (read += 'closed'),
  })
  await scan.ended(new AbortController().signal)
  await scan.stop()
  await scan.drain(new AbortController().signal)
  expect(read).toBe('1\n2\n3\n4\n5\nclosed')
})
