import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

/** The living processes whose environment holds NAME=value. */
export async function processesWith(variable: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const held = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${String(pid)}/environ`, 'latin1').catch(() => '')
      return environment.split('\0').includes(variable)
    }),
  )
  return pids.filter((pid, index) => held[index] === true && pid !== process.pid)
}

/** Kills them, until there are none, and says how many there were. */
export async function killProcessesWith(variable: string): Promise<number> {
  const found = new Set<number>()
  for (;;) {
    const pids = await processesWith(variable)
    if (pids.length === 0) return found.size
    for (const pid of pids) {
      found.add(pid)
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended by itself.
      }
    }
    await delay(10)
  }
}
