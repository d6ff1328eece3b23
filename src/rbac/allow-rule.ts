import { fullResource, type RequestAttributes, type ResourceAttributes } from './request-attributes.ts'

/** A rule of RBAC, and the namespaces in which it counts. */
export interface AllowRule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames: readonly string[]
  readonly verbs: readonly string[]
  readonly nonResourceURLs: readonly string[]
  /** Empty for all requests, those without a namespace included. */
  readonly namespaces: readonly string[]
}

/** Compares as the API server does: k8s.io/kubernetes, pkg/apis/rbac/v1/evaluation_helpers.go. */
export function matchesRule(rule: AllowRule, request: RequestAttributes): boolean {
  if (!holds(rule.verbs, request.verb)) return false
  if (!request.isResource) return rule.namespaces.length === 0 && rule.nonResourceURLs.some((url) => matchesUrl(url, request.path))
  return (
    holds(rule.apiGroups, request.group) &&
    rule.resources.some((resource) => matchesResource(resource, request)) &&
    isListed(rule.resourceNames, request.name) &&
    isListed(rule.namespaces, request.namespace)
  )
}

function holds(list: readonly string[], value: string): boolean {
  return list.includes('*') || list.includes(value)
}

function isListed(list: readonly string[], value: string | undefined): boolean {
  return list.length === 0 || (value !== undefined && list.includes(value))
}

function matchesResource(resource: string, request: ResourceAttributes): boolean {
  if (resource === '*' || resource === fullResource(request)) return true
  return request.subresource !== undefined && resource === `*/${request.subresource}`
}

function matchesUrl(url: string, path: string): boolean {
  return url === path || (url.endsWith('*') && path.startsWith(url.replace(/\*+$/, '')))
}
