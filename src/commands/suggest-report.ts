import { quote } from '../base/quote.ts'
import type { AllowRule } from '../rbac/allow-rule.ts'
import type { RightsComparison } from '../rbac/compare-rights.ts'
import { describeAttributes } from '../rbac/describe-request.ts'
import type { RequestAttributes } from '../rbac/request-attributes.ts'
import type { ApiAccess } from '../rbac/used-access.ts'

const MOST_LINES = 1000

/** The comment before the Roles. */
export function introduction(accesses: readonly ApiAccess[], objects: number): string {
  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)
  const requests = sum(accesses.map((access) => access.requests ?? 0))
  const lost = accesses.filter((access) => access.requests === null).length
  const refused = sum(accesses.flatMap(({ uses }) => uses.map((use) => (use.refused_by === null ? 0 : use.count))))
  const notListed = sum(accesses.map((access) => access.not_listed))
  return comment([
    `The rights that ${accesses.length === 1 ? 'one run' : `${accesses.length} runs`} used, without those of every user. Requests: ${requests}.`,
    ...(objects === 0 ? ['The requests used no other right, so they need no Role.'] : []),
    ...(refused > 0 ? [`Refused requests, whose rights are left out: ${refused}.`] : []),
    ...(lost > 0 ? [`Runs whose main was killed, and whose rights are missing: ${lost}.`] : []),
    ...(notListed > 0 ? [`Requests that the evidence does not list, and whose rights may be missing: ${notListed}.`] : []),
  ])
}

/** The comment behind the Roles, about the file of --check. */
export function comparisonText({ missing, unused }: RightsComparison, file: string): string {
  const rights = listed(missing.map(describeRight))
  const rules = listed(unused.map(describeRule))
  return comment([
    rights.length === 0 ? `${quote(file)} grants every used right.` : `Used, but not granted by ${quote(file)}:`,
    ...rights,
    rules.length === 0 ? `Every rule of ${quote(file)} was used.` : `Granted by ${quote(file)}, but not used:`,
    ...rules,
  ])
}

function listed(texts: readonly string[]): string[] {
  const different = [...new Set(texts)].map((text) => `  ${text}`)
  const left = different.length - MOST_LINES
  return left > 0 ? [...different.slice(0, MOST_LINES), `  and ${left} more`] : different
}

function describeRight(right: RequestAttributes): string {
  return right.isResource && right.name !== undefined
    ? `${describeAttributes(right)}, object ${quote(right.name)}`
    : describeAttributes(right)
}

/** The rule on one line, without its empty fields. */
function describeRule({ namespaces, ...rule }: AllowRule): string {
  const fields = Object.entries(rule).filter(([, values]) => values.length > 0)
  const place = namespaces.length === 0 ? '' : ` in ${namespaces.map((name) => quote(name)).join(', ')}`
  return `{${fields.map(([name, values]) => `${name}: [${values.map((value) => quote(value)).join(', ')}]`).join(', ')}}${place}`
}

function comment(lines: readonly string[]): string {
  return lines.map((line) => `# ${line}\n`).join('')
}
