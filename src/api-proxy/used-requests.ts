import type { RequestAttributes } from '../rbac/request-attributes.ts'
import type { UsedAccess } from '../rbac/used-access.ts'

/** More distinct requests than people read; the others are counted. The refused ones cannot push the others out. */
const MAX_PASSED = 4_500
const MAX_REFUSED = 1_000
/** Kubernetes has no longer names. */
const LONGEST_NAME = 253
const FORBIDDEN = '403'

interface Use {
  readonly request: RequestRecord
  readonly statuses: Record<string, number>
  /** ms since 1970 */
  readonly firstAt: number
  lastAt: number
  count: number
}

/** Counts the distinct requests of the scan. */
export class UsedRequests {
  readonly #passed = new Map<string, Use>()
  readonly #refused = new Map<string, Use>()
  /** Requests that the list does not have. */
  notListed = 0
  total = 0

  /** A request that kubepass refuses. */
  addRefused(request: RequestAttributes, status: number): void {
    const use = this.#count(this.#refused, MAX_REFUSED, request)
    if (use !== undefined) countStatus(use, status)
  }

  /** @returns a function that takes the status of the response, or undefined where there was none */
  begin(request: RequestAttributes): (status: number | undefined) => void {
    const use = this.#count(this.#passed, MAX_PASSED, request)
    return (status) => {
      if (use !== undefined && status !== undefined) countStatus(use, status)
    }
  }

  /** The most frequent first. */
  list(): UsedAccess[] {
    const refused = [...this.#refused.values()].map((use) => toUsedAccess(use, 'kubepass'))
    return [...[...this.#passed.values()].flatMap(splitByAnswer), ...refused].toSorted((one, other) => other.count - one.count)
  }

  #count(uses: Map<string, Use>, most: number, request: RequestAttributes): Use | undefined {
    this.total += 1
    const record = recordOf(request)
    const key = JSON.stringify(Object.values(record))
    const known = uses.get(key)
    if (known === undefined && uses.size >= most) {
      this.notListed += 1
      return undefined
    }
    const now = Date.now()
    const use = known ?? { request: record, statuses: {}, firstAt: now, lastAt: now, count: 0 }
    uses.set(key, use)
    use.count += 1
    use.lastAt = now
    return use
  }
}

function countStatus({ statuses }: Use, status: number): void {
  statuses[status] = (statuses[status] ?? 0) + 1
}

/** RBAC can change during a scan, so the API server may allow a request and refuse it later. */
function splitByAnswer(use: Use): UsedAccess[] {
  const { [FORBIDDEN]: refused = 0, ...statuses } = use.statuses
  const passed = use.count - refused
  return [
    ...(passed > 0 ? [toUsedAccess({ ...use, statuses, count: passed }, null)] : []),
    ...(refused > 0 ? [toUsedAccess({ ...use, statuses: { [FORBIDDEN]: refused }, count: refused }, 'api-server')] : []),
  ]
}

function toUsedAccess({ request, statuses, firstAt, lastAt, count }: Use, refusedBy: UsedAccess['refused_by']): UsedAccess {
  return {
    ...request,
    refused_by: refusedBy,
    count,
    statuses: { ...statuses },
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
