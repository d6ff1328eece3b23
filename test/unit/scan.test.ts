import { expect, test } from '@jest/globals'
import { randomUUID } from 'node:crypto'
import { Writable } from 'node:stream'
import { Scan } from '../../src/scan/scan.ts'
import { whyNoIsolation } from '../hosts/isolation.ts'

const whyNot = whyNoIsolation()
if (whyNot !== undefined) console.warn(`Skipped, what needs isolation: ${whyNot}.`)
const isolating = whyNot === undefined ? (['off', 'auto'] as const) : (['off'] as const)

for (const isolate of isolating) {
  test(`isolate: ${isolate}: the exit status of a scan distinguishes exit codes above 128 from signals`, async () => {
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
    // No shell prints a word for SIGINT, and bash none for SIGTERM. So an isolated scan that these end shows only an exit code.
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

  test(`isolate: ${isolate}: the exit status of a scan that kubepass signals is that signal`, async () => {
    expect(await endOf('kill -STOP $$', isolate, AbortSignal.abort())).toMatch(/^(143 SIGTERM|137 SIGKILL) $/)
  })
}

if (whyNot === undefined) {
  test('when SIGTERM ends the reporting shell first, the command still gets time to clean up', async () => {
    expect(await endOf('kill -TERM $PPID; sleep 0.3; echo cleaned', 'auto')).toMatch(/^143 \w+ cleaned\n$/)
  })

  test('a scan that floods the control channel is cut off', async () => {
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

/** The exit code, the signal and the output of a command. */
async function endOf(command: string, isolate: 'off' | 'auto', signal = new AbortController().signal): Promise<string> {
  let output = ''
  const take = new Writable({ write: (chunk: Buffer, _encoding, done) => done(void (output += chunk.toString())) })
  const streams = { stdin: 'ignore', stdout: () => take, stderr: () => take, filters: () => [], close: () => undefined } as const
  const scan = await Scan.start({ command: ['sh', '-c', command], env: process.env, trackingId: randomUUID() }, isolate, streams)
  expect(scan.isolation.isolated).toBe(isolate === 'auto')
  const { exitCode, signal: by } = await scan.ended(signal)
  expect((await scan.stop()).remaining).toBe(0)
  await scan.drain(new AbortController().signal)
  return `${String(exitCode)} ${String(by)} ${output}`
}

test('drain() calls close after a slow reader has taken all output', async () => {
  let read = ''
  const slow = new Writable({
    write(chunk: Buffer, _encoding, done) {
      setTimeout(() => {
        read += chunk.toString()
        done()
      }, 50)
    },
  })
  const scan = await Scan.start({ command: ['seq', '5'], env: process.env, trackingId: randomUUID() }, 'off', {
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
  ['until the end', new AbortController().signal, true],
  ['until the deadline', AbortSignal.abort(), false],
])('drain() tells close whether the output is complete: read %s', async (_how, limit, complete) => {
  const calls: boolean[] = []
  const slow = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => void setTimeout(done, 50) })
  const scan = await Scan.start({ command: ['seq', '5'], env: process.env, trackingId: randomUUID() }, 'off', {
    stdin: 'ignore',
    stdout: () => slow,
    stderr: () => slow,
    filters: () => [(piece) => piece],
    close: (all) => void calls.push(all),
  })
  await scan.ended(new AbortController().signal)
  await scan.stop()
  await scan.drain(limit)
  expect(calls).toEqual([complete])
})
