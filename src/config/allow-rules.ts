import { escapeText, quote } from '../base/quote.ts'
import type { AllowRule } from '../rbac/allow-rule.ts'
import { InvalidValue } from './invalid-value.ts'

type Field = keyof AllowRule

/** The form of each value of a field, and the form in words. */
const FIELDS: Readonly<Record<Field, { readonly form: RegExp; readonly words: string }>> = {
  apiGroups: { form: /^(\*|[a-z0-9.-]*)$/, words: '"*" or the name of a group, such as apps' },
  resources: {
    form: /^(\*|(\*\/)?[a-z0-9.-]+|[a-z0-9.-]+\/[a-z0-9.-]+)$/,
    words: '"*", a resource such as pods, a subresource such as pods/log, or */log',
  },
  resourceNames: { form: /^[^/%]+$/, words: 'the name of an object' },
  verbs: { form: /^(\*|[a-z]+)$/, words: '"*" or a verb in lower case, such as get' },
  nonResourceURLs: { form: /^(\*|\/[^*]*\*?)$/, words: '"*", a path such as /metrics, or the start of one: /logs/*' },
  namespaces: { form: /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, words: 'the name of a namespace' },
}
const NAMES = Object.keys(FIELDS) as Field[]
const EXAMPLE = 'A correct rule: {apiGroups: [apps], resources: [deployments], verbs: [get, list]}'
const MOST_RULES = 1000
const MOST_VALUES = 1000
const LONGEST_VALUE = 300

/**
 * Reads a list of rules, or a mapping with the field `rules`.
 * @throws InvalidValue, which names the wrong field
 */
export function readAllowRules(value: unknown): AllowRule[] {
  const rules = isObject(value) ? rulesIn(value) : value
  if (!Array.isArray(rules)) throw new InvalidValue(`holds no list of rules. ${EXAMPLE}`)
  if (rules.length === 0 || rules.length > MOST_RULES) throw new InvalidValue(`holds ${rules.length} rules, not 1 to ${MOST_RULES}`)
  return rules.map((rule: unknown, index) => readRule(rule, `rules[${index}]`))
}

function rulesIn(value: Record<string, unknown>): unknown {
  const stray = Object.keys(value).find((name) => name !== 'rules')
  if (stray !== undefined) throw wrong(quote(stray, 60), 'which is not known: give only the field rules, or a list of rules')
  return value['rules']
}

function readRule(rule: unknown, place: string): AllowRule {
  if (!isObject(rule)) throw wrong(place, 'which is no mapping')
  const stray = Object.keys(rule).find((name) => !(NAMES as string[]).includes(name))
  if (stray !== undefined)
    throw wrong(`${place}.${escapeText(stray, 60)}`, `which is no field of a rule; the fields are ${NAMES.join(', ')}`)
  const listOf = (field: Field): string[] => readList(rule[field], field, place)
  const read: AllowRule = {
    // The API server needs the group of each resource. The core group is the empty text, which only quotes can write.
    apiGroups: rule['apiGroups'] === undefined && rule['resources'] !== undefined ? [''] : listOf('apiGroups'),
    resources: listOf('resources'),
    resourceNames: listOf('resourceNames'),
    verbs: listOf('verbs'),
    nonResourceURLs: listOf('nonResourceURLs'),
    namespaces: listOf('namespaces'),
  }
  checkRule(read, place)
  return read
}

/** Checks what the API server demands of a rule. */
function checkRule({ apiGroups, verbs, resources, resourceNames, nonResourceURLs, namespaces }: AllowRule, place: string): void {
  if (verbs.length === 0) throw wrong(`${place}.verbs`, 'which is missing or empty')
  if (nonResourceURLs.length === 0) {
    if (resources.length === 0) throw wrong(`${place}.resources`, 'which is missing or empty')
    if (apiGroups.length === 0) throw wrong(`${place}.apiGroups`, 'which is empty: leave it out for the core group')
  } else if ([apiGroups, resources, resourceNames, namespaces].some((list) => list.length > 0)) {
    throw wrong(`${place}.nonResourceURLs`, 'beside which only verbs may stand')
  }
}

function readList(value: unknown, field: Field, place: string): string[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw wrong(`${place}.${field}`, 'which is no list')
  if (value.length > MOST_VALUES) throw wrong(`${place}.${field}`, `which has over ${MOST_VALUES} values`)
  return value.map((each: unknown, index) => {
    const { form, words } = FIELDS[field]
    if (typeof each === 'string' && each.length <= LONGEST_VALUE && form.test(each)) return each
    throw wrong(`${place}.${field}[${index}]`, `which is not ${words}`)
  })
}

function wrong(field: string, fault: string): InvalidValue {
  return new InvalidValue(`has ${field}, ${fault}. ${EXAMPLE}`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
