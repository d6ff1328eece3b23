import { expect, test } from '@jest/globals'
import { randomUUID } from 'node:crypto'
import { Writable } from 'node:stream'
import { Scan } from '../../src/scan/scan.ts'
import { whyNoIsolation } from '../hosts/isolation.ts'

const whyNot = whyNoIsolation()
if (whyNot !== undefined) console.warn(`Skipped, what needs isolation: ${whyNot}.`)
const isolating = whyNot === undefined ? (['off', 'auto'] as const) : (['off'] as const)

for (const isolate of isolating) {
  test(`isolate: ${isolate}: a number that a command gives is told from a signal that ends it`, async () => {
    const ends = [
      'exit 3',
      'exit 130',
      'exit 139',
      'exit 143',
      'kill -SEGV $$',
      'kill -KILL $$',
      'kill -TERM $$',
      'kill -INT $$',
      'kill -HUP $$',
      'sh -c "kill -9 \\$\\$"; exit',
    ].map((command) => endOf(command, isolate))
    // No shell says a word of SIGINT, and bash none of SIGTERM: from inside they look like numbers.
    const [term, int] = isolate === 'off' ? ['143 SIGTERM ', '130 SIGINT '] : [expect.stringMatching(/^143 (SIGTERM|null) $/), '130 null ']
    expect(await Promise.all(ends)).toEqual([
      '3 null ',
      '130 null ',
      '139 null ',
      '143 null ',
      '139 SIGSEGV ',
      '137 SIGKILL ',
      term,
      int,
      '129 SIGHUP ',
      expect.stringMatching(/^137 null (Killed\n|.*Killed.*\n|)$/),
    ])
  })

  test(`isolate: ${isolate}: a scan that we tell to end was ended by that`, async () => {
    expect(await endOf('kill -STOP $$', isolate, AbortSignal.abort())).toMatch(/^(143 SIGTERM|137 SIGKILL) $/)
  })
}

if (whyNot === undefined) {
  test('who ends before its command, as all are told to, leaves that the time to clean up', async () => {
    expect(await endOf('kill -TERM $PPID; sleep 0.3; echo cleaned', 'auto')).toMatch(/^143 \w+ cleaned\n$/)
  })

  test('a scan that floods the one who tells of its end is not listened to for long', async () => {
    const flood = `
      my $fd = syscall(438, syscall(434, 1, 0), 4, 0);
      exit(1) if $fd < 0;
      open(my $to, ">&=", $fd);
      $SIG{PIPE} = "IGNORE";
      for (1..64) { syswrite($to, "x" x 65536) or last; }
    `
    expect(await endOf(`perl -e '${flood}'; exit 0`, 'auto')).toBe('1 null ')
  })
}

/** How a command ends, and what it says. */
async function endOf(command: string, isolate: 'off' | 'auto', signal = new AbortController().signal): Promise<string> {
  let said = ''
  const take = new Writable({ write: (chunk: Buffer, _encoding, done) => done(void (said += chunk.toString())) })
  const streams = { stdin: 'ignore', stdout: () => take, stderr: () => take, filters: () => [], close: () => undefined } as const
  const scan = await Scan.start(['sh', '-c', command], process.env, randomUUID(), isolate, streams)
  expect(scan.isolation.isolated).toBe(isolate === 'auto')
  const { exitCode, signal: by } = await scan.ended(signal)
  expect((await scan.stop()).remaining).toBe(0)
  await scan.drain(new AbortController().signal)
  return `${String(exitCode)} ${String(by)} ${said}`
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
    filters: () => [(piece: Buffer) => piece],
    close: () => (read += 'closed'),
  })
  await scan.ended(new AbortController().signal)
  await scan.stop()
  await scan.drain(new AbortController().signal)
  expect(read).toBe('1\n2\n3\n4\n5\nclosed')
})

test.each([
  ['to its end', new AbortController().signal, true],
  ['no further', AbortSignal.abort(), false],
])('outputs that are read %s: who closes is told whether more may come', async (_how, limit, complete) => {
  const told: boolean[] = []
  const slow = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => void setTimeout(done, 50) })
  const scan = await Scan.start(['seq', '5'], process.env, randomUUID(), 'off', {
    stdin: 'ignore',
    stdout: () => slow,
    stderr: () => slow,
    filters: () => [(piece) => piece],
    close: (all) => void told.push(all),
  })
  await scan.ended(new AbortController().signal)
  await scan.stop()
  await scan.drain(limit)
  expect(told).toEqual([complete])
})
