import { quote } from '../base/quote.ts'
import type { ApiRequest } from './answer.ts'

/** A request in the terms of RBAC. */
export interface Attributes {
  readonly verb: string
  readonly group: string
  /** Includes the subresource: serviceaccounts/token. */
  readonly resource: string
  readonly namespace: string | undefined
  readonly name: string | undefined
}

/** The request's attributes, which RBAC compares with its rules. */
export function attributesOf({ method, path }: Pick<ApiRequest, 'method' | 'path'>): Attributes {
  const [prefix, ...parts] = (path.split('?')[0] ?? '').split('/').slice(1)
  const group = prefix === 'apis' ? (parts.shift() ?? '') : ''
  parts.shift()
  const namespace = parts[0] === 'namespaces' ? parts.splice(0, 2)[1] : undefined
  const [resource = '', name, subresource] = parts
  const verb = { POST: 'create', DELETE: 'delete', GET: name === undefined ? 'list' : 'get' }[method]
  return { verb, group, resource: subresource === undefined ? resource : `${resource}/${subresource}`, namespace, name }
}

/** The request in one phrase for a message, without the name of the object. */
export function describeRequest({ verb, resource, group, namespace }: Omit<Attributes, 'name'>): string {
  const place = namespace === undefined ? '' : ` in the namespace ${quote(namespace)}`
  return `${verb} ${quote(group === '' ? resource : `${resource}.${group}`)}${place}`
}
