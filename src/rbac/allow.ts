import { describeAttributes } from './describe-request.ts'
import { fullResource, type RequestAttributes, type ResourceAttributes } from './request-attributes.ts'

/** Which requests of the scan may pass: all that RBAC grants, reads, or those that a rule allows. */
export type Allow = 'granted' | 'read' | readonly AllowRule[]

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

const READ_VERBS = ['get', 'list', 'watch']
/** A GET of these opens a stream through which a scan can act. */
const STREAMS: readonly (string | undefined)[] = ['exec', 'attach', 'portforward', 'proxy']
const SELF_REVIEWS = [
  'selfsubjectreviews.authentication.k8s.io',
  'selfsubjectaccessreviews.authorization.k8s.io',
  'selfsubjectrulesreviews.authorization.k8s.io',
]
/** A WebSocket asks for these by GET. API servers from 1.35 on then also ask the authorizer for `create`. */
const POD_STREAMS = ['pods/exec', 'pods/attach', 'pods/portforward']

/** Why `allow` refuses the request; undefined if it lets the request pass. */
export function refusalOf(allow: Allow, request: RequestAttributes): string | undefined {
  if (allow === 'granted') return undefined
  if (allow === 'read') return isRead(request) ? undefined : 'allow: read lets only get, list, watch, logs and self reviews pass'
  const refused = neededOf(request).find((needed) => !allow.some((rule) => matchesRule(rule, needed)))
  return refused === undefined ? undefined : `allow: no rule lets this request pass: ${describeAttributes(refused)}`
}

/**
 * Whether a rule names a request that the API server passes on to another server. A rule names a subresource `proxy` with or without its
 * resource, or the verb `proxy`. A wildcard names nothing, because the author of the rule may not have thought of it.
 */
export function isNamedByAllow(allow: Allow, request: RequestAttributes): boolean {
  if (typeof allow === 'string' || !request.isResource) return false
  const names = (rule: AllowRule): AllowRule =>
    request.verb === 'proxy'
      ? { ...rule, verbs: rule.verbs.filter((verb) => verb !== '*') }
      : { ...rule, resources: rule.resources.filter((resource) => resource.endsWith('/proxy')) }
  return allow.some((rule) => matchesRule(names(rule), request))
}

/** The requests that the API server asks the authorizer for. */
function neededOf(request: RequestAttributes): RequestAttributes[] {
  return isPodStream(request) && request.verb === 'get' ? [request, { ...request, verb: 'create' }] : [request]
}

export function isPodStream(request: RequestAttributes): request is ResourceAttributes {
  return request.isResource && request.group === '' && POD_STREAMS.includes(fullResource(request))
}

function isRead(request: RequestAttributes): boolean {
  if (!request.isResource) return ['get', 'head'].includes(request.verb)
  if (request.verb === 'create') return SELF_REVIEWS.includes(`${fullResource(request)}.${request.group}`)
  return READ_VERBS.includes(request.verb) && !STREAMS.includes(request.subresource)
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
