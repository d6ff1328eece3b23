import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { killQuietly, ProcessHandle } from '../system/process-handle.ts'

/** This variable is in the environment of every process of the scan. Each run has its own value. */
export const TRACKING_VARIABLE = 'KUBEPASS_TRACKING_ID'

/** The value for the processes that start and end the scan's namespace: unshare, and PID 1. */
export function initTrackingId(trackingId: string): string {
  return `${trackingId}${INIT_SUFFIX}`
}

/** PID 1 removes it before it starts the command. */
export const INIT_SUFFIX = '-init'

const KILL_TIMEOUT_MS = 800
const LAST_LOOK_MS = 200

export interface StopResult {
  /** The number of processes that outlived the command. */
  outlived: number
  /** The number of processes that did not end after SIGKILL. */
  remaining: number
}

/**
 * Kills every process of this user that has the tracking id, because an open exec or watch stream outlives a revocation. A process
 * that executes another program shows no environment for a moment, so two searches in a row must find none. The first search
 * runs before the first await.
 * @param uncounted a process group whose processes do not count as having outlived the command
 */
export async function stopOrphans(trackingId: string, uncounted?: number): Promise<StopResult> {
  const outlived = new Set<number>()
  const killed = new Map<number, ProcessHandle>()
  const deadline = Date.now() + KILL_TIMEOUT_MS
  for (let looksWithout = 0; ; await sleep(5)) {
    const orphans = findOrphans(trackingId)
    const ofScan = orphans.filter(({ isInit }) => !isInit)
    looksWithout = ofScan.length === 0 ? looksWithout + 1 : 0
    // Killing PID 1 of the namespace kills the other processes uncounted. So kill it when no other is found, or time runs out.
    const all = looksWithout >= 2 || Date.now() > deadline - LAST_LOOK_MS
    for (const { pid, isInit } of all ? orphans : ofScan) {
      const handle = killNow(pid)
      if (!isInit && ![undefined, uncounted].includes(handle.group)) outlived.add(pid)
      killed.set(pid, handle)
    }
    const isDone = looksWithout >= 2 && orphans.length === 0 && [...killed.values()].every(({ hasEnded }) => hasEnded)
    // A process that the last search killed gets time to end, too.
    if (isDone || Date.now() > deadline) return { outlived: outlived.size, remaining: await countRemaining([...killed.values()]) }
  }
}

/** The handle comes first: the kernel forgets the group of a process that has ended. */
function killNow(pid: number): ProcessHandle {
  const handle = new ProcessHandle(pid)
  killQuietly(pid, 'SIGKILL')
  return handle
}

async function countRemaining(killed: readonly ProcessHandle[]): Promise<number> {
  const ends = await Promise.all(killed.map((handle) => handle.waitForEnd(LAST_LOOK_MS)))
  return ends.filter((hasEnded) => !hasEnded).length
}

/** The processes whose environment this user may read and has the tracking id, with or without the suffix. */
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
