import { escapeText, markdownCell, markdownCode, oneLine, unquoted } from '../base/quote.ts'
import { accessLines, accessTable, accessText } from './access-text.ts'
import type { Evidence, GrantRecord } from './evidence.ts'
import type { Isolation } from './run-state.ts'
import { verdictOf } from './verdict.ts'

/** One line for the state that the credential is in; it never claims more than was seen. */
export function credentialOutcome({ finished, missing, revoked, proven, dead_by }: Evidence): string {
  if (dead_by === null) return 'none was issued'
  const atLatest = `dead by ${dead_by} at the latest`
  if (!finished) return `in use; ${atLatest}`
  if (revoked === null && !missing) return `NOT REVOKED; ${atLatest}`
  const revocation = revoked === null ? 'its Secret did not exist' : `revoked ${revoked.at}`
  if (proven === null) return `${revocation}, not proven; ${atLatest}`
  return `${revocation}, proven dead ${proven.dead_at} (${proven.samples} refusals, the last ${proven.seconds_after_revocation.toFixed(1)} s after)`
}

/** The end of the command; undefined when there was none. */
function scanOutcome({ used }: Evidence): string | undefined {
  if (used === null) return undefined
  if (used.exit_code === null) return `started ${used.started_at}; its end was not seen`
  return `exit code ${used.exit_code}${used.signal === null ? '' : ` (${used.signal})`}, ${used.started_at} to ${used.ended_at}`
}

function renewalText({ renewed, renewed_not_listed }: Evidence): string | undefined {
  const last = renewed.at(-1)
  if (last === undefined) return undefined
  const count = renewed.length + renewed_not_listed
  return `${count === 1 ? 'once' : `${count} times`}; the last credential: ${grantText(last)}, ${boundText(last)}`
}

function grantText({ issued_at, expires_at }: GrantRecord): string {
  return `${issued_at}, expires ${expires_at}`
}

function boundText({ bound_to }: GrantRecord): string {
  return bound_to === null ? 'bound to nothing: it cannot be revoked' : `Secret ${bound_to}`
}

function isolationText({ isolated, why_not, as_root }: Isolation): string {
  if (!isolated) return `no: ${why_not ?? 'unknown'}`
  return as_root ? "yes, as root: the machine's files and settings are open to it" : 'yes'
}

const CREDENTIAL = 'Credential'
/** More warnings than people read. The evidence file and the log have all. */
const SHOWN_WARNINGS = 10
const LONGEST_WARNING = 600

type Row = readonly [name: string, value: string]

/** At most ten. The evidence file has all facts. */
function tableRows(evidence: Evidence): Row[] {
  const { identity, granted, verified, isolation, run } = evidence
  const all: (readonly [string, string | undefined | null])[] = [
    ['Scan', scanOutcome(evidence)],
    [CREDENTIAL, credentialOutcome(evidence)],
    ['Isolated', isolation && isolationText(isolation)],
    ['Access', accessText(evidence)],
    ['Issued', granted && `${grantText(granted)}, ${boundText(granted)}`],
    ['Renewed', renewalText(evidence)],
    ['Credential id', granted?.credential_id],
    ['Accepted as', verified && (verified.username ?? 'unknown: SelfSubjectReview is forbidden')],
    ['Identity', identity && `${identity.kind} (${identity.why})`],
    ['Run', `${run.repository} ${run.id}/${run.attempt} ${run.job}`.trim()],
  ]
  return all.filter((row): row is Row => row[1] !== null && row[1] !== undefined && row[1] !== '')
}

function warningsOf({ warnings }: Evidence): { shown: readonly string[]; more: string | undefined } {
  const left = warnings.length - SHOWN_WARNINGS
  const shown = warnings.slice(0, SHOWN_WARNINGS).map((warning) => oneLine(warning, LONGEST_WARNING))
  return { shown, more: left > 0 ? `${left} more: see the evidence file or the log.` : undefined }
}

/** For a log, which has the end of the credential in a line of its own. */
export function asText(evidence: Evidence): string {
  const { error, requested, server } = evidence
  const { shown, more } = warningsOf(evidence)
  const facts: Row[] = [
    ['ServiceAccount', requested.service_account],
    ['Server', server],
    ...tableRows(evidence).filter(([name]) => name !== CREDENTIAL || !evidence.finished),
  ]
  const warnings = more === undefined ? shown : [...shown, more]
  const lines = [
    verdictOf(evidence),
    ...(error === null ? [] : [textLine('Error', unquoted(`${error}: ${reasonText(evidence)}`, LONGEST_WARNING))]),
    // Branch, job and claims are foreign text.
    ...facts.map(([name, value]) => textLine(name, escapeText(value, 1000))),
    ...accessLines(evidence).map((line) => textLine('Request', line)),
    ...warnings.map((warning) => textLine('Warning', unquoted(warning, LONGEST_WARNING))),
  ]
  return lines.map((line) => `  ${line}`).join('\n')
}

function textLine(name: string, value: string): string {
  return `${name.padEnd(15)} ${value}`
}

/** The parts of a report for people, in their order. */
export interface MarkdownParts {
  /** Plain text. */
  readonly verdict: string
  readonly reason: string
  /** Identifies this use of kubepass among several in a job. */
  readonly subject: string
  readonly table: string
  /** The requests of the scan. */
  readonly access: string
  readonly warnings: string
}

export function markdownParts(evidence: Evidence): MarkdownParts {
  const { error, requested, server } = evidence
  const { shown, more } = warningsOf(evidence)
  const list = [...shown.map((warning) => `- ${markdownCode(warning)}`), ...(more === undefined ? [] : [`- ${more}`])]
  return {
    verdict: verdictOf(evidence),
    reason: error === null ? '' : `**${error}**: ${markdownCode(reasonText(evidence))}`,
    subject: `kubepass, ServiceAccount ${markdownCode(requested.service_account)}, API server ${markdownCode(server)}`,
    table: ['| Fact | Value |', '| :-- | :-- |', ...tableRows(evidence).map(tableLine)].join('\n'),
    access: accessTable(evidence),
    warnings: list.length === 0 ? '' : ['**Warnings**', '', ...list].join('\n'),
  }
}

/** The name stays on one line, however long the value is. */
function tableLine([name, value]: Row): string {
  return `| ${name.replaceAll(' ', '&nbsp;')} | ${markdownCell(value)} |`
}

/** Replaces escaped double quotes by single quotes, so that people can read the reason. */
export function reasonText({ error_reason }: Evidence): string {
  return (error_reason ?? '').replaceAll('\\"', "'")
}

/** For the summary of a job. */
export function jobSummary(evidence: Evidence): string {
  const { verdict, reason, subject, table, access, warnings } = markdownParts(evidence)
  return joinBlocks(`### ${verdict}`, reason, subject, table, access, warnings)
}

export function joinBlocks(...blocks: string[]): string {
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`
}

export function asJson(evidence: Evidence): string {
  return `${JSON.stringify(evidence, undefined, 2)}\n`
}
