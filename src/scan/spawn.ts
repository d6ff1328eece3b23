import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { type ExitStatus, waitForExit } from '../system/exit-status.ts'
import { killQuietly } from '../system/process-handle.ts'
import type { Pipes } from './named-pipes.ts'
import { TRACKING_VARIABLE } from './orphans.ts'

/** How long a scan that was told to stop may take to end by itself. */
export const TERM_GRACE_MS = 2_000

/** A command that has begun. */
export interface ScanProcess {
  readonly stdout: Readable
  readonly stderr: Readable
  readonly ended: Promise<ExitStatus>
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
export interface ScanCommand {
  readonly command: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly trackingId: string
  readonly stdin: 'inherit' | 'ignore'
  /** Its outputs; sockets when undefined. */
  readonly pipes: Pipes | undefined
}

/** A command among all other processes. */
export function spawnPlain({ command, env, trackingId, stdin, pipes }: ScanCommand): ScanProcess {
  const child = spawn('/bin/sh', ['-c', 'ulimit -c 0; exec "$@"', 'sh', ...command], {
    env: { ...env, [TRACKING_VARIABLE]: trackingId },
    stdio: [stdin, pipes?.stdout.sink ?? 'pipe', pipes?.stderr.sink ?? 'pipe'],
    detached: true,
  })
  const [, stdout, stderr] = child.stdio as [unknown, Readable, Readable, ...unknown[]]
  return {
    stdout: pipes?.stdout.source ?? stdout,
    stderr: pipes?.stderr.source ?? stderr,
    ended: waitForExit(child),
    group: child.pid,
    signal(name) {
      if (child.pid !== undefined) killQuietly(-child.pid, name)
    },
    close: () => Promise.resolve(true),
  }
}
