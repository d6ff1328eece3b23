import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * A process, told from a later one of its number. Its memory goes before its sockets do; the first of a namespace is over
 * when all others in there are.
 */
export class ProcessHandle {
  /** The number of its process group; undefined when it was over before this. */
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

  /** @returns whether it is over, within so many milliseconds */
  async waitForEnd(milliseconds: number): Promise<boolean> {
    for (const deadline = Date.now() + milliseconds; !this.hasEnded; await sleep(5)) if (Date.now() > deadline) return false
    return true
  }
}

/** Its process group, and when it began; undefined when it has ended, even if nobody has taken note of that. */
function readStat(pid: number): { group: number; since: string } | undefined {
  try {
    // The name in the second field may hold spaces and brackets.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const { 0: state = '', 2: group, 19: since = '' } = stat.replace(/^.*\) /s, '').split(' ')
    return 'ZX'.includes(state) ? undefined : { group: Number(group), since }
  } catch {
    return undefined
  }
}

/** Kills a process, or by its negative number a group. */
export function killQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended already.
  }
}
