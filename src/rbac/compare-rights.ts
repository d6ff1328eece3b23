import { type AllowRule, matchesRule } from './allow-rule.ts'
import type { RequestAttributes } from './request-attributes.ts'

export interface RightsComparison {
  /** Rights that were used, but that no rule grants. */
  readonly missing: readonly RequestAttributes[]
  /** The parts of the rules that no use needed. */
  readonly unused: readonly AllowRule[]
}

/** Compares the rules of a file with the rights that were used. */
export function compareRights(rules: readonly AllowRule[], used: readonly RequestAttributes[]): RightsComparison {
  return {
    missing: used.filter((right) => !rules.some((rule) => matchesRule(rule, right))),
    unused: rules.flatMap((rule) => unusedParts(rule, used)),
  }
}

/** The rule itself if no use needed any of it; else, for each of its resources and paths, the verbs that no use needed. */
function unusedParts(rule: AllowRule, used: readonly RequestAttributes[]): AllowRule[] {
  const isUnused = (part: AllowRule): boolean => !used.some((right) => matchesRule(part, right))
  if (isUnused(rule)) return [rule]
  const parts = [
    ...rule.apiGroups.flatMap((group) =>
      rule.resources.map((resource) => ({ ...rule, apiGroups: [group], resources: [resource], nonResourceURLs: [] })),
    ),
    ...rule.nonResourceURLs.map((url) => ({ ...rule, apiGroups: [], resources: [], nonResourceURLs: [url] })),
  ]
  return parts
    .map((part) => ({ ...part, verbs: part.verbs.filter((verb) => isUnused({ ...part, verbs: [verb] })) }))
    .filter(({ verbs }) => verbs.length > 0)
}
