import { quote } from '../base/quote.ts'
import { fullResource, type RequestAttributes } from './request-attributes.ts'

/** A request whose resource includes the subresource: serviceaccounts/token. */
export interface ResourceRequest {
  readonly verb: string
  readonly group: string
  readonly resource: string
  readonly namespace: string | undefined
}

/** The request in one phrase for a message, without the name of the object. */
export function describeRequest({ verb, resource, group, namespace }: ResourceRequest): string {
  const place = namespace === undefined ? '' : ` in the namespace ${quote(namespace)}`
  return `${verb} ${quote(group === '' ? resource : `${resource}.${group}`)}${place}`
}

export function describeAttributes(request: RequestAttributes): string {
  return request.isResource
    ? describeRequest({ ...request, resource: fullResource(request) })
    : `${request.verb} the path ${quote(request.path)}`
}
