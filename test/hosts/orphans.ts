import { setTimeout as delay } from 'node:timers/promises'
import { carries, processes, signal } from './processes.ts'

/** The running processes whose environment contains NAME=value. */
export function processesWith(variable: string): Promise<number[]> {
  return Promise.resolve(processes().filter((pid) => carries(pid, variable)))
}

/**
 * Kills these processes until none is left, and returns their number. A process that executes another program shows
 * no environment for a moment, so that one look is not enough.
 */
export async function killProcessesWith(variable: string): Promise<number> {
  const found = new Set<number>()
  for (let looksWithout = 0; looksWithout < 2; await delay(10)) {
    const pids = await processesWith(variable)
    looksWithout = pids.length === 0 ? looksWithout + 1 : 0
    for (const pid of pids) {
      found.add(pid)
      signal(pid, 'SIGKILL')
    }
  }
  return found.size
}
