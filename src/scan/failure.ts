import type { Evidence } from '../state/evidence.ts'
import { signalOf } from '../system/exit-status.ts'

/**
 * The last line of a job's log when the exit code of the scan fails the job.
 * @param nameOfAccepted the platform's spelling of the input accept_exit_codes
 */
export function scanFailure(
  { exit_code: code, signal }: NonNullable<Evidence['used']>,
  accepted: readonly number[],
  nameOfAccepted: string,
): string {
  // When a signal ends a program that a shell runs, the shell ends with the code 128 + n.
  const name = signalOf(code)
  const how =
    signal !== null
      ? `was ended by ${signal} (exit code ${code})`
      : `ended with exit code ${code}${name === undefined ? '' : `, as after ${name}`}`
  const question = name === 'SIGKILL' ? ' Did the machine run out of memory?' : ''
  return `The scan ${how}, which is not among ${nameOfAccepted} (${accepted.join(',')}).${question}`
}
