import { type AllowRule, matchesRule } from './allow-rule.ts'
import { fullResource, type NonResourceAttributes, type RequestAttributes, type ResourceAttributes } from './request-attributes.ts'

/** A rule as a Role has it. */
export type RoleRule =
  | {
      readonly apiGroups: readonly string[]
      readonly resources: readonly string[]
      readonly resourceNames?: readonly string[]
      readonly verbs: readonly string[]
    }
  | { readonly nonResourceURLs: readonly string[]; readonly verbs: readonly string[] }

export interface ServiceAccountName {
  readonly namespace: string
  readonly name: string
}

/** A Role, a ClusterRole or a binding, as the API server takes it. */
export interface RbacObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly [field: string]: unknown
}

const GROUP = 'rbac.authorization.k8s.io'

/** The smallest Roles and ClusterRoles that grant the rights, each with its binding to the ServiceAccount. */
export function rolesFor(rights: readonly RequestAttributes[], serviceAccount: ServiceAccountName): RbacObject[] {
  const clusterWide = rulesOf(rights.filter((right) => !isNamespaced(right)))
  const granted = clusterWide.map(withEveryField)
  const namespaced = rights.filter(isNamespaced).filter((right) => !granted.some((rule) => matchesRule(rule, right)))
  const byNamespace = Map.groupBy(namespaced, ({ namespace = '' }) => namespace)
  return [
    ...objectsFor(clusterWide, undefined, serviceAccount),
    ...[...byNamespace.keys()]
      .toSorted()
      .flatMap((namespace) => objectsFor(rulesOf(byNamespace.get(namespace) ?? []), namespace, serviceAccount)),
  ]
}

/** The API server puts a request for a Namespace object into this namespace. A Role there would end with the namespace. */
function isNamespaced(right: RequestAttributes): right is ResourceAttributes {
  return right.isResource && right.namespace !== undefined && !(right.group === '' && right.resource === 'namespaces')
}

function withEveryField(rule: RoleRule): AllowRule {
  return { apiGroups: [], resources: [], resourceNames: [], nonResourceURLs: [], namespaces: [], ...rule }
}

function objectsFor(rules: readonly RoleRule[], namespace: string | undefined, serviceAccount: ServiceAccountName): RbacObject[] {
  if (rules.length === 0) return []
  const kind = namespace === undefined ? 'ClusterRole' : 'Role'
  const name = `kubepass:${serviceAccount.namespace}:${serviceAccount.name}`
  const apiVersion = `${GROUP}/v1`
  const metadata = namespace === undefined ? { name } : { name, namespace }
  const subject = { kind: 'ServiceAccount', name: serviceAccount.name, namespace: serviceAccount.namespace }
  return [
    { apiVersion, kind, metadata, rules },
    { apiVersion, kind: `${kind}Binding`, metadata, roleRef: { apiGroup: GROUP, kind, name }, subjects: [subject] },
  ]
}

/** Merges rights of one scope into rules. */
function rulesOf(rights: readonly RequestAttributes[]): RoleRule[] {
  return [...resourceRules(rights.filter((right) => right.isResource)), ...pathRules(rights.filter((right) => !right.isResource))]
}

/** The verbs of one resource for the same objects. */
interface ResourceVerbs {
  readonly group: string
  readonly resource: string
  /** Empty for all objects. */
  readonly names: readonly string[]
  readonly verbs: readonly string[]
}

function resourceRules(rights: readonly ResourceAttributes[]): RoleRule[] {
  const byVerb = groupsOf(rights, (right) => [right.group, fullResource(right), right.verb]).map(([first, ...others]) => ({
    group: first.group,
    resource: fullResource(first),
    verb: first.verb,
    names: namesOf([first, ...others]),
  }))
  const byNames = groupsOf(byVerb, ({ group, resource, names }) => [group, resource, ...names]).map(
    ([first, ...others]): ResourceVerbs => ({ ...first, verbs: sorted([first, ...others].map(({ verb }) => verb)) }),
  )
  const merged = groupsOf(byNames, ({ group, names, verbs }) => [group, verbs.join(), ...names]).map(([first, ...others]) => ({
    apiGroups: [first.group],
    resources: sorted([first, ...others].map(({ resource }) => resource)),
    ...(first.names.length > 0 && { resourceNames: first.names }),
    verbs: first.verbs,
  }))
  return merged.toSorted((one, other) => (JSON.stringify(one) < JSON.stringify(other) ? -1 : 1))
}

/** The names of the objects; empty if a right is for all objects. */
function namesOf(rights: readonly ResourceAttributes[]): string[] {
  const names = rights.flatMap(({ name }) => name ?? [])
  return names.length === rights.length ? sorted(names) : []
}

function pathRules(rights: readonly NonResourceAttributes[]): RoleRule[] {
  const byPath = groupsOf(rights, ({ path }) => [path]).map(([first, ...others]) => ({
    path: first.path,
    verbs: sorted([first, ...others].map(({ verb }) => verb)),
  }))
  return groupsOf(byPath, ({ verbs }) => verbs).map(([first, ...others]) => ({
    nonResourceURLs: sorted([first, ...others].map(({ path }) => path)),
    verbs: first.verbs,
  }))
}

/** Groups the items whose keys are equal. */
function groupsOf<T>(items: readonly T[], keyOf: (item: T) => readonly string[]): (readonly [T, ...T[]])[] {
  return [...Map.groupBy(items, (item) => JSON.stringify(keyOf(item))).values()] as unknown as (readonly [T, ...T[]])[]
}

/** Without repetitions. */
function sorted(texts: readonly string[]): string[] {
  return [...new Set(texts)].toSorted()
}
