import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { killQuietly, Life } from '../system/process-handle.ts'

/** What every process of the scan carries in its environment, with a value that is the run's own. */
export const MARKER = 'KUBEPASS_SCAN'

/** What those carry in its place with which a namespace of the scan begins and ends. */
export function firstOf(marker: string): string {
  return `${marker}${FIRST}`
}

/** A shell takes it off. */
export const FIRST = '-first'

const DEADLINE_MS = 800
const LAST_MS = 200

export interface Stopped {
  /** Processes that had outlived the command. */
  outlived: number
  /** Processes that could not be ended. */
  left: number
}

/**
 * Ends every process of ours that carries the marker: an open exec or watch stream outlives a revocation. A process
 * that becomes another program shows no environment for a moment, so that one look without a find is not enough. The
 * first look comes before anything is waited for.
 * @param uncounted a process group of which none counts as having outlived the command
 */
export async function stopCarriers(marker: string, uncounted?: number): Promise<Stopped> {
  const outlived = new Set<number>()
  const killed = new Map<number, Life>()
  const deadline = Date.now() + DEADLINE_MS
  for (let looksWithout = 0; ; await sleep(5)) {
    const carriers = carriersOf(marker)
    const ofScan = carriers.filter(({ isFirst }) => !isFirst)
    looksWithout = ofScan.length === 0 ? looksWithout + 1 : 0
    // With the first all others in there end uncounted: its turn comes when none of them is seen, or time runs out.
    const all = looksWithout >= 2 || Date.now() > deadline - LAST_MS
    for (const { pid, isFirst } of all ? carriers : ofScan) {
      const life = new Life(pid)
      if (!isFirst && life.group !== undefined && life.group !== uncounted) outlived.add(pid)
      killed.set(pid, life)
      killQuietly(pid, 'SIGKILL')
    }
    const isDone = looksWithout >= 2 && carriers.length === 0 && [...killed.values()].every(({ isOver }) => isOver)
    if (!isDone && Date.now() <= deadline) continue
    // However late the last look was, who was killed then has time to die.
    const ends = await Promise.all([...killed.values()].map((life) => life.end(LAST_MS)))
    return { outlived: outlived.size, left: ends.filter((isOver) => !isOver).length }
  }
}

/** Our own processes whose environment carries the marker, or that of a first. */
function carriersOf(marker: string): { pid: number; isFirst: boolean }[] {
  const [ofScan, ofFirst] = [`${MARKER}=${marker}`, `${MARKER}=${firstOf(marker)}`]
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .map((pid) => ({ pid: Number(pid), environ: environOf(pid).split('\0') }))
    .filter(({ environ }) => environ.includes(ofScan) || environ.includes(ofFirst))
    .map(({ pid, environ }) => ({ pid, isFirst: !environ.includes(ofScan) }))
}

function environOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    return ''
  }
}
