import { type Allow, isNamedByAllow } from './allow.ts'
import { fullResource, type RequestAttributes, type ResourceAttributes } from './request-attributes.ts'

/** Why kubepass refuses the request whatever RBAC grants, because its answer could outlive the run; undefined if it does not. */
export function alwaysRefused(request: RequestAttributes, allow: Allow): string | undefined {
  if (!request.isResource) return undefined
  if (isToken(request)) return 'serviceaccounts/token is always refused: a new token could outlive the run'
  if (isTokenReview(request)) return 'tokenreviews are always refused: they test tokens of others'
  if (isCertificateRequest(request))
    return 'writes of certificatesigningrequests are always refused: a client certificate cannot be revoked'
  if (!isProxied(request) || isNamedByAllow(allow, request)) return undefined
  return `${request.verb === 'proxy' ? 'the verb proxy' : fullResource(request)} is refused unless a rule of allow names it: it leads around the API server's checks`
}

function isToken({ group, resource, subresource }: ResourceAttributes): boolean {
  return group === '' && resource === 'serviceaccounts' && subresource === 'token'
}

function isTokenReview({ group, resource }: ResourceAttributes): boolean {
  return group === 'authentication.k8s.io' && resource === 'tokenreviews'
}

function isCertificateRequest({ group, resource, verb }: ResourceAttributes): boolean {
  return group === 'certificates.k8s.io' && resource === 'certificatesigningrequests' && !['get', 'list', 'watch'].includes(verb)
}

function isProxied({ verb, subresource }: ResourceAttributes): boolean {
  return verb === 'proxy' || subresource === 'proxy'
}
