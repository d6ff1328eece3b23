import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** What every process of the scan carries in its environment, with a value that is the run's own. */
export const MARKER = 'KUBEPASS_SCAN'

const DEADLINE_MS = 1_000

export interface Stopped {
  /** Processes that had outlived the command. */
  outlived: number
  /** Those of them that could not be ended. */
  left: number
}

/**
 * Ends every process of ours that carries the marker: an open exec or watch stream outlives a revocation. A process
 * that becomes another program shows no environment for a moment, so that one look without a find is not enough.
 */
export async function stopCarriers(marker: string): Promise<Stopped> {
  const outlived = new Set<number>()
  const deadline = Date.now() + DEADLINE_MS
  for (let looksWithout = 0; ; await sleep(5)) {
    const left = carriersOf(marker)
    looksWithout = left.length === 0 ? looksWithout + 1 : 0
    if (looksWithout === 2 || Date.now() > deadline) return { outlived: outlived.size, left: left.length }
    for (const pid of left) {
      outlived.add(pid)
      killQuietly(pid, 'SIGKILL')
    }
  }
}

/** Our own processes whose environment carries the marker. */
function carriersOf(marker: string): number[] {
  const entry = `${MARKER}=${marker}`
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .filter((pid) => environOf(pid).split('\0').includes(entry))
    .map(Number)
}

function environOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    return ''
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
