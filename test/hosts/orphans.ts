import { setTimeout as delay } from 'node:timers/promises'
import { carries, processes, signal } from './processes.ts'

/** The living processes whose environment holds NAME=value. */
export function processesWith(variable: string): Promise<number[]> {
  return Promise.resolve(processes().filter((pid) => carries(pid, variable)))
}

/** Kills them, until there are none, and says how many there were. */
export async function killProcessesWith(variable: string): Promise<number> {
  const found = new Set<number>()
  for (;;) {
    const pids = await processesWith(variable)
    if (pids.length === 0) return found.size
    for (const pid of pids) {
      found.add(pid)
      signal(pid, 'SIGKILL')
    }
    await delay(10)
  }
}
