import { type AllowRule, matchesRule } from './allow-rule.ts'
import { describeAttributes } from './describe-request.ts'
import { fullResource, type RequestAttributes, type ResourceAttributes } from './request-attributes.ts'
import { rulesOfEveryUser } from './rules-of-every-user.ts'

/** Which requests of the scan may pass: all that RBAC grants, reads, or those that a rule allows. */
export type Allow = 'granted' | 'read' | readonly AllowRule[]

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

/**
 * Why `allow` refuses the request; undefined if it lets the request pass.
 * @param isUpgrade whether the request asks for another protocol
 */
export function refusalOf(allow: Allow, request: RequestAttributes, isUpgrade = false): string | undefined {
  if (allow === 'granted') return undefined
  if (allow === 'read')
    return isRead(request) && !(isUpgrade && opensStream(request))
      ? undefined
      : 'allow: read lets only get, list, watch, logs and self reviews pass'
  // Without discovery, no client finds the resources that the rules name.
  const rules = [...allow, ...rulesOfEveryUser]
  const refused = neededOf(request).find((needed) => !rules.some((rule) => matchesRule(rule, needed)))
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

/** Any resource of an extension can have a subresource that is a console. Only watches and logs stream what a reader may see. */
function opensStream(request: RequestAttributes): boolean {
  return !request.isResource || (request.verb !== 'watch' && request.subresource !== 'log')
}

function isRead(request: RequestAttributes): boolean {
  if (!request.isResource) return ['get', 'head'].includes(request.verb)
  if (request.verb === 'create') return SELF_REVIEWS.includes(`${fullResource(request)}.${request.group}`)
  return READ_VERBS.includes(request.verb) && !STREAMS.includes(request.subresource)
}
