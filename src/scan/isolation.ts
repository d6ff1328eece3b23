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
import { COMMAND, ControlChannel, ANNOUNCE_INIT, HIDE, INIT, exitStatusOf } from './isolation-protocol.ts'
import { initTrackingId, TRACKING_VARIABLE } from './orphans.ts'
import { TERM_GRACE_MS, type ScanProcess, type ScanCommand } from './spawn.ts'

const HANDSHAKE_MS = 5_000
const CLOSE_MS = 1_000

export function isRoot(): boolean {
  return process.geteuid?.() === 0
}

/**
 * Starts a command in user, PID and mount namespaces of its own, as the user that it would be without: from there the
 * kernel lets it neither look into our processes nor signal them, and /proc shows it nothing but its own.
 * @param hidden a folder that is empty for the command
 * @throws NotIsolated when that is not possible here
 */
export async function spawnIsolated(
  { command, env, trackingId, stdin, pipes }: ScanCommand,
  hidden: string | undefined,
): Promise<ScanProcess> {
  const hide = hidden === undefined ? [] : ['/bin/sh', '-c', HIDE, 'sh', systemProgram('mount'), hidden]
  const init = [
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
  const child = spawn(
    systemProgram('unshare'),
    ['--user', '--pid', '--fork', '--mount-proc', '/bin/sh', '-c', ANNOUNCE_INIT, 'sh', ...init],
    {
      env: { ...env, [TRACKING_VARIABLE]: initTrackingId(trackingId) },
      stdio: [stdin, pipes?.stdout.sink ?? 'pipe', 'pipe', pipes?.stderr.sink ?? 'pipe', 'pipe'],
      detached: true,
    },
  )
  const [, stdout, unshareErrors, stderr, stream] = child.stdio as [unknown, Readable, Readable, Readable, Duplex]
  const exit = waitForExit(child)
  exit.catch(() => undefined)
  // The first comes last: unshare, should it live to see that, would end as if by itself.
  const killAll = (initPid?: number): void => {
    for (const pid of [child.pid && -child.pid, initPid]) if (pid !== undefined) killQuietly(pid, 'SIGKILL')
  }
  const control = new ControlChannel(stream)
  const said = firstLineOf(unshareErrors)
  const whyEnded = async (): Promise<string> => (await said) || `it fails (${await exit.then(({ exitCode }) => exitCode, errnoOf)})`
  let pids: Awaited<ReturnType<typeof handshake>>
  try {
    pids = await handshake(child.pid ?? 0, control, whyEnded, hidden !== undefined)
  } catch (error) {
    killAll()
    stream.destroy()
    throw error instanceof NotIsolated ? error : new NotIsolated(`it fails (${errnoOf(error)})`)
  }
  const [initPid, group] = pids
  const [initHandle, commandHandle] = [new ProcessHandle(initPid), new ProcessHandle(group)]
  const sent = new Set<NodeJS.Signals>()
  return {
    stdout: pipes?.stdout.source ?? stdout,
    stderr: pipes?.stderr.source ?? stderr,
    group,
    ended: control.waitFor(/ended (\d+)\n/).then(async (heard) => {
      if (heard === undefined) return exit
      // Where all are told to end, the one that tells us may end before the command.
      await commandHandle.waitForEnd(TERM_GRACE_MS)
      return exitStatusOf(heard, sent)
    }),
    signal(name) {
      sent.add(name)
      killQuietly(-group, name)
    },
    // From inside, the first can be taken out of its group, and its environment away.
    async close() {
      if (!initHandle.hasEnded) killAll(initPid)
      const isOver = await initHandle.waitForEnd(CLOSE_MS)
      stream.destroy()
      return isOver
    },
  }
}

/** @returns the first of the namespace, and the command, which leads a group of its own; it begins now */
async function handshake(
  unshare: number,
  control: ControlChannel,
  whyEnded: () => Promise<string>,
  mounts: boolean,
): Promise<[initPid: number, group: number]> {
  const next = async (word: RegExp): Promise<void> => {
    const heard = await Promise.race([control.waitFor(word), sleep(HANDSHAKE_MS, 'late', { ref: false })])
    if (heard === 'late') throw new NotIsolated('it takes too long')
    if (heard === undefined) throw new NotIsolated(await whyEnded())
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
 * The words that start a command which cannot change mounts. Root could unmount the new /proc and see what it hides. An
 * ordinary user is root for the mount, and gets the own uid back in an inner user namespace.
 */
function withoutMountRights(hidden: string | undefined): string[] {
  if (isRoot()) return [systemProgram('setpriv'), '--bounding-set=-sys_admin']
  if (hidden === undefined) return []
  return [systemProgram('unshare'), '--user', `--map-user=${process.geteuid?.()}`, `--map-group=${process.getegid?.()}`]
}

/**
 * A try with a command that does nothing.
 * @param hidden a folder that the scan must find empty
 */
export async function requireIsolation(hidden: string | undefined): Promise<void> {
  if (isRoot())
    throw new KubepassError('INPUT', "isolate is required, but root cannot be isolated: its files are the machine's.", {
      hint: 'Run the job as an ordinary user, or set isolate to auto.',
    })
  try {
    const tried = await spawnIsolated(
      { command: ['true'], env: { PATH: SYSTEM_PATH }, trackingId: '', stdin: 'ignore', pipes: undefined },
      hidden,
    )
    const { exitCode } = await tried.ended
    await tried.close()
    for (const output of [tried.stdout, tried.stderr]) output.destroy()
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

/** Maps each uid to itself. An ordinary user may map the own uid only, and is root inside if a mount follows. */
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
  if (!Number.isInteger(child) || child === 0) throw new NotIsolated('its process is not found')
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
