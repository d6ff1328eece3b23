import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { type Duplex, finished, type Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { errnoOf, KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { waitForExit } from '../system/exit-status.ts'
import { findProgram, SYSTEM_PATH } from '../system/find-program.ts'
import { killQuietly, ProcessHandle } from '../system/process-handle.ts'
import { NOT_FOUND, isolationError, NotIsolated } from './isolation-errors.ts'
import { sourceOf, stdioOf } from './named-pipes.ts'
import { COMMAND, ControlChannel, ANNOUNCE_INIT, HIDE, INIT, exitStatusOf } from './isolation-protocol.ts'
import { initTrackingId, TRACKING_VARIABLE } from './orphans.ts'
import { TERM_GRACE_MS, type ScanProcess, type ScanCommand } from './spawn.ts'

const HANDSHAKE_MS = 5_000
const CLOSE_MS = 1_000

export function isRoot(): boolean {
  return process.geteuid?.() === 0
}

/**
 * Starts a command in new user, PID and mount namespaces, under the user id that it would have without them. The kernel lets such a
 * command neither read nor signal the processes of kubepass, and /proc shows it only the processes of its namespace.
 * @param hidden a folder that the command finds empty
 * @throws NotIsolated when the machine does not allow that
 */
export async function spawnIsolated(
  { command, env, trackingId, stdin, pipes }: ScanCommand,
  hidden: string | undefined,
): Promise<ScanProcess> {
  const child = spawn(
    systemProgram('unshare'),
    ['--user', '--pid', '--fork', '--mount-proc', '/bin/sh', '-c', ANNOUNCE_INIT, 'sh', ...namespaceProgram(command, hidden)],
    {
      env: { ...env, [TRACKING_VARIABLE]: initTrackingId(trackingId) },
      stdio: [stdin, stdioOf(pipes?.stdout), 'pipe', stdioOf(pipes?.stderr), 'pipe'],
      detached: true,
    },
  )
  const [, stdout, unshareErrors, stderr, stream] = child.stdio as [unknown, Readable, Readable, Readable, Duplex]
  const exit = waitForExit(child)
  exit.catch(() => undefined)
  // Kill PID 1 of the namespace last: if unshare outlived it, unshare would end as if the command had ended by itself.
  const killAll = (initPid?: number): void => {
    for (const pid of [child.pid && -child.pid, initPid]) if (pid !== undefined) killQuietly(pid, 'SIGKILL')
  }
  const control = new ControlChannel(stream)
  const unshareMessage = firstLineOf(unshareErrors)
  const whyEnded = async (): Promise<string> =>
    (await unshareMessage) || `unshare fails (${await exit.then(({ exitCode }) => exitCode, errnoOf)})`
  let pids: Awaited<ReturnType<typeof handshake>>
  try {
    pids = await handshake(child.pid ?? 0, control, whyEnded, hidden !== undefined)
  } catch (error) {
    killAll()
    stream.destroy()
    throw error instanceof NotIsolated ? error : new NotIsolated(`unshare fails (${errnoOf(error)})`)
  }
  const [initPid, group] = pids
  const [initHandle, commandHandle] = [new ProcessHandle(initPid), new ProcessHandle(group)]
  const sent = new Set<NodeJS.Signals>()
  return {
    stdout: sourceOf(pipes?.stdout, stdout),
    stderr: sourceOf(pipes?.stderr, stderr),
    group,
    ended: control.waitFor(/ended (\d+)\n/).then(async (message) => {
      if (message === undefined) return exit
      // If a runner sends SIGTERM to all processes, the shell that reports the end may end before the command.
      await commandHandle.waitForEnd(TERM_GRACE_MS)
      return exitStatusOf(message, sent)
    }),
    signal(name) {
      sent.add(name)
      killQuietly(-group, name)
    },
    // A hostile scan can move PID 1 of the namespace out of its group and clear its environment, so kill it by its pid.
    async close() {
      if (!initHandle.hasEnded) killAll(initPid)
      const isOver = await initHandle.waitForEnd(CLOSE_MS)
      stream.destroy()
      return isOver
    },
  }
}

/** What PID 1 of the namespace runs: it hides the folder, gives up the right to mount, and starts the command. */
function namespaceProgram(command: readonly string[], hidden: string | undefined): string[] {
  const hide = hidden === undefined ? [] : ['/bin/sh', '-c', HIDE, 'sh', systemProgram('mount'), hidden]
  return [
    ...hide,
    ...withoutMountRights(hidden),
    '/bin/sh',
    '-c',
    INIT,
    'sh',
    systemProgram('setsid'),
    '/bin/sh',
    '-c',
    COMMAND,
    'sh',
    ...command,
  ]
}

/**
 * Starts the command as soon as its user id is mapped and its pid is known.
 * @returns the pid of PID 1 of the namespace, and the pid of the command, which leads its own process group
 */
async function handshake(
  unshare: number,
  control: ControlChannel,
  whyEnded: () => Promise<string>,
  mounts: boolean,
): Promise<[initPid: number, group: number]> {
  const next = async (pattern: RegExp): Promise<void> => {
    const message = await Promise.race([control.waitFor(pattern), sleep(HANDSHAKE_MS, 'late', { ref: false })])
    if (message === 'late') throw new NotIsolated(`unshare does not start the command within ${HANDSHAKE_MS / 1000} s`)
    if (message === undefined) throw new NotIsolated(await whyEnded())
  }
  await next(/ready\n/)
  mapUsers(unshare, mounts)
  control.go()
  await next(/began\n/)
  const initPid = onlyChild(unshare)
  const group = onlyChild(onlyChild(initPid))
  control.go()
  return [initPid, group]
}

/**
 * The arguments that start a command without the right to change mounts: root could unmount the new /proc and see what it hides.
 * An ordinary user is root while the mount is made, and gets its own uid back in an inner user namespace.
 */
function withoutMountRights(hidden: string | undefined): string[] {
  if (isRoot()) return [systemProgram('setpriv'), '--bounding-set=-sys_admin']
  if (hidden === undefined) return []
  return [systemProgram('unshare'), '--user', `--map-user=${process.geteuid?.()}`, `--map-group=${process.getegid?.()}`]
}

/**
 * Isolates a command that does nothing, to find out before the run whether the scan can be isolated.
 * @param hidden a folder that the scan must find empty
 * @throws KubepassError when it cannot
 */
export async function requireIsolation(hidden: string | undefined): Promise<void> {
  if (isRoot())
    throw new KubepassError('INPUT', "isolate is required, but root cannot be isolated: its files are the machine's.", {
      hint: 'Run the job as an ordinary user, or set isolate to auto.',
    })
  try {
    const trial = await spawnIsolated(
      { command: ['true'], env: { PATH: SYSTEM_PATH }, trackingId: '', stdin: 'ignore', pipes: undefined },
      hidden,
    )
    const { exitCode } = await trial.ended
    await trial.close()
    for (const output of [trial.stdout, trial.stderr]) output.destroy()
    if (exitCode !== 0) throw new NotIsolated(`a command that does nothing ends with ${exitCode}`)
  } catch (error) {
    throw error instanceof NotIsolated ? isolationError(error) : error
  }
}

function systemProgram(program: string): string {
  const path = findProgram(program, SYSTEM_PATH)
  if (path === undefined) throw new NotIsolated(`${program} ${NOT_FOUND} ${SYSTEM_PATH.replaceAll(':', ', ')}`)
  return path
}

/** Root maps each uid to itself. An ordinary user may map only the own uid, and maps it to root if a mount follows. */
function mapUsers(pid: number, mounts: boolean): void {
  const root = isRoot()
  const all = (file: string): string =>
    readFileSync(`/proc/self/${file}`, 'utf8').replaceAll(
      /^ *(\d+) +\d+ +(\d+)$/gm,
      (_line, id: string, count: string) => `${id} ${id} ${count}`,
    )
  const one = (id = -1): string => `${mounts ? 0 : id} ${id} 1`
  if (!root) writeFileSync(`/proc/${pid}/setgroups`, 'deny')
  writeFileSync(`/proc/${pid}/uid_map`, root ? all('uid_map') : one(process.geteuid?.()))
  writeFileSync(`/proc/${pid}/gid_map`, root ? all('gid_map') : one(process.getegid?.()))
}

function onlyChild(pid: number): number {
  const child = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1'))
  if (!Number.isInteger(child) || child === 0) throw new NotIsolated('/proc does not show the process')
  return child
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
