import { readListOptions } from './list-options.ts'
import { readTarget } from './request-target.ts'

/** A request as the API server's authorizer sees it. */
export type RequestAttributes = ResourceAttributes | NonResourceAttributes

export interface ResourceAttributes {
  readonly isResource: true
  readonly verb: string
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly subresource: string | undefined
  readonly namespace: string | undefined
  readonly name: string | undefined
}

export interface NonResourceAttributes {
  readonly isResource: false
  /** The method in lower case. */
  readonly verb: string
  /** Decoded. */
  readonly path: string
}

const VERBS = new Map([
  ['POST', 'create'],
  ['GET', 'get'],
  ['HEAD', 'get'],
  ['PUT', 'update'],
  ['PATCH', 'patch'],
  ['DELETE', 'delete'],
])
/** Prefixes of a path that replace the verb of the method. The API server refuses a prefix without a resource. */
const PREFIXES = ['watch', 'proxy']
const NAMESPACE_SUBRESOURCES: readonly (string | undefined)[] = ['status', 'finalize']

/**
 * Maps a request as the API server maps it: RequestInfoFactory in k8s.io/apiserver, pkg/endpoints/request/requestinfo.go. RBAC judges
 * the result, so each difference would let kubepass allow another request than the API server sees.
 * @param target the path with the query, percent-encoded, as received. The API server refuses a target that Go cannot parse.
 */
export function requestAttributes(method: string, target: string): RequestAttributes {
  const { path, query } = readTarget(target)
  const parts = path.replaceAll(/^\/+|\/+$/g, '').split('/')
  if (!isResourcePath(parts)) return { isResource: false, verb: method.toLowerCase(), path }
  const [group = '', version = '', ...rest] = parts[0] === 'api' ? ['', ...parts.slice(1)] : parts.slice(1)
  const prefix = PREFIXES.find((each) => each === rest[0])
  const verb = prefix ?? VERBS.get(method) ?? ''
  const place = placeOf(prefix === undefined ? rest : rest.slice(1), verb)
  return { isResource: true, group, version, ...place, ...verbAndName(verb, place.name, query) }
}

/** The paths of groups and versions, which the discovery reads, are no paths of resources. */
function isResourcePath(parts: readonly string[]): boolean {
  return (parts[0] === 'api' && parts.length >= 3) || (parts[0] === 'apis' && parts.length >= 4)
}

/** @param parts the path behind the version, which may begin with `namespaces` and a name */
function placeOf(parts: readonly string[], verb: string): Pick<ResourceAttributes, 'namespace' | 'resource' | 'name' | 'subresource'> {
  const isNamespaced = parts[0] === 'namespaces'
  const isInside = isNamespaced && parts.length > 2 && !NAMESPACE_SUBRESOURCES.includes(parts[2])
  const [resource = '', name, subresource] = isInside ? parts.slice(2) : parts
  return {
    namespace: isNamespaced ? textOrUndefined(parts[1]) : undefined,
    resource,
    name: textOrUndefined(name),
    subresource: verb === 'proxy' ? undefined : textOrUndefined(subresource),
  }
}

/** A request without a name concerns a collection, from which a field selector can choose one object. */
function verbAndName(verb: string, name: string | undefined, query: string): Pick<ResourceAttributes, 'verb' | 'name'> {
  if (name !== undefined) return { verb, name }
  if (verb === 'delete') return { verb: 'deletecollection', name }
  if (verb !== 'get') return { verb, name }
  const { isWatch, name: selected } = readListOptions(query)
  return { verb: isWatch ? 'watch' : 'list', name: textOrUndefined(selected) }
}

function textOrUndefined(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

/** The resource with its subresource, as a rule of RBAC writes it: pods/log. */
export function fullResource({ resource, subresource }: Pick<ResourceAttributes, 'resource' | 'subresource'>): string {
  return subresource === undefined ? resource : `${resource}/${subresource}`
}
