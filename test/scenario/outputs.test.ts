import { expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Ended } from '../hosts/child.ts'
import { whyNoIsolation } from '../hosts/isolation.ts'
import { runInTerminal, runOnGithub, runOnGitlab } from './scenario.ts'

const ISOLATE = whyNoIsolation() === undefined ? (['auto', 'off'] as const) : (['off'] as const)

/** The exit code and both streams of a run. */
interface Said {
  code: number | null
  log: string
}

interface Place {
  /** A folder that the scan can write to. */
  folder: string
  /** The folder of the private directory. */
  temp: string
  run: (script: string, inputs?: Record<string, string>) => Promise<Said>
}

type Scenario = (place: Place) => Promise<void>

/** Taken from the streams, not from the log, where a line of one stream may interrupt a line of the other. */
function saidBy({ code, stdout, stderr }: Ended): Said {
  return { code, log: `${stdout}\n${stderr}` }
}

const PLACES = {
  'on GitHub': (scenario: Scenario) =>
    runOnGithub(({ job, step }) =>
      scenario({
        folder: job.home,
        temp: job.runnerTemp,
        run: async (command, inputs) => saidBy(await step({ command, ...inputs }).main()),
      }),
    ),
  'on GitLab': (scenario: Scenario) =>
    runOnGitlab(({ job, step }) =>
      scenario({ folder: job.home, temp: job.tmp, run: async (command, inputs) => saidBy(await step({ command, ...inputs }).main()) }),
    ),
  'in a terminal': (scenario: Scenario) =>
    runInTerminal(({ terminal, flags, identityOf }) =>
      scenario({
        folder: terminal.home,
        temp: terminal.tmp,
        async run(script, inputs) {
          const more = Object.entries({ ...inputs }).flatMap(([id, value]) => [`--${id.replaceAll('_', '-')}`, value])
          const words = ['run', ...flags, ...more, '--token-file', '-', '--', 'bash', '-c', script]
          return saidBy(await terminal.run(words, { stdin: await identityOf('issuer') }))
        },
      }),
    ),
}

function onEach(name: string, scenario: (place: Place, isolate: 'auto' | 'off') => Promise<void>): void {
  for (const [where, runThere] of Object.entries(PLACES))
    for (const isolate of ISOLATE)
      test(`${where}, isolate: ${isolate}: ${name}`, () =>
        runThere((place) => scenario({ ...place, run: (script, inputs) => place.run(script, { isolate, ...inputs }) }, isolate)))
}

/** The path of a program; undefined if the machine does not have it. */
function program(name: string, ...askItself: string[]): string | undefined {
  try {
    const [command, ...words] = askItself.length > 0 ? [name, ...askItself] : ['sh', '-c', `command -v ${name}`]
    return execFileSync(command, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    console.warn(`Without ${name}, which is not here.`)
    return undefined
  }
}

const python = program('python3', '-c', 'import sys; print(sys.executable)')
const curl = program('curl')
const perl = program('perl')

/** Different ways to write the file $1 to an output. */
const WAYS: Record<string, string | undefined> = {
  '> /dev/stdout': 'cat "$1" > /dev/stdout',
  '> /dev/stderr': 'cat "$1" > /dev/stderr',
  '>> /dev/stdout': 'cat "$1" >> /dev/stdout',
  '>> /dev/stderr': 'cat "$1" >> /dev/stderr',
  '<> /dev/stdout': 'cat "$1" 1<> /dev/stdout',
  '> /proc/self/fd/1': 'cat "$1" > /proc/self/fd/1',
  '> /dev/fd/1': 'cat "$1" > /dev/fd/1',
  '> /dev/fd/2': 'cat "$1" > /dev/fd/2',
  '3> /dev/stderr': 'exec 3> /dev/stderr; cat "$1" >&3',
  'cat /dev/stdin': 'cat /dev/stdin < "$1" > /dev/stdout',
  tee: 'tee /dev/stderr < "$1" > /dev/null',
  'tee -a': 'tee -a /dev/stderr < "$1" > /dev/null',
  dd: 'dd if="$1" of=/dev/stdout bs=64k status=none',
  cp: 'cp "$1" /dev/stdout',
  sh: 'sh -c \'cat "$0" > /dev/stderr\' "$1"',
  awk: 'awk \'{ print > "/dev/stderr" }\' "$1"',
  sed: 'sed -n "w /dev/stdout" "$1"',
  sort: 'sort -n -k 2,2 -o /dev/stdout "$1"',
  curl: curl && `${curl} -s -o /dev/stdout "file://$1"`,
  python: python && `${python} -c "import sys; open('/dev/stdout', 'w').write(open(sys.argv[1]).read())" "$1"`,
  perl: perl && `${perl} -e 'open my $to, ">", "/dev/stderr" or die $!; open my $from, "<", $ARGV[0]; print $to $_ while <$from>' "$1"`,
  'a process in the background': 'cat "$1" > /dev/stdout & wait',
  'a session of its own': 'setsid --wait sh -c \'cat "$0" > /dev/stdout\' "$1"',
}

const LINE = 'x'.repeat(1000)

/** Writes this number of lines of 1 kB in each way, and checks the lines that arrive. */
async function expectEachWay({ folder, run }: Place, lines: number): Promise<void> {
  const ways = Object.entries(WAYS).flatMap(([name, command]) => (command === undefined ? [] : [{ name, command }]))
  const script = ways.flatMap(({ name, command }, index) => [
    `seq -f '${String(index)}: %.0f ${LINE}' ${String(lines)} > "$file"`,
    `each() { ${command}; }`,
    `(each "$file") || echo "failed: ${name}"`,
  ])
  const { code, log } = await run(`file=${join(folder, 'file')}\n${script.join('\n')}`)
  expect(code).toBe(0)
  const came = ways.map(({ name }) => ({ name, numbers: new Array<number>() }))
  for (const line of log.split('\n')) {
    const [, way, number] = /^(\d+): (\d+) x+$/.exec(line) ?? []
    if (line.endsWith(LINE)) came[Number(way)]?.numbers.push(Number(number))
    else expect(line).not.toMatch(/^failed: |No such device/)
  }
  const all = Array.from({ length: lines }, (_, index) => index + 1)
  expect(came).toEqual(ways.map(({ name }) => ({ name, numbers: all })))
}

// More data than the capacity of a pipe.
onEach('every way to open /dev/stdout or /dev/stderr writes all lines in order', (place) => expectEachWay(place, 100))

for (const isolate of ISOLATE)
  test(`isolate: ${isolate}: every way to open /dev/stdout or /dev/stderr writes 1 MB in order`, () =>
    PLACES['in a terminal']((place) => expectEachWay({ ...place, run: (script) => place.run(script, { isolate }) }, 1000)))

onEach('the outputs of the scan are pipes without a name in the private directory', async ({ run }) => {
  const script =
    '[ -p /dev/stdout ] && [ -p /dev/stderr ] && echo pipes; ls -A "$(dirname "$KUBECONFIG")"; [ /dev/stdout -ef /dev/stderr ] || echo two'
  for (const [delivery, listed] of Object.entries({ auto: /^pipes\nkubeconfig\ntwo$/m, kubeconfig: /^pipes\nkubeconfig\ntoken\ntwo$/m })) {
    const { code, log } = await run(script, { delivery })
    expect([delivery, code]).toEqual([delivery, 0])
    expect(log).toMatch(listed)
  }
})

onEach('kubepass redacts secrets that the scan writes to /dev/stdout and /dev/stderr', async ({ run }) => {
  const { code, log } = await run(
    'token="$(dirname "$KUBECONFIG")/token"; cat "$token" > /dev/stdout; echo; cat "$token" > /dev/stderr; echo shown',
    { delivery: 'kubeconfig' },
  )
  expect(code).toBe(0)
  // findLeftovers() checks after each scenario that no part of the token is visible.
  expect(log).toMatch(/\.\*\*\*/)
  expect(log).toContain('shown')
})

onEach('kubepass redacts the credential for the API proxy that the scan writes to /dev/stdout and /dev/stderr', async ({ run }) => {
  const { code, log } = await run('cat "$KUBECONFIG" > /dev/stdout; cat "$KUBECONFIG" > /dev/stderr; echo shown')
  expect(code).toBe(0)
  expect(log.match(/"token": "\*\*\*"/g)).toHaveLength(2)
  expect(log.replaceAll(/^::add-mask::.*$/gm, '')).not.toMatch(/kubepass_[\w-]{10}/)
  expect(log).toContain('shown')
})

for (const isolate of ISOLATE)
  test(`isolate: ${isolate}: the last output of a scan arrives, however the scan ends`, () =>
    PLACES['in a terminal'](async ({ folder, run }) => {
      const [text, megabyte] = [join(folder, 'text'), join(folder, 'megabyte')]
      writeFileSync(text, 'the end\n')
      writeFileSync(megabyte, `${`${'x'.repeat(99)}\n`.repeat(10_000)}the last of all\n`)
      const ends = [
        ['true', '', 0],
        [`cat ${text} > /dev/stdout; exit 3`, 'the end\n', 3],
        [`cat ${megabyte} > /dev/stderr`, 'the last of all\n', 0],
        [`cat ${text} > /dev/stdout; kill -KILL $$`, 'the end\n', 137],
        [`exec >&- 2>&-; cat ${text} > /dev/null; exit 4`, '', 4],
        [`exec 3>&1 >&-; cat ${text} >&3; exit 5`, 'the end\n', 5],
        [`(cat ${text} > /dev/stdout) & wait`, 'the end\n', 0],
      ] as const
      await Promise.all(
        ends.map(async ([command, expected, code]) => {
          const said = await run(command, { isolate })
          expect([command, said.code]).toEqual([command, code])
          expect(said.log).toContain(expected)
          expect(said.log).toMatch(/revoked .*, proven dead/)
        }),
      )
    }))

onEach('max_scan ends a scan that writes to /dev/stdout', async ({ run }) => {
  const { code, log } = await run('while :; do echo on > /dev/stdout; sleep 0.1; done', { max_scan: '1' })
  expect(code).toBe(124)
  expect(log).toMatch(/^on\non\n/m)
  expect(log).toMatch(/revoked .*, proven dead/)
})

onEach('a scan that opens its outputs to read from them can still write to them', async ({ run }) => {
  const { code, log } = await run('exec 3< /dev/stdout 4< /dev/stderr; seq 20000; echo "by name" > /dev/stdout; echo seen >&2')
  expect(code).toBe(0)
  // The log has the two streams in any order.
  expect(log.replace('seen\n', '')).toMatch(/^20000\nby name$/m)
  expect(log).toContain('seen\n')
})

/** Runs `"$0" "$@"` where these programs do not exist. */
function without(...programs: string[]): string {
  const hide = programs.map((path) => `mount --bind /dev/null ${path}`).join(' && ')
  return `exec unshare --user --map-root-user --mount sh -c '${hide} && exec "$0" "$@"' "$0" "$@"`
}

if (whyNoIsolation() === undefined) {
  const mkfifo = program('mkfifo') ?? ''
  for (const isolate of ISOLATE)
    test(`isolate: ${isolate}: without mkfifo the scan's outputs are sockets, and a line says so`, () =>
      runInTerminal(async ({ terminal, flags, identityOf }) => {
        const script = 'echo "by itself"; (echo "by its name" > /dev/stdout) 2>/dev/null || echo refused; [ -S /dev/stdout ] && echo socket'
        const words = ['run', ...flags, '--isolate', isolate, '--token-file', '-', '--', 'bash', '-c', script]
        const { code, stdout, stderr } = await terminal.shell(without(mkfifo), words, { stdin: await identityOf('issuer') })
        expect([code, stdout]).toEqual([0, 'by itself\nrefused\nsocket\n'])
        expect(stderr.match(/^kubepass: The scan cannot open \/dev\/stdout or \/dev\/stderr: mkfifo is not in .*$/gm)).toHaveLength(1)
        expect(readdirSync(terminal.tmp)).toEqual([])
      }))

  // Node.js gives a socket as standard input. With that and without SHLVL, bash takes itself for a remote shell.
  for (const isolate of ISOLATE)
    test(`isolate: ${isolate}: no shell that kubepass starts reads a start-up file of the user, also where /bin/sh is bash`, () =>
      runInTerminal(async ({ terminal, flags, identityOf }) => {
        const aside = mkdtempSync(join(tmpdir(), 'kubepass-token-'))
        try {
          const token = join(aside, 'token')
          writeFileSync(token, await identityOf('issuer'))
          for (const name of ['.bashrc', '.profile', '.bash_profile', 'env'])
            writeFileSync(join(terminal.home, name), 'echo read; echo read >&2\n')
          const bash = `exec unshare --user --map-root-user --mount sh -c 'mount --bind "$(command -v bash)" "$(readlink -f /bin/sh)" && exec env -u SHLVL "$0" "$@"' "$0" "$@"`
          const words = ['run', ...flags, '--isolate', isolate, '--token-file', token, '--command', '[ -S /dev/stdin ] && echo scanned']
          const { code, stdout, stderr } = await terminal.shell(bash, words, { env: { ENV: join(terminal.home, 'env') } })
          expect([code, stdout]).toEqual([0, 'scanned\n'])
          expect(stderr).not.toMatch(/^read$/m)
        } finally {
          rmSync(aside, { recursive: true })
        }
      }))
}
