import type { RequestAttributes } from '../rbac/request-attributes.ts'
import type { UsedAccess } from '../rbac/used-access.ts'

/** More distinct requests than people read. The others are counted. */
const MAX_USES = 10_000
/** Kubernetes has no longer names. */
const LONGEST_NAME = 253
const FORBIDDEN = 403

/** Who refused a request: kubepass, by a rule of its own, or the API server. */
export type RefusedBy = UsedAccess['refused_by']

interface Use {
  readonly request: RequestRecord
  readonly refusedBy: RefusedBy
  readonly statuses: Map<number, number>
  readonly firstAt: number
  lastAt: number
  count: number
}

/** Counts the distinct requests of the scan. */
export class UsedRequests {
  readonly #uses = new Map<string, Use>()
  /** Requests that the list does not have. */
  notListed = 0
  total = 0

  /** @param status of the response; undefined where there was none */
  add(request: RequestAttributes, refusedByKubepass: boolean, status: number | undefined): void {
    this.total += 1
    const refusedBy = refusedByKubepass ? 'kubepass' : status === FORBIDDEN ? 'api-server' : null
    const record = recordOf(request)
    // A line feed is in no part, because the proxy refuses control characters.
    const key = [refusedBy, ...Object.values(record)].join('\n')
    const now = Date.now()
    let use = this.#uses.get(key)
    if (use === undefined) {
      if (this.#uses.size >= MAX_USES) return void (this.notListed += 1)
      use = { request: record, refusedBy, statuses: new Map(), firstAt: now, lastAt: now, count: 0 }
      this.#uses.set(key, use)
    }
    use.count += 1
    use.lastAt = now
    if (status !== undefined) use.statuses.set(status, (use.statuses.get(status) ?? 0) + 1)
  }

  /** The most frequent first. */
  list(): UsedAccess[] {
    return [...this.#uses.values()].toSorted((one, other) => other.count - one.count).map(toUsedAccess)
  }
}

function toUsedAccess({ request, refusedBy, statuses, firstAt, lastAt, count }: Use): UsedAccess {
  return {
    ...request,
    refused_by: refusedBy,
    count,
    statuses: Object.fromEntries(statuses),
    first_at: new Date(firstAt).toISOString(),
    last_at: new Date(lastAt).toISOString(),
  }
}

/** A request with `null` in place of what it does not have, and with names of limited length. */
type RequestRecord = Omit<UsedAccess, 'refused_by' | 'count' | 'statuses' | 'first_at' | 'last_at'>

export function recordOf(request: RequestAttributes): RequestRecord {
  if (!request.isResource)
    return { verb: request.verb, group: null, resource: null, subresource: null, namespace: null, name: null, path: bounded(request.path) }
  const { verb, group, resource, subresource, namespace, name } = request
  return {
    verb,
    group: bounded(group),
    resource: bounded(resource),
    subresource: bounded(subresource),
    namespace: bounded(namespace),
    name: bounded(name),
    path: null,
  }
}

function bounded(text: string | undefined): string | null {
  return text === undefined ? null : text.slice(0, LONGEST_NAME)
}
