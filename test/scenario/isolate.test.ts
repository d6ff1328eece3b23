import { expect, test } from '@jest/globals'
import { chmodSync, chownSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Evidence } from '../../src/evidence.ts'
import { whyNoIsolation } from '../hosts/isolation.ts'
import { commandOf, processes } from '../hosts/processes.ts'
import { ONE_SECRET, onEachCi, onGithub, playInTerminal } from './scenario.ts'

const whyNot = whyNoIsolation()
if (whyNot !== undefined) console.warn(`Skipped, what needs isolation: ${whyNot}.`)
const whereAllowed = whyNot === undefined ? { onEachCi, test } : { onEachCi: () => undefined, test: test.skip }

const OTHER_USER = 65534
/** Whom this machine lets us be. */
const users = process.getuid?.() === 0 ? { root: 0, 'an ordinary user': OTHER_USER } : { 'an ordinary user': process.getuid?.() }

/** Known to kubepass alone: its scan does not inherit it. */
const OF_KUBEPASS = 'KUBEPASS_TEST_SECRET'

/** Each says whether it could. The process of kubepass is known from outside, where its own /proc would not show it. */
const HOSTILE = `
until [ -s pid ]; do sleep 0.02; done
target=$(cat pid)
try() { name=$1; shift; if "$@" >/dev/null 2>&1; then echo "$name: yes"; else echo "$name: no"; fi; }
reads() { grep -qa ${OF_KUBEPASS} "$@"; }
ptrace() { perl -e 'exit(syscall($ARGV[0], 16, $ARGV[1] + 0, 0, 0) == -1)' "$([ "$(uname -m)" = x86_64 ] && echo 101 || echo 117)" "$target"; }
past() { echo "past the redactor" > "/proc/$target/fd/1"; }
mem() { exec 3< "/proc/$target/mem"; }
try environ reads "/proc/$target/environ"
try 'environ of any' reads /proc/[0-9]*/environ
try 'environ of the parent' reads "/proc/$PPID/environ"
try cmdline eval "cat /proc/[0-9]*/cmdline | grep -qa dist/cl[i]/index.js"
try mem mem
try output past
try 'signal 0' kill -0 "$target"
[ "$1" != harmless ] || exit 0
try ptrace ptrace
try stop kill -STOP "$target"
try kill kill -KILL "$target"
try 'kill the group' kill -KILL -- "-$target"
try 'unmount /proc' umount /proc
try 'unmount /proc lazily' umount -l /proc
try 'unmount /proc in a namespace of its own' unshare --map-root-user --mount umount -l /proc
for namespace in user pid mount; do
  try "enter the first's $namespace namespace" nsenter --target 1 --$namespace true
  try "enter kubepass' $namespace namespace" nsenter --target "$target" --$namespace true
done
kill -KILL -1
kill -KILL 0
`

interface Said {
  code: number | null
  stdout: string
  stderr: string
}

/** A hostile scan in a terminal whose output is a pipe, as a runner's is. */
async function attack(uid: number | undefined, isolate: string, how: 'harmless' | 'with all it has'): Promise<Said> {
  let said: Said | undefined
  await playInTerminal(async ({ info, terminal, proxy, identityOf }) => {
    const flags = Object.entries({
      server: proxy.url,
      'certificate-authority': readFileSync(info.ca, 'base64'),
      'service-account': 'kubepass/scanner',
      'token-file': '-',
      isolate,
    }).flatMap(([flag, value]) => [`--${flag}`, value])
    writeFileSync(join(terminal.home, 'hostile'), HOSTILE)
    for (const path of [terminal.home, terminal.tmp, terminal.work]) chownSync(path, uid ?? -1, uid ?? -1)
    chmodSync(terminal.folder, 0o711)
    // The pipe is the user's own, and the program the shell's own process, so that its number is known.
    const become = uid === process.getuid?.() ? '' : `setpriv --reuid=${String(uid)} --regid=${String(uid)} --clear-groups`
    const script = `exec ${become} sh -c 'sh -c "$START" "$0" "$@" | cat' "$0" "$@"`
    const words = ['run', ...flags, '--', 'bash', join(terminal.home, 'hostile'), how]
    const { code, stdout, stderr } = await terminal.shell(script, words, {
      stdin: await identityOf('issuer'),
      env: { [OF_KUBEPASS]: 'x', START: 'echo $$ > pid; exec "$0" "$@"' },
    })
    said = { code, stdout, stderr }
  })
  if (said === undefined) throw new Error('nothing was played')
  return said
}

/** What the scan tells of its tries. */
function triesOf({ stdout }: Said): Record<string, string> {
  return Object.fromEntries([...stdout.matchAll(/^(.*): (yes|no)$/gm)].map(([, name = '', could = '']) => [name, could]))
}

for (const [user, uid] of Object.entries(users)) {
  whereAllowed.test(`a hostile scan, as ${user}, cannot look into kubepass, signal it or write past the redactor`, async () => {
    const [isolated, open] = await Promise.all([attack(uid, 'required', 'with all it has'), attack(uid, 'off', 'harmless')])
    // That it could, were it not isolated, is what makes its failures tell something.
    const could = ['environ', 'environ of any', 'environ of the parent', 'cmdline', 'mem', 'output', 'signal 0']
    expect(triesOf(open)).toEqual(Object.fromEntries(could.map((name) => [name, 'yes'])))
    expect(open.stdout).toContain('\npast the redactor\n')
    expect(open.stderr).toMatch(/\n {2}Isolated +no: isolate is off\n/)

    const tries = triesOf(isolated)
    expect(Object.keys(tries)).toEqual(expect.arrayContaining([...could, 'ptrace', 'kill the group', "enter kubepass' mount namespace"]))
    expect(Object.entries(tries).filter(([, could]) => could !== 'no')).toEqual([])
    expect(isolated.stdout).not.toContain('past the redactor')
    expect(isolated.stderr).toMatch(/\n {2}Isolated +yes\n/)
    expect(isolated.stderr).toMatch(/ exit code 137 \(SIGKILL\), [^]*revoked .*, proven dead/)
  })
}

const isolationOf = (file: string): Evidence['isolation'] => (JSON.parse(readFileSync(file, 'utf8')) as Evidence).isolation

whereAllowed.onEachCi('without a word about it a scan is isolated, as the user that it is', async ({ step, job }) => {
  const evidence = join(job.workspace, 'evidence.json')
  const main = await step({ command: 'echo "$(id -u) sees" /proc/[0-9]*; touch "$HOME/of-the-scan"', evidence }).main()
  expect(main.code).toBe(0)
  expect(main.log).toContain(`\n${String(process.getuid?.())} sees /proc/1 /proc/2 /proc/3\n`)
  expect(statSync(join(job.home, 'of-the-scan')).uid).toBe(process.getuid?.())
  expect(isolationOf(evidence)).toEqual({ isolated: true, why_not: null })
  expect(main.log).not.toContain('not isolated')
})

whereAllowed.onEachCi('what hides from kubepass ends with the scan all the same, before the revocation', async ({ step, job, proxy }) => {
  let left: number[] | undefined
  proxy.on({ method: 'DELETE', path: ONE_SECRET }, () => {
    left = processes().filter((pid) => commandOf(pid).includes(job.folder))
    return undefined
  })
  const hidden = join(job.workspace, 'hidden')
  const hides = `env -i /usr/bin/setsid -f /bin/sh -c ': > ${hidden}; while :; do sleep 1; done' ${job.folder} >/dev/null 2>&1`
  const main = await step({ command: `${hides}; until [ -e ${hidden} ]; do sleep 0.02; done` }).main()
  expect(main.code).toBe(0)
  expect(left).toEqual([])
})

onEachCi('isolate: off leaves a scan among all processes', async ({ step, job }) => {
  const evidence = join(job.workspace, 'evidence.json')
  const main = await step({ command: `ls -d /proc/${String(process.pid)}`, isolate: 'off', evidence }).main()
  expect(main.code).toBe(0)
  expect(isolationOf(evidence)).toEqual({ isolated: false, why_not: 'isolate is off' })
  expect(main.log).not.toContain('The scan is not isolated')
})

/** Where it is forbidden by the setting of a namespace that is made for it. */
const FORBIDDEN = `exec unshare --user --map-root-user sh -c 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$0" "$@"' "$0" "$@"`

whereAllowed.test('where the machine forbids it: auto says so and goes on, required ends before anything is asked', async () => {
  await Promise.all([
    playInTerminal(async ({ terminal, flags, identityOf }) => {
      const words = ['run', ...flags, '--token-file', '-', '--', 'sh', '-c', 'echo ran']
      const { code, stdout, stderr } = await terminal.shell(FORBIDDEN, words, { stdin: await identityOf('issuer') })
      expect([code, stdout]).toEqual([0, 'ran\n'])
      expect(stderr).toMatch(/kubepass: The scan is not isolated: "unshare: .*"\.\n/)
      expect(stderr).toMatch(/\n {2}Isolated +no: .*unshare: /)
    }),
    playInTerminal(async ({ terminal, flags, identityOf, proxy }) => {
      const words = ['run', ...flags, '--isolate', 'required', '--token-file', '-', '--', 'sh', '-c', 'echo ran']
      const { code, stdout, stderr } = await terminal.shell(FORBIDDEN, words, { stdin: await identityOf('issuer') })
      expect([code, stdout]).toEqual([80, ''])
      expect(stderr).toMatch(
        /isolate is required, but the scan cannot be isolated here: "unshare: .*"\.\n.*sysctl -w user\.max_user_namespaces=/,
      )
      expect(proxy.exchanges).toEqual([])
    }),
  ])
})

onGithub('isolate: required without a command is refused: who comes later cannot be isolated', async ({ step, proxy }) => {
  const main = await step({ isolate: 'required' }).main()
  expect(main.code).toBe(80)
  expect(main.messages).toEqual([expect.stringMatching(/^isolate is required, but later steps cannot be isolated: set command/)])
  expect(proxy.exchanges).toEqual([])
})
