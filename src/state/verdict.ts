import type { Code } from '../base/errors.ts'
import { durationText } from '../base/time.ts'
import type { Evidence } from './evidence.ts'
import { mayLiveOn } from './outcome.ts'

/** What became of the scan, then what became of the credential. The text never claims more than was seen. */
export function verdictOf(evidence: Evidence): string {
  return `${scanSentence(evidence)} ${credentialSentence(evidence)}`
}

function scanSentence(evidence: Evidence): string {
  const { error, finished, used } = evidence
  const ownError = error === 'NOT_REVOKED' ? null : error
  if (used === null) return ownError === null ? sentenceWithoutScan(evidence) : `No scan started: the run ended with ${ownError}.`
  if (used.exit_code === null) {
    if (ownError !== null) return `Scan without a result: the run ended with ${ownError}.`
    return finished ? 'Scan without a result: nobody saw its end.' : 'The scan runs.'
  }
  const how = used.signal === null ? `exit code ${used.exit_code}` : `${used.signal}, exit code ${used.exit_code}`
  if (ownError !== null) return `${scanEnds[ownError] ?? `Scan ended, and the run failed with ${ownError}`} (${how}).`
  if (used.accepted !== true) return `Scan failed (${how}).`
  return used.exit_code === 0 ? 'Scan passed.' : `Scan passed (${how}).`
}

function sentenceWithoutScan({ delivered_to_later_steps: isDelivered, error, finished }: Evidence): string {
  if (isDelivered) return `Later steps of the job ${finished ? 'could' : 'can'} use the credential.`
  return finished && error === null ? 'No scan started, and the run ended without a result.' : 'No scan started.'
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
    const living = number > 1 ? `Of ${number} credentials at least one` : subject
    return `${living} was NOT revoked and can live until ${dead_by}.`
  }
  return `${subject} ${missing ? absenceText(evidence) : revocationText(evidence)}.`
}

function absenceText(evidence: Evidence): string {
  const object = numberOf(evidence) > 1 ? 'them' : 'it'
  return `had no Secret left to delete; ${evidence.proven === null ? unprovenText(object) : `the API server refuses ${object}`}`
}

function revocationText(evidence: Evidence): string {
  const [was, is, object] = numberOf(evidence) > 1 ? ['were', 'are', 'them'] : ['was', 'is', 'it']
  const life = lifeText(evidence)
  const revocation = `${was} revoked${retryText(evidence)}`
  if (evidence.proven !== null) return `${life === '' ? revocation : `${life}, ${revocation},`} and ${is} refused by the API server`
  return `${life === '' ? revocation : `${life} and ${revocation}`}; ${unprovenText(object)}`
}

function unprovenText(object: string): string {
  return `kubepass did not prove that the API server refuses ${object}`
}

function numberOf({ granted, renewed, renewed_not_listed }: Evidence): number {
  return (granted === null ? 0 : 1) + renewed.length + renewed_not_listed
}

/** From the issue of the first token to the revocation of the last. */
function lifeText({ granted, revoked }: Evidence): string {
  if (granted === null || revoked === null) return ''
  return `lived ${durationText((Date.parse(revoked.at) - Date.parse(granted.issued_at)) / 1000)}`
}

/** An earlier process ended with NOT_REVOKED, and a later one revoked. */
function retryText({ error }: Evidence): string {
  return error === 'NOT_REVOKED' ? ' after a failed attempt' : ''
}
