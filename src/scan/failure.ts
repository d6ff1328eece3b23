import type { Evidence } from '../state/evidence.ts'
import { signalOf } from '../system/exit-status.ts'

/**
 * The last line of a job's log when the exit code of the scan fails the job.
 * @param nameOfAccepted how a user writes accept_exit_codes here
 */
export function scanFailure(
  { exit_code: code, signal }: NonNullable<Evidence['used']>,
  accepted: readonly number[],
  nameOfAccepted: string,
): string {
  // A shell ends with this code after a signal ended the program that it ran.
  const name = signalOf(code)
  const how =
    signal !== null
      ? `was ended by ${signal} (exit code ${code})`
      : `ended with exit code ${code}${name === undefined ? '' : `, as after ${name}`}`
  const doubt = name === 'SIGKILL' ? ' Did the machine run out of memory?' : ''
  return `The scan ${how}, which is not among ${nameOfAccepted} (${accepted.join(',')}).${doubt}`
}
