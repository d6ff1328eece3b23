import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * A process, known by its PID and start time, so that a later process with the same PID is not mistaken for it. When a process
 * ends, its memory is freed before its sockets are closed. PID 1 of a PID namespace ends after all other processes in it.
 */
export class ProcessHandle {
  /** The ID of its process group; undefined if the process had ended before. */
  readonly group: number | undefined
  readonly #pid: number
  readonly #since: string | undefined

  constructor(pid: number) {
    this.#pid = pid
    const { group, since } = readStat(pid) ?? {}
    this.group = group
    this.#since = since
  }

  get hasEnded(): boolean {
    return this.#since === undefined || readStat(this.#pid)?.since !== this.#since
  }

  /** @returns whether the process ended within this time */
  async waitForEnd(milliseconds: number): Promise<boolean> {
    for (const deadline = Date.now() + milliseconds; !this.hasEnded; await sleep(5)) if (Date.now() > deadline) return false
    return true
  }
}

/** The process group and the start time; undefined if the process has ended, also if it is still a zombie. */
function readStat(pid: number): { group: number; since: string } | undefined {
  try {
    // The name in the second field may contain spaces and parentheses.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const { 0: state = '', 2: group, 19: since = '' } = stat.replace(/^.*\) /s, '').split(' ')
    return 'ZX'.includes(state) ? undefined : { group: Number(group), since }
  } catch {
    return undefined
  }
}

/** Sends a signal to a process, or to a process group if `pid` is negative. Ignores errors. */
export function killQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // The process has already ended.
  }
}
