import Builder from 'fast-xml-builder'
import { escapeText, unquoted } from '../base/quote.ts'
import { credentialOutcome, reasonText } from '../state/evidence-text.ts'
import type { Evidence } from '../state/evidence.ts'
import { scanErrorOf } from '../state/outcome.ts'
import { verdictOf } from '../state/verdict.ts'

interface Check {
  name: string
  outcome: 'passed' | 'failed' | 'not seen'
  detail: string
}

/** In characters. Each renewal adds a line: an hour has 4 renewals, a day 100. */
const LONGEST_DETAIL = 20_000

/** The facts of the evidence about one promise of kubepass. */
interface Finding {
  readonly name: string
  readonly isKept: boolean
  readonly detail: string | undefined | null
}

const SCAN = 'the scan runs to its end'
const REVOKED = 'the credential is revoked'

/** One finding for each promise of kubepass. The scan's findings belong into the scan's own report. */
function findingsOf(evidence: Evidence): Finding[] {
  const { requested, granted, renewed, verified, revoked, proven } = evidence
  const outcome = credentialOutcome(evidence)
  return [
    {
      name: `a token for ${requested.service_account} is issued`,
      isKept: granted !== null,
      detail:
        granted &&
        [granted, ...renewed].map((each) => `${each.credential_id ?? 'without an id'}, until ${each.expires_at}`).join('; then '),
    },
    { name: 'the API server takes it for that ServiceAccount', isKept: verified !== null, detail: verified?.username },
    scanFinding(evidence),
    { name: REVOKED, isKept: revoked !== null, detail: outcome },
    { name: 'the credential is proven dead', isKept: proven !== null, detail: outcome },
  ]
}

function scanFinding(evidence: Evidence): Finding {
  const { recovered, used } = evidence
  if (used === null) return { name: SCAN, isKept: false, detail: null }
  const { exit_code: exitCode, signal } = used
  const scanError = scanErrorOf(evidence)
  const detail = [
    `exit code ${exitCode ?? 'unknown'}${signal === null ? '' : ` (${signal})`}`,
    ...(scanError === null ? [] : [`the run ended with ${scanError}`]),
    ...(recovered ? ['main had not finished its cleanup and its checks when another process took over'] : []),
  ].join('; ')
  return { name: SCAN, isKept: exitCode !== null && signal === null && !recovered && scanError === null, detail }
}

/**
 * In a failed run, the first promise that was not kept is the failed check, and so is a revocation that failed. A killed scan fails its
 * check without an error of the run.
 */
function checksOf(evidence: Evidence): Check[] {
  const { used, finished, error } = evidence
  const findings = findingsOf(evidence)
  const killed = used !== null && finished ? SCAN : undefined
  const failed = error === null ? killed : findings.find(({ isKept }) => !isKept)?.name
  return findings.map(({ name, isKept, detail }) => {
    const isFailed = !isKept && (name === failed || (name === REVOKED && error === 'NOT_REVOKED'))
    const reason = name === failed && error !== null ? `The run ended with ${error}: ${reasonText(evidence)}` : undefined
    return {
      name,
      outcome: isKept ? 'passed' : isFailed ? 'failed' : 'not seen',
      detail: detail ? escapeText(detail, LONGEST_DETAIL) : unquoted(reason ?? 'not seen', LONGEST_DETAIL),
    }
  })
}

/** https://docs.gitlab.com/ci/testing/unit_test_reports/ */
export function junit(evidence: Evidence): string {
  const checks = checksOf(evidence)
  const count = (outcome: Check['outcome']): string => String(checks.filter((check) => check.outcome === outcome).length)
  const testcase = checks.map(({ name, outcome, detail }) => ({
    '@name': name,
    '@classname': 'kubepass',
    ...(outcome === 'failed' ? { failure: { '@message': detail } } : outcome === 'not seen' ? { skipped: { '@message': detail } } : {}),
    'system-out': detail,
  }))
  const suite = {
    '@name': 'kubepass',
    '@tests': String(checks.length),
    '@failures': count('failed'),
    '@skipped': count('not seen'),
    testcase,
  }
  const xml = new Builder({ attributeNamePrefix: '@', ignoreAttributes: false, format: true }).build({ testsuites: { testsuite: suite } })
  return `<?xml version="1.0" encoding="UTF-8"?>\n${xml}`
}

/** https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsannotations */
export function annotations(evidence: Evidence, env: NodeJS.ProcessEnv): string {
  // Before Kubernetes 1.30 a credential has no id.
  const id = evidence.granted === null ? 'no credential' : (evidence.granted.credential_id ?? 'a credential')
  const label = escapeText(`${id} of ${evidence.requested.service_account}: ${verdictOf(evidence)}`)
  const url = `${env['CI_PIPELINE_URL'] ?? ''}/test_report`
  return `${JSON.stringify({ kubepass: URL.canParse(url) ? [{ external_link: { label, url } }] : [] })}\n`
}
