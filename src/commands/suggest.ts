import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { explainInvalid, InvalidValue } from '../config/invalid-value.ts'
import { readSmallFile } from '../config/small-file.ts'
import { parseYaml, writeYaml } from '../config/yaml.ts'
import type { AllowRule } from '../rbac/allow-rule.ts'
import { compareRights } from '../rbac/compare-rights.ts'
import { grantedRules } from '../rbac/granted-rules.ts'
import { readApiAccess } from '../rbac/read-api-access.ts'
import { rolesFor, type ServiceAccountName } from '../rbac/role-from-use.ts'
import type { ApiAccess } from '../rbac/used-access.ts'
import { usedRights } from '../rbac/used-rights.ts'
import { comparisonText, introduction } from './suggest-report.ts'

/** An evidence with 10,000 uses is smaller. */
const LARGEST_EVIDENCE = 64 * 1024 * 1024

/** The access of one run. */
interface Evidence {
  readonly serviceAccount: ServiceAccountName
  readonly access: ApiAccess
}

export interface Suggestion {
  /** YAML, with comments. */
  readonly text: string
  /** The message for standard error, if a right was used that the file does not grant. */
  readonly failure: string | undefined
}

/**
 * Suggests the smallest Roles for what the runs used.
 * @param oldFile a manifest with Roles, which the used rights are compared with
 * @throws INPUT if a file cannot be read
 */
export async function suggest(files: readonly string[], oldFile: string | undefined): Promise<Suggestion> {
  const evidence = files.map(readEvidence)
  const rules = oldFile === undefined ? undefined : await rulesIn(oldFile)
  const byAccount = Map.groupBy(evidence, ({ serviceAccount: { namespace, name } }) => `${namespace}/${name}`)
  const objects = [...byAccount.values()].flatMap((runs) => {
    const [first] = runs
    return first === undefined ? [] : rolesFor(usedRights(runs.flatMap(({ access }) => access.uses)), first.serviceAccount)
  })
  const accesses = evidence.map(({ access }) => access)
  const text = `${introduction(accesses, objects.length)}${await writeYaml(objects)}`
  if (rules === undefined || oldFile === undefined) return { text, failure: undefined }
  const comparison = compareRights(rules, usedRights(accesses.flatMap(({ uses }) => uses)))
  const failure = `The runs used rights that ${quote(oldFile)} does not grant: standard output lists them.`
  return { text: `${text}${comparisonText(comparison, oldFile)}`, failure: comparison.missing.length > 0 ? failure : undefined }
}

function readEvidence(path: string): Evidence {
  return explainInvalid(() => evidenceIn(parseJson(readSmallFile(path, LARGEST_EVIDENCE))), explain(`The evidence ${quote(path)}`))
}

async function rulesIn(path: string): Promise<AllowRule[]> {
  const toError = explain(`The file ${quote(path)} of --check`)
  const text = explainInvalid(() => readSmallFile(path), toError)
  try {
    const rules = grantedRules(await parseYaml(text))
    if (rules.length === 0) throw new InvalidValue('has no rule of a Role or ClusterRole')
    return rules
  } catch (error) {
    throw error instanceof InvalidValue ? toError(error.message) : error
  }
}

function explain(what: string): (fault: string) => KubepassError {
  return (fault) => new KubepassError('INPUT', `${what} ${fault}.`, { hint: 'kubepass suggest --help shows an example.' })
}

function evidenceIn(value: unknown): Evidence {
  const { requested, api_access: access } = (value ?? {}) as { requested?: { service_account?: unknown }; api_access?: unknown }
  const [, namespace, name] = /^([a-z0-9-]{1,63})\/([a-z0-9.-]{1,253})$/.exec(String(requested?.service_account)) ?? []
  if (namespace === undefined || name === undefined) throw new InvalidValue('is no evidence: requested.service_account is missing or wrong')
  if (access === undefined) throw new InvalidValue('has no field api_access: an older kubepass wrote it')
  if (access === null) throw new InvalidValue('has null in api_access: the scan had the token, so kubepass did not see its requests')
  const read = readApiAccess(access)
  if ('wrongField' in read) throw new InvalidValue(`has ${read.wrongField}, which is not as kubepass writes it`)
  return { serviceAccount: { namespace, name }, access: read }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw new InvalidValue('is no JSON')
  }
}
