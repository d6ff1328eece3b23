import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { killQuietly, ProcessHandle } from '../system/process-handle.ts'

/** What every process of the scan carries in its environment, with a value that is the run's own. */
export const TRACKING_VARIABLE = 'KUBEPASS_TRACKING_ID'

/** What those carry in its place with which a namespace of the scan begins and ends. */
export function initTrackingId(trackingId: string): string {
  return `${trackingId}${INIT_SUFFIX}`
}

/** A shell takes it off. */
export const INIT_SUFFIX = '-init'

const KILL_TIMEOUT_MS = 800
const LAST_LOOK_MS = 200

export interface StopResult {
  /** Processes that had outlived the command. */
  outlived: number
  /** Processes that could not be ended. */
  remaining: number
}

/**
 * Ends every process of ours that carries the tracking id: an open exec or watch stream outlives a revocation. A process
 * that becomes another program shows no environment for a moment, so that one look without a find is not enough. The
 * first look comes before anything is waited for.
 * @param uncounted a process group of which none counts as having outlived the command
 */
export async function stopOrphans(trackingId: string, uncounted?: number): Promise<StopResult> {
  const outlived = new Set<number>()
  const killed = new Map<number, ProcessHandle>()
  const deadline = Date.now() + KILL_TIMEOUT_MS
  for (let looksWithout = 0; ; await sleep(5)) {
    const orphans = findOrphans(trackingId)
    const ofScan = orphans.filter(({ isInit }) => !isInit)
    looksWithout = ofScan.length === 0 ? looksWithout + 1 : 0
    // With the first all others in there end uncounted: its turn comes when none of them is seen, or time runs out.
    const all = looksWithout >= 2 || Date.now() > deadline - LAST_LOOK_MS
    for (const { pid, isInit } of all ? orphans : ofScan) {
      const handle = new ProcessHandle(pid)
      if (!isInit && handle.group !== undefined && handle.group !== uncounted) outlived.add(pid)
      killed.set(pid, handle)
      killQuietly(pid, 'SIGKILL')
    }
    const isDone = looksWithout >= 2 && orphans.length === 0 && [...killed.values()].every(({ hasEnded }) => hasEnded)
    if (!isDone && Date.now() <= deadline) continue
    // However late the last look was, who was killed then has time to die.
    const ends = await Promise.all([...killed.values()].map((handle) => handle.waitForEnd(LAST_LOOK_MS)))
    return { outlived: outlived.size, remaining: ends.filter((isOver) => !isOver).length }
  }
}

/** Our own processes whose environment carries the tracking id, or that of a first. */
function findOrphans(trackingId: string): { pid: number; isInit: boolean }[] {
  const [ofScan, ofInit] = [`${TRACKING_VARIABLE}=${trackingId}`, `${TRACKING_VARIABLE}=${initTrackingId(trackingId)}`]
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .map((pid) => ({ pid: Number(pid), environ: environOf(pid).split('\0') }))
    .filter(({ environ }) => environ.includes(ofScan) || environ.includes(ofInit))
    .map(({ pid, environ }) => ({ pid, isInit: !environ.includes(ofScan) }))
}

function environOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    return ''
  }
}
