import type { Run } from './run-context.ts'

/** Cuts the scan off from the API server, where it went through the API proxy. */
export function endAccess({ apiProxy, journal }: Run): void {
  if (apiProxy === undefined || apiProxy.isClosed) return
  apiProxy.close()
  if (journal.state.apiAccess !== null) journal.observe({ type: 'AccessEnded', access: apiProxy.access })
}
