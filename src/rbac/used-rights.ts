import { isPodStream } from './allow.ts'
import { matchesRule } from './allow-rule.ts'
import type { RequestAttributes, ResourceAttributes } from './request-attributes.ts'
import { rulesOfEveryUser } from './rules-of-every-user.ts'
import type { UsedAccess } from './used-access.ts'

/** The rights that the API server demanded for the uses that it allowed, without those that every user has. */
export function usedRights(uses: readonly UsedAccess[]): RequestAttributes[] {
  return uses
    .filter(({ refused_by: refusedBy, verb }) => refusedBy === null && verb !== '')
    .flatMap(rightsOf)
    .filter((right) => !rulesOfEveryUser.some((rule) => matchesRule(rule, right)))
}

function rightsOf(use: UsedAccess): RequestAttributes[] {
  const { verb, path, resource } = use
  if (resource === null) return path === null ? [] : [{ isResource: false, verb, path }]
  const right: ResourceAttributes = {
    isResource: true,
    verb,
    group: use.group ?? '',
    version: '',
    resource,
    subresource: use.subresource ?? undefined,
    namespace: use.namespace ?? undefined,
    name: use.name ?? undefined,
  }
  return needsCreate(right, use) ? [unnamed(right), unnamed({ ...right, verb: 'create' })] : [unnamed(right)]
}

/** Whether the API server also asked for `create`: for a stream that a GET opens, and for an object that an update or a patch created. */
function needsCreate(right: ResourceAttributes, { statuses }: UsedAccess): boolean {
  if (right.verb === 'get') return isPodStream(right)
  return (right.verb === 'update' || right.verb === 'patch') && Object.hasOwn(statuses, '201')
}

/** A collection has no name. A rule with the selector's name would not allow its deletion without the selector. */
function unnamed(right: ResourceAttributes): ResourceAttributes {
  return right.verb === 'deletecollection' ? { ...right, name: undefined } : right
}
