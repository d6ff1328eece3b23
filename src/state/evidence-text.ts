import { markdownCode, quote } from '../base/quote.ts'
import type { Evidence, GrantRecord } from './evidence.ts'
import type { Isolation } from './run-state.ts'

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

/** What became of the command; undefined when there was none. */
function scanOutcome({ used }: Evidence): string | undefined {
  if (used === null) return undefined
  if (used.exit_code === null) return `started ${used.started_at}; its end was not seen`
  return `exit code ${used.exit_code}${used.signal === null ? '' : ` (${used.signal})`}, ${used.started_at} to ${used.ended_at}`
}

function renewalText({ credential_id, issued_at, expires_at, bound_to }: GrantRecord): string {
  return `${credential_id ?? 'without an id'}, ${issued_at} to ${expires_at}, ${bound_to === null ? 'bound to nothing' : `Secret ${bound_to}`}`
}

function isolationText({ isolated, why_not, as_root }: Isolation): string {
  if (!isolated) return `no: ${why_not ?? 'unknown'}`
  return as_root ? "yes, as root: the machine's files and settings are open to it" : 'yes'
}

const CREDENTIAL = 'Credential'

function rows(evidence: Evidence): [string, string][] {
  const { identity, requested, granted, verified, run, isolation } = evidence
  const all: [string, string | undefined | null][] = [
    ['ServiceAccount', requested.service_account],
    ['Server', evidence.server],
    ['Identity', identity && `${identity.kind} (${identity.why})`],
    ['Run', `${run.repository} ${run.id}/${run.attempt} ${run.job}`.trim()],
    ['Issued', granted?.issued_at],
    ['Expires', granted?.expires_at],
    ['Credential id', granted?.credential_id],
    ['Bound to', granted && (granted.bound_to === null ? 'nothing: it cannot be revoked' : `Secret ${granted.bound_to}`)],
    ...evidence.renewed.map((each): [string, string] => ['Renewed', renewalText(each)]),
    ['Accepted as', verified && (verified.username ?? 'unknown: SelfSubjectReview is forbidden')],
    ['Scan', scanOutcome(evidence)],
    ['Isolated', isolation && isolationText(isolation)],
    [CREDENTIAL, credentialOutcome(evidence)],
    ['Error', evidence.error],
    ...evidence.warnings.map((warning): [string, string] => ['Warning', warning]),
  ]
  return all.filter((row): row is [string, string] => row[1] !== null && row[1] !== undefined && row[1] !== '')
}

/** For a log, which has the end of the credential in a line of its own. */
export function asText(evidence: Evidence): string {
  // Branch, job and claims are foreign text.
  return rows(evidence)
    .filter(([name]) => name !== CREDENTIAL || !evidence.finished)
    .map(([name, value]) => `  ${name.padEnd(15)} ${quote(value, 1000).slice(1, -1)}`)
    .join('\n')
}

export function asMarkdown(evidence: Evidence): string {
  const lines = rows(evidence).map(([name, value]) => `| ${name} | ${markdownCode(value)} |`)
  return `### kubepass\n\n| | |\n| --- | --- |\n${lines.join('\n')}\n`
}

export function asJson(evidence: Evidence): string {
  return `${JSON.stringify(evidence, undefined, 2)}\n`
}
