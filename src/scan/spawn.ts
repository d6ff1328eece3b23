import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { type ExitStatus, waitForExit } from '../system/exit-status.ts'
import { killQuietly } from '../system/process-handle.ts'
import { sourceOf, stdioOf, type Pipes } from './named-pipes.ts'
import { TRACKING_VARIABLE } from './orphans.ts'

/** The time between SIGTERM and SIGKILL. */
export const TERM_GRACE_MS = 2_000

/** A started command. */
export interface ScanProcess {
  readonly stdout: Readable
  readonly stderr: Readable
  readonly ended: Promise<ExitStatus>
  /** The id of its process group; undefined when it could not be started. */
  readonly group: number | undefined
  /** Sends a signal to that group. */
  signal(name: NodeJS.Signals): void
  /**
   * Kills every process of the command's PID namespace, if it has one.
   * @returns whether the namespace has ended
   */
  close(): Promise<boolean>
}

/** A command with its environment and streams. */
export interface ScanCommand {
  readonly command: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly trackingId: string
  readonly stdin: 'inherit' | 'ignore'
  /** The command's outputs; sockets when undefined. */
  readonly pipes: Pipes | undefined
}

/** Starts a command that is not isolated. */
export function spawnPlain({ command, env, trackingId, stdin, pipes }: ScanCommand): ScanProcess {
  const child = spawn('/bin/sh', ['-c', 'ulimit -c 0; exec "$@"', 'sh', ...command], {
    env: { ...env, [TRACKING_VARIABLE]: trackingId },
    stdio: [stdin, stdioOf(pipes?.stdout), stdioOf(pipes?.stderr)],
    detached: true,
  })
  const [, stdout, stderr] = child.stdio as [unknown, Readable, Readable, ...unknown[]]
  return {
    stdout: sourceOf(pipes?.stdout, stdout),
    stderr: sourceOf(pipes?.stderr, stderr),
    ended: waitForExit(child),
    group: child.pid,
    signal(name) {
      if (child.pid !== undefined) killQuietly(-child.pid, name)
    },
    close: () => Promise.resolve(true),
  }
}
