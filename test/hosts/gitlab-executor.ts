import { setTimeout as delay } from 'node:timers/promises'
import { within, type Child } from './child.ts'
import { processesWith } from './orphans.ts'
import { carries, childrenOf, commandOf, signal } from './processes.ts'

export type Executor = 'shell' | 'docker' | 'kubernetes'

/** How long the runner waits for processes after a signal, in milliseconds. */
export interface Patience {
  /** shell: from SIGTERM to SIGKILL, and from SIGKILL until the runner gives up. */
  graceful: number
  force: number
  /** docker: from one look for a process that was sent SIGTERM to the next, of which there are 6. */
  look: number
  /** docker: for that, with all processes. */
  signals: number
  /** docker: from SIGTERM for the first process to SIGKILL. */
  stop: number
}

/** The process group gets SIGTERM and, much later, SIGKILL. A process that left the group gets nothing. */
export async function stopGroup(child: Child, { graceful, force }: Patience): Promise<void> {
  signal(-child.pid, 'SIGTERM')
  if (await within(graceful, child.ended)) return
  signal(-child.pid, 'SIGKILL')
  if (!(await within(force, child.ended))) child.giveUp()
}

/**
 * Every process but the first gets SIGTERM, the youngest first, and the next one only when it has ended or six
 * looks are over. Then the container is stopped: SIGTERM and SIGKILL for the first process.
 */
export async function stopContainer(child: Child, trackingId: string, { look, signals, stop }: Patience): Promise<void> {
  const told = tellEach(child.pid, trackingId, look)
  await within(signals, Promise.race([told, child.exited]))
  if (child.runs) signal(child.pid, 'SIGTERM')
  if (!(await within(stop, child.exited))) signal(child.pid, 'SIGKILL')
}

async function tellEach(first: number, trackingId: string, look: number): Promise<void> {
  const pids = (await processesWith(trackingId)).filter((pid) => pid !== first).toSorted((a, b) => b - a)
  for (const pid of pids) {
    if (!carries(pid, trackingId)) continue
    signal(pid, 'SIGTERM')
    for (let looks = 6; carries(pid, trackingId) && looks > 0; looks -= 1) await delay(look)
  }
}

/** The children of the section's shells get SIGTERM. The runner does not wait for them. */
export function stopSection(child: Child): void {
  const words = commandOf(child.pid).join(' ')
  const shells = [child.pid, ...childrenOf(child.pid).filter((pid) => commandOf(pid).join(' ') === words)]
  for (const pid of shells.flatMap(childrenOf)) signal(pid, 'SIGTERM')
}
