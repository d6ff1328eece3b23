import { setTimeout as delay } from 'node:timers/promises'
import { carries, processes, signal } from './processes.ts'

/** The running processes whose environment contains NAME=value. */
export function processesWith(variable: string): Promise<number[]> {
  return Promise.resolve(processes().filter((pid) => carries(pid, variable)))
}

/**
 * Kills these processes until none is left, and returns their number. It searches twice, because the kernel shows no
 * environment of a process that is just executing another program.
 */
export async function killProcessesWith(variable: string): Promise<number> {
  const killed = new Set<number>()
  for (let emptySearches = 0; emptySearches < 2; await delay(10)) {
    const pids = await processesWith(variable)
    emptySearches = pids.length === 0 ? emptySearches + 1 : 0
    for (const pid of pids) {
      killed.add(pid)
      signal(pid, 'SIGKILL')
    }
  }
  return killed.size
}
