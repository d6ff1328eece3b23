import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { finished, type Duplex, type Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { killQuietly, MARKER } from './carriers.ts'
import { errnoOf, KubepassError } from './errors.ts'
import { findProgram } from './options.ts'
import { quote } from './quote.ts'
import type { Ended, Running } from './scan.ts'

/** Not PATH, which earlier steps of the job set. */
const PLACES = '/usr/bin:/bin:/usr/sbin:/sbin'
const HANDSHAKE_MS = 5_000
const CLOSE_MS = 1_000

// The first of the namespace: it waits until its user is one, for what it was as an unknown one it stays.
const FIRST = 'echo ready >&4; read -r go <&4 && exec "$@"'
// It reaps, which the command need not know how to. A shell (bash, when it is not in its POSIX mode) has a word for a
// command that a signal ended; so what it says goes where the exit code goes. When we say so, or have ended, it ends.
// The one in brackets ends when it is told to, and then so does the scan: the first of a namespace is deaf to that, and
// a GitLab runner, which tells every process of a container by itself, waits seconds for each.
const INIT = [
  'ulimit -c 0',
  'marker=$1',
  'shift',
  'command set +o posix 2>/dev/null',
  'exec 2>&4',
  `(${MARKER}=$marker "$@"; echo "ended $?" >&4)`,
  'echo "ended $?" >&4',
  'read -r go <&4',
].join('\n')
// Its outputs are the scan's alone. It waits until we know its group.
const COMMAND = 'echo began >&4; read -r go <&4 && exec "$@" 2>&3 3>&- 4>&-'
/** Of these no shell says anything. */
const SILENT = ['SIGINT', 'SIGPIPE', 'SIGTERM']

/** Why a command could not be isolated; it has not begun. */
export class NotIsolated extends Error {}

/**
 * Starts a command in user, PID and mount namespaces of its own, as the user that it would be without: from there the
 * kernel lets it neither look into our processes nor signal them, and /proc shows it nothing but its own.
 * @throws NotIsolated when that is not possible here
 */
export async function startIsolated(
  command: readonly string[],
  env: NodeJS.ProcessEnv,
  marker: string,
  stdin: 'inherit' | 'ignore',
): Promise<Running> {
  const isRoot = process.geteuid?.() === 0
  // Root could take the new /proc away, and see what it hides.
  const bounded = isRoot ? [place('setpriv'), '--bounding-set=-sys_admin'] : []
  const init = [...bounded, '/bin/sh', '-c', INIT, 'sh', marker, place('setsid'), '/bin/sh', '-c', COMMAND, 'sh', ...command]
  const child = spawn(place('unshare'), ['--user', '--pid', '--fork', '--mount-proc', '/bin/sh', '-c', FIRST, 'sh', ...init], {
    env,
    stdio: [stdin, 'pipe', 'pipe', 'pipe', 'pipe'],
    detached: true,
  })
  const [, stdout, complaints, stderr, stream] = child.stdio as [unknown, Readable, Readable, Readable, Duplex]
  const exit = once(child, 'exit') as Promise<[number, null] | [null, NodeJS.Signals]>
  exit.catch(() => undefined)
  const killAll = (): void => {
    if (child.pid !== undefined) killQuietly(-child.pid, 'SIGKILL')
  }
  const control = new Control(stream)
  const said = firstLineOf(complaints)
  const next = async (word: RegExp): Promise<void> => {
    const heard = await Promise.race([control.hear(word), sleep(HANDSHAKE_MS, 'late', { ref: false })])
    if (heard === 'late') throw new NotIsolated('it takes too long')
    if (heard === undefined) throw new NotIsolated((await said) || `it fails (${await exit.then(String, errnoOf)})`)
  }
  let group: number
  try {
    await next(/ready\n/)
    mapUsers(child.pid ?? 0, isRoot)
    stream.write('go\n')
    await next(/began\n/)
    group = [1, 2, 3].reduce(onlyChild, child.pid ?? 0)
    stream.write('go\n')
  } catch (error) {
    killAll()
    stream.destroy()
    throw error instanceof NotIsolated ? error : new NotIsolated(`it fails (${errnoOf(error)})`)
  }
  return {
    stdout,
    stderr,
    ended: control.hear(/ended (\d+)\n/).then(async (heard) => (heard === undefined ? endedAs(await exit) : toldAs(heard))),
    signal: (name) => killQuietly(-group, name),
    async close() {
      // The kernel kills all others before the first of a namespace has ended, and that before the one that waits for it.
      stream.end()
      const over = exit.then(() => true)
      if (await Promise.race([over, sleep(CLOSE_MS, false, { ref: false })])) return
      killAll()
      await Promise.race([over, sleep(CLOSE_MS, false, { ref: false })])
      stream.destroy()
    },
  }
}

/** A try with a command that does nothing. */
export async function requireIsolation(): Promise<void> {
  try {
    const tried = await startIsolated(['true'], { PATH: PLACES }, '', 'ignore')
    const { exitCode } = await tried.ended
    await tried.close()
    for (const output of [tried.stdout, tried.stderr]) output.destroy()
    if (exitCode !== 0) throw new NotIsolated(`a command that does nothing ends with ${exitCode}`)
  } catch (error) {
    throw error instanceof NotIsolated ? notAllowed(error) : error
  }
}

export function notAllowed({ message }: NotIsolated): KubepassError {
  return new KubepassError('INPUT', `isolate is required, but the scan cannot be isolated here: ${message}.`, { hint: howToAllow(message) })
}

function howToAllow(reason: string): string {
  const is = (setting: string, value: string): boolean => {
    try {
      return readFileSync(`/proc/sys/${setting}`, 'utf8').trim() === value
    } catch {
      return false
    }
  }
  if (reason.includes(MISSING) || reason.includes('unrecognized option')) return 'Install util-linux.'
  if (is('user/max_user_namespaces', '0')) return 'Allow user namespaces on this machine: sysctl -w user.max_user_namespaces=15000'
  if (is('kernel/unprivileged_userns_clone', '0'))
    return 'Allow user namespaces on this machine: sysctl -w kernel.unprivileged_userns_clone=1'
  if (is('kernel/apparmor_restrict_unprivileged_userns', '1'))
    return 'AppArmor restricts user namespaces on this machine. Allow them: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0'
  return 'In a container it needs: docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined'
}

const MISSING = 'is not in'

function place(program: string): string {
  const path = findProgram(program, PLACES)
  if (path === undefined) throw new NotIsolated(`${program} ${MISSING} ${PLACES.replaceAll(':', ', ')}`)
  return path
}

/** Everybody stays who they are: an ordinary user can say that of himself alone, root of all whom it knows. */
function mapUsers(pid: number, isRoot: boolean): void {
  const all = (file: string): string =>
    readFileSync(`/proc/self/${file}`, 'utf8').replaceAll(
      /^ *(\d+) +\d+ +(\d+)$/gm,
      (_line, id: string, count: string) => `${id} ${id} ${count}`,
    )
  const one = (id = -1): string => `${id} ${id} 1`
  if (!isRoot) writeFileSync(`/proc/${pid}/setgroups`, 'deny')
  writeFileSync(`/proc/${pid}/uid_map`, isRoot ? all('uid_map') : one(process.geteuid?.()))
  writeFileSync(`/proc/${pid}/gid_map`, isRoot ? all('gid_map') : one(process.getegid?.()))
}

function onlyChild(pid: number): number {
  const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1'))
  if (!Number.isInteger(child) || child === 0) throw new NotIsolated('its process is not found')
  return child
}

function endedAs([code, by]: [number, null] | [null, NodeJS.Signals]): Ended {
  return { exitCode: by === null ? code : 128 + constants.signals[by], signal: by }
}

/** The shell says a number, which may be a signal's, and of most signals a word. */
function toldAs([, code, before]: Heard): Ended {
  const exitCode = Number(code)
  const [signal] = Object.entries(constants.signals).find(([, number]) => 128 + number === exitCode) ?? []
  const bySignal = signal !== undefined && (before !== '' || SILENT.includes(signal))
  return { exitCode, signal: bySignal ? (signal as NodeJS.Signals) : null }
}

type Heard = [match: string, group: string, before: string]

/** What is said from inside, word by word. */
class Control {
  #text = ''
  #over = false
  #look: () => void = () => undefined

  constructor(stream: Duplex) {
    stream.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1')
      this.#look()
    })
    stream.on('error', () => undefined)
    finished(stream, { writable: false }, () => {
      this.#over = true
      this.#look()
    })
  }

  /** @returns undefined when nothing more can come */
  hear(word: RegExp): Promise<Heard | undefined> {
    return new Promise((resolve) => {
      this.#look = () => {
        const found = word.exec(this.#text)
        if (found === null) return this.#over ? resolve(undefined) : undefined
        const before = this.#text.slice(0, found.index)
        this.#text = this.#text.slice(found.index + found[0].length)
        resolve([found[0], found[1] ?? '', before])
      }
      this.#look()
    })
  }
}

function firstLineOf(stream: Readable): Promise<string> {
  let text = ''
  stream.on('data', (chunk: Buffer) => (text = (text + chunk.toString()).slice(0, 1000)))
  return new Promise((resolve) =>
    finished(stream, () => {
      const [line = ''] = text.split('\n')
      resolve(line === '' ? '' : quote(line))
    }),
  )
}
