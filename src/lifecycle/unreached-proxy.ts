import { unreachedProxy } from '../scan/failure.ts'
import type { Run } from './run-context.ts'

/** Why a failed scan may have sent no request; undefined if it sent one to the API proxy, or had the token. */
export function causeOfNoRequest({ apiProxy, platform }: Pick<Run, 'apiProxy' | 'platform'>): string | undefined {
  if (apiProxy === undefined) return undefined
  const { requests, unauthenticated } = apiProxy.access
  return requests === 0 ? unreachedProxy(apiProxy.url, unauthenticated, platform.nameOf('delivery')) : undefined
}
