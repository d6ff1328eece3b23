import { type AllowRule, isPodStream, matchesRule } from './allow.ts'
import type { RequestAttributes, ResourceAttributes } from './request-attributes.ts'
import type { UsedAccess } from './used-access.ts'

const NONE = { apiGroups: [], resources: [], resourceNames: [], nonResourceURLs: [], namespaces: [] }

/** The rules of system:discovery and system:basic-user, which Kubernetes binds to every authenticated user. */
const OF_EVERY_USER: readonly AllowRule[] = [
  {
    ...NONE,
    verbs: ['get'],
    nonResourceURLs: [
      '/livez',
      '/readyz',
      '/healthz',
      '/version',
      '/version/',
      '/openapi',
      '/openapi/*',
      '/api',
      '/api/*',
      '/apis',
      '/apis/*',
    ],
  },
  { ...NONE, verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'] },
  { ...NONE, verbs: ['create'], apiGroups: ['authorization.k8s.io'], resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'] },
]

/** The rights that the API server demanded for the uses that it allowed, without those that every user has. */
export function usedRights(uses: readonly UsedAccess[]): RequestAttributes[] {
  return uses
    .filter(({ refused_by: refusedBy, verb }) => refusedBy === null && verb !== '')
    .flatMap(rightsOf)
    .filter((right) => !OF_EVERY_USER.some((rule) => matchesRule(rule, right)))
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
