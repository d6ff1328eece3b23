import { expect, test } from '@jest/globals'
import { chmodSync, chownSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Evidence } from '../../src/state/evidence.ts'
import type { ClusterInfo } from '../cluster/cluster.ts'
import { whyNoIsolation } from '../hosts/isolation.ts'
import { commandOf, processes } from '../hosts/processes.ts'
import type { Terminal } from '../hosts/terminal.ts'
import { LOST_WITH_MAIN, inTerminal, killWhileScanning, ONE_SECRET, onEachCi, onGithub, runInTerminal } from './scenario.ts'

const whyNot = whyNoIsolation()
if (whyNot !== undefined) console.warn(`Skipped the tests that need isolation: ${whyNot}.`)
const whereAllowed =
  whyNot === undefined ? { onEachCi, onGithub, test } : { onEachCi: () => undefined, onGithub: () => undefined, test: test.skip }

/** The uid differs from 65534, which a user namespace shows for every unmapped user. */
const OTHER_USER = 12345
/** The users as which the tests can run a scan here. */
const users = process.getuid?.() === 0 ? { root: 0, 'an ordinary user': OTHER_USER } : { 'an ordinary user': process.getuid?.() }

/** A variable of kubepass that its scan does not inherit. */
const OF_KUBEPASS = 'KUBEPASS_TEST_SECRET'

/** Each attack prints whether it succeeded. The test passes the pid of kubepass, because the scan's /proc does not show it. */
const HOSTILE = `
until [ -s pid ]; do sleep 0.02; done
target=$(cat pid)
try() { name=$1; shift; if "$@" >/dev/null 2>&1; then echo "$name: yes"; else echo "$name: no"; fi; }
reads() { grep -qa ${OF_KUBEPASS} "$@"; }
# It seizes, which stops nobody, and lets go when it ends.
ptrace() { perl -e 'exit(syscall($ARGV[0], 0x4206, $ARGV[1] + 0, 0, 0) == -1)' "$([ "$(uname -m)" = x86_64 ] && echo 101 || echo 117)" "$target"; }
past() { echo "past the redactor" > "/proc/$target/fd/1"; }
mem() { exec 3< "/proc/$target/mem"; }
try environ reads "/proc/$target/environ"
try 'environ of any' reads /proc/[0-9]*/environ
try 'environ of the parent' reads "/proc/$PPID/environ"
try cmdline eval "cat /proc/[0-9]*/cmdline | grep -qa dist/cl[i]/index.js"
try mem mem
try output past
try 'signal 0' kill -0 "$target"
try ptrace ptrace
try continue kill -CONT "$target"
if [ "$(id -u)" = 0 ]; then
  [ "$1" = harmless ] && elsewhere='unshare --mount'
  try 'unmount /proc' $elsewhere umount -l /proc
  try "enter kubepass' mount namespace" nsenter --target "$target" --mount true
fi
echo "$(id -u), $(xargs < /proc/self/uid_map)"
[ "$1" != harmless ] || exit 0
kill -KILL -1
kill -KILL 0
`

interface ScanOutput {
  code: number | null
  stdout: string
  stderr: string
}

function give({ folder, home, tmp, work }: Terminal, uid = -1): void {
  for (const path of [home, tmp, work]) chownSync(path, uid, uid)
  chmodSync(folder, 0o711)
}

/** Replaces the name of a file by its content. */
function forAnybody(flags: string[], { ca }: ClusterInfo): string[] {
  return flags.map((word) => (word === ca ? readFileSync(ca, 'base64') : word))
}

function become(uid: number | undefined): string {
  return uid === process.getuid?.() ? '' : `setpriv --reuid=${String(uid)} --regid=${String(uid)} --clear-groups`
}

/** A hostile scan in a terminal whose output is a pipe, as on a runner. */
async function attack(uid: number | undefined, isolate: string, how: 'harmless' | 'with all it has'): Promise<ScanOutput> {
  let output: ScanOutput | undefined
  await runInTerminal(async ({ info, terminal, flags, identityOf }) => {
    writeFileSync(join(terminal.home, 'hostile'), HOSTILE)
    give(terminal, uid)
    // The pipe belongs to the user, and the shell executes the program in its own process, so that the test knows its pid.
    const script = `exec ${become(uid)} sh -c 'sh -c "$START" "$0" "$@" | cat' "$0" "$@"`
    const words = [
      'run',
      ...forAnybody(flags, info),
      '--isolate',
      isolate,
      '--token-file',
      '-',
      '--',
      'bash',
      join(terminal.home, 'hostile'),
      how,
    ]
    const { code, stdout, stderr } = await terminal.shell(script, words, {
      stdin: await identityOf('issuer'),
      env: { [OF_KUBEPASS]: 'x', START: 'echo $$ > pid; exec "$0" "$@"' },
    })
    output = { code, stdout, stderr }
  })
  if (output === undefined) throw new Error('no scan has run')
  return output
}

/** The results of the attacks, as the scan prints them. */
function triesOf({ stdout }: ScanOutput): Record<string, string> {
  return Object.fromEntries([...stdout.matchAll(/^(.*): (yes|no)$/gm)].map(([, name = '', could = '']) => [name, could]))
}

for (const [user, uid] of Object.entries(users)) {
  whereAllowed.test(`a hostile scan, as ${user}, cannot look into kubepass, signal it or write past the redactor`, async () => {
    const isRoot = uid === 0
    const [isolated, open] = await Promise.all([
      attack(uid, isRoot ? 'auto' : 'required', 'with all it has'),
      attack(uid, 'off', 'harmless'),
    ])
    // A failure of an attack shows something only if the attack succeeds without isolation.
    const could = ['environ', 'environ of any', 'environ of the parent', 'cmdline', 'mem', 'output', 'signal 0', 'ptrace', 'continue']
    if (isRoot) could.push('unmount /proc', "enter kubepass' mount namespace")
    expect(triesOf(open)).toEqual(Object.fromEntries(could.map((name) => [name, 'yes'])))
    expect(open.stdout).toMatch(/^past the redactor$/m)
    expect(open.stderr).toMatch(/\n {2}Isolated +no: isolate is off\n/)

    expect(triesOf(isolated)).toEqual(Object.fromEntries(could.map((name) => [name, 'no'])))
    expect(isolated.stdout).not.toContain('past the redactor')
    // Root keeps all users of the machine mapped, an ordinary user only itself.
    expect(isolated.stdout).toMatch(isRoot ? /^0, 0 0 /m : new RegExp(`^${String(uid)}, ${String(uid)} ${String(uid)} 1$`, 'm'))
    expect(isolated.stderr).toMatch(isRoot ? /\n {2}Isolated +yes, as root: the machine's files/ : /\n {2}Isolated +yes\n/)
    expect(isolated.stderr).toMatch(/ exit code 137 \(SIGKILL\), /)
    expect(isolated.stderr).toMatch(/Credential: revoked .*, proven dead/)
  })
}

if (process.getuid?.() === 0)
  inTerminal('isolate: required is an error for root, which cannot be isolated', async ({ terminal, flags, identityOf, proxy }) => {
    const words = ['run', ...flags, '--isolate', 'required', '--token-file', '-', '--', 'echo', 'ran']
    const { code, stdout, stderr } = await terminal.run(words, { stdin: await identityOf('issuer') })
    expect([code, stdout]).toEqual([80, ''])
    expect(stderr).toMatch(/isolate is required, but root cannot be isolated.*\n.*Run the job as an ordinary user/)
    expect(proxy.exchanges).toEqual([])
  })

const isolationOf = (file: string): Evidence['isolation'] => (JSON.parse(readFileSync(file, 'utf8')) as Evidence).isolation

whereAllowed.onEachCi('without a word about it a scan is isolated, as the user that it is', async ({ step, job }) => {
  const evidence = join(job.workspace, 'evidence.json')
  const command = 'echo "$(id -u) sees" /proc/[0-9]*; touch "$HOME/of-the-scan"; echo "$go $marker"; env | grep ^KUBEPASS_'
  const main = await step({ command, evidence }, { go: 'mine', marker: 'mine' }).main()
  expect(main.code).toBe(0)
  expect(main.log).toContain(`\n${String(process.getuid?.())} sees /proc/1 /proc/2 /proc/3\n`)
  expect(main.log).toMatch(/\nmine mine\nKUBEPASS_TRACKING_ID=[0-9a-f]+\n(?!KUBEPASS)/)
  expect(statSync(join(job.home, 'of-the-scan')).uid).toBe(process.getuid?.())
  expect(isolationOf(evidence)).toEqual({ isolated: true, why_not: null, as_root: process.getuid?.() === 0 })
  expect(main.log).not.toContain('not isolated')
})

/** The scan moves PID 1 of the namespace out of its process group, and clears its environment. */
const OVERTAKEN = `
my ($ptrace, $setsid) = (101, 112);
my $regs = "\\0" x 216;
sub at { syscall($ptrace, $_[0], 1, 0, $_[1]) == 0 or die "$_[0]: $!"; }
at(16, 0); waitpid(1, 0x40000000);
at(12, $regs);
my @then = unpack("q27", $regs);
$then[16] -= 2;
my @now = @then;
($then[10], $then[15]) = ($then[15], -1);
@now[10, 15] = ($setsid, -1);
at(13, pack("q27", @now));
at(9, 0); waitpid(1, 0x40000000);
at(12, $regs);
die "no session" if (unpack("q27", $regs))[10] < 0;
open(my $stat, "<", "/proc/1/stat"); my @fields = split " ", <$stat> =~ s/^.*\\) //sr;
open(my $mem, "+<:raw", "/proc/1/mem") or die "mem: $!";
sysseek($mem, $fields[47], 0); syswrite($mem, "\\0" x ($fields[48] - $fields[47])) or die "write: $!";
at(13, pack("q27", @then));
at(17, 0);
print "overtaken\\n";
`.replaceAll('\\\\', '\\')

const preparations =
  process.arch === 'x64' ? { '': '', ', even if it overtakes the first of its namespace': 'perl overtake.pl; ' } : { '': '' }

for (const [addition, before] of Object.entries(preparations))
  whereAllowed.onEachCi(`kubepass ends a hidden process of the scan before the revocation${addition}`, async (fixture) => {
    const { step, job, proxy } = fixture
    let left: number[] | undefined
    proxy.on({ method: 'DELETE', path: ONE_SECRET }, () => {
      left = processes().filter((pid) => commandOf(pid).includes(job.folder))
      return undefined
    })
    writeFileSync(join(job.workspace, 'overtake.pl'), OVERTAKEN)
    const hidden = join(job.workspace, 'hidden')
    const hides = `env -i /usr/bin/setsid -f /bin/sh -c ': > ${hidden}; while :; do sleep 1; done' ${job.folder} >/dev/null 2>&1`
    const main = await step({ command: `${before}${hides}; until [ -e ${hidden} ]; do sleep 0.02; done` }).main()
    expect(main.code).toBe(0)
    expect(main.log.includes('\novertaken\n')).toBe(before !== '')
    expect(left).toEqual([])
    expect(main.log).not.toContain('could not be ended')
  })

whereAllowed.onGithub(
  'after a SIGKILL of main post ends a hidden process of an isolated scan, and reports the isolation',
  async ({ step, job }) => {
    const use = step({ command: `exec env -i PATH="$PATH" bash -c 'echo started; while :; do sleep 1; done' ${job.folder}` })
    const ofTheScan = (): number[] => processes().filter((pid) => commandOf(pid).includes(job.folder))
    await killWhileScanning(use)
    expect(ofTheScan()).not.toEqual([])
    const post = await use.post()
    expect(ofTheScan()).toEqual([])
    expect(post.code).toBe(0)
    expect(post.log).toMatch(LOST_WITH_MAIN)
    expect(post.summary).toMatch(/\| Isolated \| .*yes/)
  },
  { patience: { drain: 200 } },
)

onEachCi('isolate: off starts the scan without namespaces', async ({ step, job }) => {
  const evidence = join(job.workspace, 'evidence.json')
  const main = await step({ command: `ls -d /proc/${String(process.pid)}`, isolate: 'off', evidence }).main()
  expect(main.code).toBe(0)
  expect(isolationOf(evidence)).toEqual({ isolated: false, why_not: 'isolate is off', as_root: process.getuid?.() === 0 })
  expect(main.log).not.toContain('The scan is not isolated')
})

/** The test runs kubepass in a namespace whose setting forbids user namespaces. */
const FORBIDDEN = `exec ${become(users['an ordinary user'])} unshare --map-current-user --keep-caps sh -c 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$0" "$@"' "$0" "$@"`

whereAllowed.test('where the machine forbids it: auto warns and runs the scan, required ends main before any request', async () => {
  await Promise.all([
    runInTerminal(async ({ info, terminal, flags, identityOf }) => {
      const words = ['run', ...forAnybody(flags, info), '--token-file', '-', '--', 'sh', '-c', 'echo ran']
      give(terminal, users['an ordinary user'])
      const { code, stdout, stderr } = await terminal.shell(FORBIDDEN, words, { stdin: await identityOf('issuer') })
      expect([code, stdout]).toEqual([0, 'ran\n'])
      expect(stderr).toMatch(/kubepass: The scan is not isolated: "unshare: .*"\.\n/)
      expect(stderr).toMatch(/\n {2}Isolated +no: .*unshare: /)
    }),
    runInTerminal(async ({ info, terminal, flags, identityOf, proxy }) => {
      const words = ['run', ...forAnybody(flags, info), '--isolate', 'required', '--token-file', '-', '--', 'sh', '-c', 'echo ran']
      give(terminal, users['an ordinary user'])
      const { code, stdout, stderr } = await terminal.shell(FORBIDDEN, words, { stdin: await identityOf('issuer') })
      expect([code, stdout]).toEqual([80, ''])
      expect(stderr).toMatch(
        /isolate is required, but the scan cannot be isolated here: "unshare: .*"\.\n.*sysctl -w user\.max_user_namespaces=/,
      )
      expect(proxy.exchanges).toEqual([])
    }),
  ])
})

onGithub('isolate: required without a command is an error, because later steps cannot be isolated', async ({ step, proxy }) => {
  const main = await step({ isolate: 'required' }).main()
  expect(main.code).toBe(80)
  expect(main.messages).toEqual([expect.stringMatching(/^isolate is required, but later steps cannot be isolated: set command/)])
  expect(proxy.exchanges).toEqual([])
})
