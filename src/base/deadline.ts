/**
 * Aborted when one of these is, or the time is over. Node.js (24.21) forgets a timeout that is over and was never heard: so
 * somebody listens.
 */
export function deadlineAfter(milliseconds: number, ...signals: AbortSignal[]): Deadline {
  const deadline = AbortSignal.any([...signals, AbortSignal.timeout(milliseconds)])
  deadline.addEventListener('abort', () => undefined)
  return Object.assign(deadline, { endsAt: Math.min(Date.now() + milliseconds, ...signals.map(endOfDeadline)) })
}

export type Deadline = AbortSignal & { readonly endsAt: number }

/** When a deadline is over, ms since 1970; Infinity for another signal. */
export function endOfDeadline(signal: AbortSignal | Deadline): number {
  return 'endsAt' in signal ? signal.endsAt : Infinity
}
