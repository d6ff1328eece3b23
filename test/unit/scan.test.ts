import { expect, test } from '@jest/globals'
import { randomUUID } from 'node:crypto'
import { PassThrough, Writable } from 'node:stream'
import { Scan } from '../../src/scan.ts'
import { whyNoIsolation } from '../hosts/isolation.ts'

const whyNot = whyNoIsolation()
if (whyNot !== undefined) console.warn(`Skipped, what needs isolation: ${whyNot}.`)
const isolating = whyNot === undefined ? (['off', 'required'] as const) : (['off'] as const)

for (const isolate of isolating) {
  test(`isolate: ${isolate}: a number that a command gives is told from a signal that ends it`, async () => {
    const endOf = async (command: string): Promise<string> => {
      let stderr = ''
      const take = new Writable({ write: (chunk: Buffer, _encoding, done) => done(void (stderr += chunk.toString())) })
      const streams = { stdin: 'ignore', stdout: () => take, stderr: () => take, filters: () => [], close: () => undefined } as const
      const scan = await Scan.start(['sh', '-c', command], process.env, randomUUID(), isolate, streams)
      const { exitCode, signal } = await scan.ended(new AbortController().signal)
      await scan.stop()
      await scan.drain(new AbortController().signal)
      return `${String(exitCode)} ${String(signal)} ${stderr}`
    }
    const ends = [
      'exit 3',
      'exit 139',
      'kill -SEGV $$',
      'kill -KILL $$',
      'kill -TERM $$',
      'kill -INT $$',
      'kill -HUP $$',
      'sh -c "kill -9 \\$\\$"; exit',
    ].map(endOf)
    expect(await Promise.all(ends)).toEqual([
      '3 null ',
      '139 null ',
      '139 SIGSEGV ',
      '137 SIGKILL ',
      '143 SIGTERM ',
      '130 SIGINT ',
      '129 SIGHUP ',
      expect.stringMatching(/^137 null (Killed\n|.*Killed.*\n|)$/),
    ])
  })
}

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
