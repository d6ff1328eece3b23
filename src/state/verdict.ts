import type { Code } from '../base/errors.ts'
import { durationText } from '../base/time.ts'
import type { Evidence, GrantRecord } from './evidence.ts'
import { mayLiveOn, scanErrorOf } from './outcome.ts'

/** A sentence about the end of the scan, then one about the end of the credential. The text never claims more than was seen. */
export function verdictOf(evidence: Evidence): string {
  return `${scanSentence(evidence)} ${credentialSentence(evidence)}`
}

function scanSentence(evidence: Evidence): string {
  const { recovered, used } = evidence
  const error = scanErrorOf(evidence)
  if (used === null) return sentenceWithoutScan(evidence, error)
  if (used.exit_code === null)
    return error === null ? 'The scan started, but kubepass did not see its end.' : `The scan started, and the run ended with ${error}.`
  const how = used.signal === null ? `exit code ${used.exit_code}` : `${used.signal}, exit code ${used.exit_code}`
  if (error !== null) return `${scanEnds[error] ?? `Scan ended, and the run failed with ${error}`} (${how}).`
  if (recovered) return `Scan ended (${how}), but main had not finished its cleanup and its checks when another process took over.`
  if (used.accepted !== true) return `Scan failed (${how}).`
  return used.exit_code === 0 ? 'Scan passed.' : `Scan passed (${how}).`
}

function sentenceWithoutScan({ delivered_to_later_steps: isDelivered, finished }: Evidence, error: Code | null): string {
  if (isDelivered) {
    const use = `Later steps of the job ${finished ? 'could' : 'can'} use the credential`
    return error === null ? `${use}.` : `${use}, and the run ended with ${error}.`
  }
  return error === null ? 'No scan started, and the run ended without a result.' : `No scan started: the run ended with ${error}.`
}

const scanEnds: Partial<Record<Code, string>> = {
  TIMEOUT: 'Scan ended by kubepass after max_scan',
  INTERRUPTED: 'Run interrupted, scan ended',
  TAMPERED: "Scan tampered with the runner's command files",
}

function credentialSentence(evidence: Evidence): string {
  const { dead_by, finished, granted, missing } = evidence
  if (dead_by === null) return 'No credential was issued.'
  const number = numberOf(evidence)
  const subject = number > 1 ? `The ${number} credentials` : granted === null ? 'The credential, if it was issued,' : 'The credential'
  if (!finished) return `${subject} can live until ${dead_by}.`
  if (mayLiveOn(evidence)) {
    const living = number > 1 ? `At least one of ${number} credentials` : subject
    return `${living} was NOT revoked and can live until ${dead_by}.`
  }
  return `${subject} ${missing ? absenceText(evidence) : revocationText(evidence)}.`
}

function absenceText(evidence: Evidence): string {
  const object = numberOf(evidence) > 1 ? 'them' : 'it'
  return `had no Secret left to delete; ${evidence.proven === null ? unprovenText(evidence, object) : `the API server refuses ${object}`}`
}

function revocationText(evidence: Evidence): string {
  const isOne = numberOf(evidence) <= 1
  const { parts, refusal } = hasExpired(evidence) ? expiryParts(evidence, isOne) : lifeParts(evidence, isOne)
  if (evidence.proven === null) return `${parts.join(' and ')}; ${unprovenText(evidence, isOne ? 'it' : 'them')}`
  return `${parts.join(', ')}${parts.length > 1 ? ',' : ''} and ${refusal} refused by the API server`
}

function unprovenText({ api_access, recovered }: Evidence, object: string): string {
  const isLost = recovered && api_access !== null
  const end = isLost ? `: the token was only in the memory of main, which is gone` : ''
  return `kubepass ${isLost ? 'could' : 'did'} not prove that the API server refuses ${object}${end}`
}

function numberOf({ granted, renewed, renewed_not_listed }: Evidence): number {
  return (granted === null ? 0 : 1) + renewed.length + renewed_not_listed
}

/** The end of a credential in words, and the beginning of the words about its refusal. */
interface EndText {
  readonly parts: readonly string[]
  readonly refusal: string
}

/** Whether the last token expired before kubepass deleted its Secret: the life then ended at the expiry. */
function hasExpired({ granted, renewed, revoked }: Evidence): boolean {
  return granted !== null && revoked !== null && lastExpiry([granted, ...renewed]) < Date.parse(revoked.at)
}

function lastExpiry(grants: readonly GrantRecord[]): number {
  return Math.max(...grants.map(({ expires_at }) => Date.parse(expires_at)))
}

/** The clock of the API server set both ends of this life. */
function expiryParts({ error, granted, renewed }: Evidence, isOne: boolean): EndText {
  const [one, ...others] = granted === null ? renewed : [granted, ...renewed]
  const life = one === undefined ? '' : durationText((lastExpiry([one, ...others]) - Date.parse(one.issued_at)) / 1000)
  return isOne
    ? { parts: [`expired after ${life}`, `its Secret was deleted${retryText(error)}`], refusal: 'it is' }
    : {
        parts: [`expired (${life} from the first issue to the last expiry)`, `their Secrets were deleted${retryText(error)}`],
        refusal: 'they are',
      }
}

/** The clock of this machine set both ends of this life, if kubepass saw that the API server accepted the token. */
function lifeParts({ error, granted, revoked, verified }: Evidence, isOne: boolean): EndText {
  const revocation = `${isOne ? 'was' : 'were'} revoked${retryText(error)}`
  const refusal = isOne ? 'is' : 'are'
  const begin = verified?.at ?? granted?.issued_at
  if (granted === null || begin === undefined || revoked === null) return { parts: [revocation], refusal }
  const life = durationText((Date.parse(revoked.at) - Date.parse(begin)) / 1000)
  return { parts: [`lived ${life}${isOne ? '' : ' from the first issue to the last revocation'}`, revocation], refusal }
}

/** An earlier process ended with NOT_REVOKED, and a later one revoked. */
function retryText(error: Code | null): string {
  return error === 'NOT_REVOKED' ? ' after a failed attempt' : ''
}
