import { setTimeout as delay } from 'node:timers/promises'
import { within, type Child } from './child.ts'
import { processesWith } from './orphans.ts'
import { carries, childrenOf, commandOf, signal } from './processes.ts'

export type Executor = 'shell' | 'docker' | 'kubernetes'

/** The runner's time limits after a signal, in milliseconds. */
export interface Patience {
  /** shell executor: the time from SIGTERM to SIGKILL (graceful), and from SIGKILL until the runner stops waiting (force). */
  graceful: number
  force: number
  /** docker executor: the time between two checks whether a process has ended after SIGTERM. The runner checks 6 times. */
  look: number
  /** docker executor: the time for these checks of all processes. */
  signals: number
  /** docker executor: the time from SIGTERM for the first process to SIGKILL. */
  stop: number
}

/** Sends the process group SIGTERM and, much later, SIGKILL. A process that left the group gets no signal. */
export async function stopGroup(child: Child, { graceful, force }: Patience): Promise<void> {
  signal(-child.pid, 'SIGTERM')
  if (await within(graceful, child.ended)) return
  signal(-child.pid, 'SIGKILL')
  if (!(await within(force, child.ended))) child.giveUp()
}

/**
 * Sends SIGTERM to every process but the first, the youngest one first. The runner continues with the next process when this
 * one has ended, or after six checks. Then the runner stops the container: the first process gets SIGTERM, then SIGKILL.
 */
export async function stopContainer(child: Child, trackingId: string, { look, signals, stop }: Patience): Promise<void> {
  const signalled = signalEach(child.pid, trackingId, look)
  await within(signals, Promise.race([signalled, child.exited]))
  if (child.runs) signal(child.pid, 'SIGTERM')
  if (!(await within(stop, child.exited))) signal(child.pid, 'SIGKILL')
}

async function signalEach(first: number, trackingId: string, look: number): Promise<void> {
  const pids = (await processesWith(trackingId)).filter((pid) => pid !== first).toSorted((a, b) => b - a)
  for (const pid of pids) {
    if (!carries(pid, trackingId)) continue
    signal(pid, 'SIGTERM')
    for (let checks = 6; carries(pid, trackingId) && checks > 0; checks -= 1) await delay(look)
  }
}

/** Sends SIGTERM to the children of the section's shells. The runner does not wait for their end. */
export function stopSection(child: Child): void {
  const words = commandOf(child.pid).join(' ')
  const shells = [child.pid, ...childrenOf(child.pid).filter((pid) => commandOf(pid).join(' ') === words)]
  for (const pid of shells.flatMap(childrenOf)) signal(pid, 'SIGTERM')
}
