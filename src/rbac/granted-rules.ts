import type { AllowRule } from './allow-rule.ts'

type Fields = Readonly<Record<string, unknown>>

/** A Role or a ClusterRole of a file. */
interface ParsedRole {
  readonly kind: string
  readonly name: string
  readonly namespace: string | undefined
  readonly rules: readonly Fields[]
}

/** A binding of a file, which says in which namespace its ClusterRole counts; undefined for all. */
interface ParsedBinding {
  readonly role: string
  readonly namespace: string | undefined
}

/**
 * The rules that the Roles and ClusterRoles of a manifest grant, whoever their subjects are. A ClusterRole counts in the namespaces of its
 * bindings in the manifest, and everywhere if the manifest has none.
 * @param documents parsed YAML
 */
export function grantedRules(documents: readonly unknown[]): AllowRule[] {
  const objects = documents.flatMap(objectsIn)
  const bindings = objects.flatMap(bindingIn)
  return objects.flatMap(roleIn).flatMap(({ kind, name, namespace, rules }) => {
    const ofRole = bindings.filter(({ role }) => kind === 'ClusterRole' && role === name)
    const places = kind === 'Role' ? [namespace ?? 'default'] : ofRole.flatMap((binding) => binding.namespace ?? [])
    const isEverywhere = kind === 'ClusterRole' && (ofRole.length === 0 || ofRole.some((binding) => binding.namespace === undefined))
    return rules.map((rule) => ruleOf(rule, isEverywhere ? [] : places))
  })
}

/** kubectl writes several objects as a List. */
function objectsIn(document: unknown): Fields[] {
  if (!isFields(document)) return []
  return Array.isArray(document['items']) ? document['items'].flatMap(objectsIn) : [document]
}

function roleIn({ kind, metadata, rules }: Fields): ParsedRole[] {
  if ((kind !== 'Role' && kind !== 'ClusterRole') || !isFields(metadata)) return []
  const { name, namespace } = metadata
  return [{ kind, name: textOf(name) ?? '', namespace: textOf(namespace), rules: Array.isArray(rules) ? rules.filter(isFields) : [] }]
}

function bindingIn({ kind, metadata, roleRef }: Fields): ParsedBinding[] {
  const isBinding = kind === 'RoleBinding' || kind === 'ClusterRoleBinding'
  if (!isBinding || !isFields(roleRef) || roleRef['kind'] !== 'ClusterRole') return []
  const namespace = isFields(metadata) ? textOf(metadata['namespace']) : undefined
  return [{ role: textOf(roleRef['name']) ?? '', namespace: kind === 'RoleBinding' ? (namespace ?? 'default') : undefined }]
}

function ruleOf(rule: Fields, namespaces: readonly string[]): AllowRule {
  const listOf = (field: string): string[] => {
    const list = rule[field]
    return Array.isArray(list) ? list.filter((each) => typeof each === 'string') : []
  }
  return {
    apiGroups: listOf('apiGroups'),
    resources: listOf('resources'),
    resourceNames: listOf('resourceNames'),
    verbs: listOf('verbs'),
    nonResourceURLs: listOf('nonResourceURLs'),
    namespaces,
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
