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

/**
 * The possible causes when a scan fails, and no request of it came to the API proxy.
 * @param unauthenticated requests without the credential of the run
 * @param nameOfDelivery the platform's spelling of the input delivery
 */
export function unreachedProxy(url: string, unauthenticated: number, nameOfDelivery: string): string {
  if (unauthenticated > 0)
    return (
      `The scan sent no request with its credential to the API proxy at ${new URL(url).host}; ${unauthenticated} came without it. ` +
      'Does the scan use another kubeconfig or token than the one that KUBECONFIG names?'
    )
  return (
    `The scan sent no request to the API proxy at ${new URL(url).host}. If it should have: it may run in a container with a network of its own ` +
    "or on a remote Docker daemon, or its client ignores NO_PROXY behind an HTTP proxy, as Python's kubernetes client 34.1 and 35.0 does. " +
    `Set ${nameOfDelivery} to kubeconfig, or give a container of a local daemon --network host.`
  )
}
