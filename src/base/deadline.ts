/**
 * Aborted when one of these is, or the time is over. Node.js (24.21) forgets a timeout that is over and was never heard: so
 * somebody listens.
 */
export function limitOf(milliseconds: number, ...signals: AbortSignal[]): Limit {
  const limit = AbortSignal.any([...signals, AbortSignal.timeout(milliseconds)])
  limit.addEventListener('abort', () => undefined)
  return Object.assign(limit, { endsAt: Math.min(Date.now() + milliseconds, ...signals.map(endOf)) })
}

export type Limit = AbortSignal & { readonly endsAt: number }

/** When a limit is over, ms since 1970; Infinity for another signal. */
export function endOf(signal: AbortSignal | Limit): number {
  return 'endsAt' in signal ? signal.endsAt : Infinity
}
