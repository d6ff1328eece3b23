import type { V1Status } from '@kubernetes/client-node'
import { quote } from '../base/quote.ts'
import { describeRequest } from '../rbac/describe-request.ts'
import type { ApiRequest } from './answer.ts'
import type { Attributes } from './request-attributes.ts'

/**
 * The request that the API server names in its answer, if it differs from the request that kubepass sent. A difference means
 * that the API server read a part of the server's URL as a part of the request, or that a program in between changed the request.
 * @param status of HTTP
 * @returns a phrase for misroutedHint(), or undefined if the answer names no other request
 */
export function answeredRequest(what: Attributes, kubeStatus: V1Status, status: number): string | undefined {
  return (
    deniedPath(kubeStatus) ??
    otherDeniedResource(what, kubeStatus) ??
    unsupportedMethod(kubeStatus, status) ??
    unknownResource(what, kubeStatus, status) ??
    otherObject(what, kubeStatus)
  )
}

/** The API server takes a request for one of a resource if its path begins with /api or /apis. All requests of kubepass do. */
function deniedPath({ message = '' }: V1Status): string | undefined {
  const [, path] = /cannot \S+ path "([^"]*)"/.exec(message) ?? []
  return path === undefined ? undefined : `the path ${quote(path)}`
}

function otherDeniedResource(what: Attributes, { message = '' }: V1Status): string | undefined {
  const denied = /cannot (\S+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]+)")?/.exec(message)
  if (denied === null) return undefined
  const [, verb = '', resource = '', group = '', namespace] = denied
  const same = verb === what.verb && resource === what.resource && group === what.group && namespace === what.namespace
  return same ? undefined : describeRequest({ verb, resource, group, namespace })
}

function unsupportedMethod({ reason }: V1Status, status: number): string | undefined {
  return status === 405 && reason === 'MethodNotAllowed' ? 'a request whose method it does not support' : undefined
}

function unknownResource({ resource }: Attributes, { details, message = '' }: V1Status, status: number): string | undefined {
  const isUnknown = status === 404 && (details?.kind ?? '') === '' && message.includes('could not find the requested resource')
  // An API server before 1.28 has no SelfSubjectReview: there the request arrived as it was sent.
  return isUnknown && resource !== 'selfsubjectreviews' ? 'a resource that it does not have' : undefined
}

function otherObject(what: Attributes, { details }: V1Status): string | undefined {
  const { kind = '', group = '', name = '' } = details ?? {}
  if (kind === '' || concerns(what, kind, group, name)) return undefined
  return `${quote(name === '' ? kind : `${kind} ${name}`)}${group === '' ? '' : ` of the API group ${quote(group)}`}`
}

/** Whether the request concerns the object that a Status names. A Status names a kind (Secret) or a resource (secrets). */
function concerns({ group: ownGroup, resource, namespace, name }: Attributes, kind: string, group: string, statusName: string): boolean {
  const base = resource.split('/')[0] ?? ''
  if (group === ownGroup && [base, base.replace(/s$/, '')].includes(kind.toLowerCase()))
    return name === undefined || statusName === '' || statusName === name
  if (kind === 'namespaces') return statusName === namespace
  // A request for a token concerns its bound Secret, and its own body.
  return resource === 'serviceaccounts/token' && /^(secrets?|tokenrequest)$/i.test(kind)
}

/**
 * The hint for an answer to another request than `what`.
 * @param other a phrase for what was answered: `the path "/x"`
 */
export function misroutedHint({ server }: ApiRequest, what: Attributes, other: string): string {
  const answered = `The API server answered for ${other}, but kubepass asked for ${describeRequest(what)}`
  const { origin, pathname } = new URL(server)
  return pathname === '/'
    ? `${answered}: does a proxy or gateway in between change requests, or is this not the API server of a Kubernetes cluster?`
    : `${answered}: the server's URL has the path ${quote(pathname)}, which is not part of it. Give ${origin} as server, unless a gateway before the API server removes this path.`
}
