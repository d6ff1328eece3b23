/**
 * Aborted when one of these is, or the time is over. Node.js (24.21) forgets a timeout that is over and was never heard: so
 * somebody listens.
 */
export function limitOf(milliseconds: number, ...signals: AbortSignal[]): AbortSignal {
  const limit = AbortSignal.any([...signals, AbortSignal.timeout(milliseconds)])
  limit.addEventListener('abort', () => undefined)
  return limit
}
