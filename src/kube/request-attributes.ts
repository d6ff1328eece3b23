import { fullResource, requestAttributes } from '../rbac/request-attributes.ts'
import type { ApiRequest } from './answer.ts'

/** A request in the terms of a rule of RBAC. */
export interface Attributes {
  readonly verb: string
  readonly group: string
  /** Includes the subresource: serviceaccounts/token. A request for no resource has its path here. */
  readonly resource: string
  readonly namespace: string | undefined
  readonly name: string | undefined
}

/** The attributes of a request of kubepass, which RBAC compares with its rules. */
export function attributesOf({ method, path }: Pick<ApiRequest, 'method' | 'path'>): Attributes {
  const request = requestAttributes(method, path)
  if (!request.isResource) return { verb: request.verb, group: '', resource: request.path, namespace: undefined, name: undefined }
  const { verb, group, namespace, name } = request
  return { verb, group, resource: fullResource(request), namespace, name }
}
