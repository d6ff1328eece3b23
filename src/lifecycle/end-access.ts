import { warn, type Run } from './run-context.ts'

/** Cuts the scan off from the API server, where it went through the API proxy. */
export function endAccess({ apiProxy, journal }: Run): void {
  if (apiProxy === undefined || apiProxy.isClosed) return
  apiProxy.close()
  if (journal.state.apiAccess !== null) journal.observe({ type: 'AccessEnded', access: apiProxy.access })
}

/** Says that the file of requests has a gap. */
export async function reportRequestLog(run: Run): Promise<void> {
  const problem = run.apiProxy?.logProblem
  if (problem !== undefined) await warn(run, `The file that ${run.platform.nameOf('requests')} names lacks requests: ${problem}.`)
}
