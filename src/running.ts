import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import type { Readable } from 'node:stream'
import { killQuietly, MARKER } from './carriers.ts'
import type { Pipes } from './pipes.ts'

/** Where the programs are that kubepass starts itself: not PATH, which earlier steps of the job set. */
export const SYSTEM_PATH = '/usr/bin:/bin:/usr/sbin:/sbin'

/** How long a scan that was told to stop may take to end by itself. */
export const GRACE_MS = 2_000

export interface Ended {
  /** As a shell gives it: 128 + n after signal n. */
  exitCode: number
  signal: NodeJS.Signals | null
}

/** A command that has begun. */
export interface Running {
  readonly stdout: Readable
  readonly stderr: Readable
  readonly ended: Promise<Ended>
  /** The number of its process group; undefined when it could not be started. */
  readonly group: number | undefined
  /** Signals that group. */
  signal(name: NodeJS.Signals): void
  /**
   * Ends all that is left where it ran, if that is a place of its own.
   * @returns whether that was seen to be over
   */
  close(): Promise<boolean>
}

/** A command, and what it is given. */
export interface Start {
  readonly command: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly marker: string
  readonly stdin: 'inherit' | 'ignore'
  /** Its outputs; sockets when undefined. */
  readonly pipes: Pipes | undefined
}

/** A command among all other processes. */
export function startPlain({ command, env, marker, stdin, pipes }: Start): Running {
  const child = spawn('/bin/sh', ['-c', 'ulimit -c 0; exec "$@"', 'sh', ...command], {
    env: { ...env, [MARKER]: marker },
    stdio: [stdin, pipes?.stdout.sink ?? 'pipe', pipes?.stderr.sink ?? 'pipe'],
    detached: true,
  })
  const [, stdout, stderr] = child.stdio as [unknown, Readable, Readable, ...unknown[]]
  return {
    stdout: pipes?.stdout.source ?? stdout,
    stderr: pipes?.stderr.source ?? stderr,
    ended: endOf(child),
    group: child.pid,
    signal(name) {
      if (child.pid !== undefined) killQuietly(-child.pid, name)
    },
    close: () => Promise.resolve(true),
  }
}

/** The signal that a shell tells of by this exit code; undefined for any other code. */
export function signalOf(exitCode: number | null): NodeJS.Signals | undefined {
  const [name] = Object.entries(constants.signals).find(([, number]) => 128 + number === exitCode) ?? []
  return name as NodeJS.Signals | undefined
}

export async function endOf(child: ChildProcess): Promise<Ended> {
  const [code, by] = (await once(child, 'exit')) as [number, null] | [null, NodeJS.Signals]
  return { exitCode: by === null ? code : 128 + constants.signals[by], signal: by }
}
