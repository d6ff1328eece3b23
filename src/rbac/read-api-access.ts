import type { ApiAccess, UsedAccess } from './used-access.ts'

type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === 'string' && value.length <= 10_000
const isTextOrNull: Check = (value) => value === null || isText(value)
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0
const isStatuses: Check = (value) => isObject(value) && Object.values(value).every(isCount)

const ACCESS: Readonly<Record<keyof ApiAccess, Check>> = {
  ended_at: isTextOrNull,
  streams_cut: isCount,
  requests: (value) => value === null || isCount(value),
  unauthenticated: isCount,
  uses: Array.isArray,
  not_listed: isCount,
}
const USE: Readonly<Record<keyof UsedAccess, Check>> = {
  verb: isText,
  group: isTextOrNull,
  resource: isTextOrNull,
  subresource: isTextOrNull,
  namespace: isTextOrNull,
  name: isTextOrNull,
  path: isTextOrNull,
  refused_by: (value) => value === null || value === 'api-server' || value === 'kubepass',
  count: isCount,
  statuses: isStatuses,
  first_at: isText,
  last_at: isText,
}

/** Reads the field `api_access` of an evidence; the name of its wrong field if it is not as kubepass writes it. */
export function readApiAccess(value: unknown): ApiAccess | { readonly wrongField: string } {
  const wrong = wrongField(value, ACCESS, 'api_access')
  if (wrong !== undefined) return { wrongField: wrong }
  const access = value as ApiAccess
  const wrongUse = access.uses.map((use, index) => wrongField(use, USE, `api_access.uses[${index}]`)).find((field) => field !== undefined)
  return wrongUse === undefined ? access : { wrongField: wrongUse }
}

function wrongField(value: unknown, checks: Readonly<Record<string, Check>>, place: string): string | undefined {
  if (!isObject(value)) return place
  const names = Object.keys(checks)
  if (Object.keys(value).some((name) => !names.includes(name))) return place
  const wrong = names.find((name) => checks[name]?.(value[name]) !== true)
  return wrong === undefined ? undefined : `${place}.${wrong}`
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
