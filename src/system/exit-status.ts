import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'

export interface ExitStatus {
  /** The code that a shell reports: 128 + n after a death by signal n. */
  exitCode: number
  signal: NodeJS.Signals | null
}

/** The signal that a shell reports with this exit code; undefined for any other code. */
export function signalOf(exitCode: number | null): NodeJS.Signals | undefined {
  const [name] = Object.entries(constants.signals).find(([, number]) => 128 + number === exitCode) ?? []
  return name as NodeJS.Signals | undefined
}

export async function waitForExit(child: ChildProcess): Promise<ExitStatus> {
  const [code, signal] = (await once(child, 'exit')) as [number, null] | [null, NodeJS.Signals]
  return { exitCode: signal === null ? code : 128 + constants.signals[signal], signal }
}
