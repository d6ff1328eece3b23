/**
 * Returns a signal that aborts after a time, or when one of the given signals aborts. The listener prevents a fault of Node.js
 * (24.21), which can forget a timeout inside `AbortSignal.any` if the combined signal has no listener.
 */
export function deadlineAfter(milliseconds: number, ...signals: AbortSignal[]): Deadline {
  const deadline = AbortSignal.any([...signals, AbortSignal.timeout(milliseconds)])
  deadline.addEventListener('abort', () => undefined)
  return Object.assign(deadline, { endsAt: Math.min(Date.now() + milliseconds, ...signals.map(endOfDeadline)) })
}

export type Deadline = AbortSignal & { readonly endsAt: number }

/** The time at which a deadline aborts, in ms since 1970; Infinity for any other signal. */
export function endOfDeadline(signal: AbortSignal | Deadline): number {
  return 'endsAt' in signal ? signal.endsAt : Infinity
}
