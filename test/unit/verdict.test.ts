import { expect, test } from '@jest/globals'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { readFileSync } from 'node:fs'
import type { Evidence } from '../../src/state/evidence.ts'
import type { Outcome } from '../../src/state/outcome.ts'
import { verdictOf } from '../../src/state/verdict.ts'
import { ended, evidenceOf, granted, whole } from './evidence-fixture.ts'

const none: Partial<Evidence> = { finished: true }
const failed = { ...ended, exit_code: 3, accepted: false }
const killed = { ...ended, exit_code: 137, signal: 'SIGKILL', accepted: false }
const running = { ...ended, ended_at: null, exit_code: null, accepted: null }
const notRevoked: Partial<Evidence> = { ...whole, revoked: null, proven: null }
const unproven: Partial<Evidence> = { ...whole, proven: null }
const absent: Partial<Evidence> = { ...whole, revoked: null, missing: true }
const delivered: Partial<Evidence> = { ...whole, used: null, isolation: null, delivered_to_later_steps: true }
const inUse: Partial<Evidence> = { ...delivered, revoked: null, proven: null, finished: false }
const expired: Partial<Evidence> = { ...whole, revoked: { at: '2026-01-01T06:00:00Z' }, proven: null }
const access = {
  ended_at: '2026-01-01T00:00:41Z',
  ...{ streams_cut: 0, requests: 1, unauthenticated: 0, uses: [], not_listed: 1 },
}
const unknownAccess = { ...access, ended_at: null, requests: null, not_listed: 0 }
const last = { ...granted, issued_at: '2026-01-01T01:00:00Z', expires_at: '2026-01-01T01:15:00Z' }
const renewed = { ...whole, renewed: [granted, last], renewed_not_listed: 4, revoked: { at: '2026-01-01T01:05:00Z' } }

const DEAD = 'The credential lived 41 s, was revoked, and is refused by the API server.'
const UNPROVEN = 'The credential lived 41 s and was revoked; kubepass did not prove that the API server refuses it.'
const LOST =
  'The credential lived 41 s and was revoked; kubepass could not prove that the API server refuses it: the token was only in the memory of main, which is gone.'
const ALIVE = 'The credential was NOT revoked and can live until 2026-01-01T00:16:10Z.'
const NONE = 'No credential was issued.'

test.each<[string, Partial<Evidence>, Outcome, string]>([
  ['a scan that passed', whole, 'passed', `Scan passed. ${DEAD}`],
  ['an accepted exit code', { ...whole, used: { ...ended, exit_code: 100 } }, 'passed', `Scan passed (exit code 100). ${DEAD}`],
  ['another exit code', { ...whole, used: failed }, 'scan_failed', `Scan failed (exit code 3). ${DEAD}`],
  ['a scan that was killed', { ...whole, used: killed }, 'scan_failed', `Scan failed (SIGKILL, exit code 137). ${DEAD}`],
  ['no proof', unproven, 'passed', `Scan passed. ${UNPROVEN}`],
  ['no proof of a token that main alone had', { ...unproven, api_access: access }, 'passed', `Scan passed. ${UNPROVEN}`],
  [
    'no proof of a token that a killed main alone had',
    { ...unproven, used: running, recovered: true, api_access: unknownAccess },
    'unfinished',
    `The scan started, but kubepass did not see its end. ${LOST}`,
  ],
  [
    'no proof of a token that the scan had, after main was killed',
    { ...unproven, used: running, recovered: true },
    'unfinished',
    `The scan started, but kubepass did not see its end. ${UNPROVEN}`,
  ],
  [
    'an absent Secret of a token that a killed main alone had',
    { ...absent, proven: null, used: running, recovered: true, api_access: unknownAccess },
    'unfinished',
    'The scan started, but kubepass did not see its end. The credential had no Secret left to delete; kubepass could not prove that the API server refuses it: the token was only in the memory of main, which is gone.',
  ],
  [
    'no proof of several tokens that a killed main alone had',
    { ...renewed, proven: null, used: running, recovered: true, api_access: unknownAccess },
    'unfinished',
    'The scan started, but kubepass did not see its end. The 7 credentials lived 1 h 5 min from the first issue to the last revocation and were revoked; kubepass could not prove that the API server refuses them: the token was only in the memory of main, which is gone.',
  ],
  ['a failed scan without a proof', { ...unproven, used: failed }, 'scan_failed', `Scan failed (exit code 3). ${UNPROVEN}`],
  [
    'an absent Secret',
    { ...absent, proven: null },
    'passed',
    'Scan passed. The credential had no Secret left to delete; kubepass did not prove that the API server refuses it.',
  ],
  [
    'an absent Secret with a proof',
    absent,
    'passed',
    'Scan passed. The credential had no Secret left to delete; the API server refuses it.',
  ],
  ['no revocation', { ...notRevoked, error: 'NOT_REVOKED' }, 'not_revoked', `Scan passed. ${ALIVE}`],
  [
    'no revocation after a failed scan',
    { ...notRevoked, used: failed, error: 'NOT_REVOKED' },
    'not_revoked',
    `Scan failed (exit code 3). ${ALIVE}`,
  ],
  [
    'no revocation after tampering',
    { ...notRevoked, error: 'NOT_REVOKED', earlier_error: 'TAMPERED' },
    'not_revoked',
    `Scan tampered with the runner's command files (exit code 0). ${ALIVE}`,
  ],
  [
    'no revocation after a refusal',
    { ...notRevoked, used: null, error: 'NOT_REVOKED', earlier_error: 'RIGHTS' },
    'not_revoked',
    `No scan started: the run ended with RIGHTS. ${ALIVE}`,
  ],
  [
    'a revocation at a later attempt, after max_scan',
    { ...unproven, used: failed, error: 'NOT_REVOKED', earlier_error: 'TIMEOUT' },
    'failed',
    `Scan ended by kubepass after max_scan (exit code 3). The credential lived 41 s and was revoked after a failed attempt; kubepass did not prove that the API server refuses it.`,
  ],
  ['no revocation with revocation: best-effort', notRevoked, 'not_revoked', `Scan passed. ${ALIVE}`],
  [
    'a revocation at a later attempt',
    { ...whole, error: 'NOT_REVOKED' },
    'failed',
    'Scan passed. The credential lived 41 s, was revoked after a failed attempt, and is refused by the API server.',
  ],
  [
    'max_scan',
    { ...whole, used: { ...failed, exit_code: 143 }, error: 'TIMEOUT' },
    'failed',
    `Scan ended by kubepass after max_scan (exit code 143). ${DEAD}`,
  ],
  ['a signal', { ...unproven, used: failed, error: 'INTERRUPTED' }, 'failed', `Run interrupted, scan ended (exit code 3). ${UNPROVEN}`],
  ['a signal before the scan', { ...none, error: 'INTERRUPTED' }, 'failed', `No scan started: the run ended with INTERRUPTED. ${NONE}`],
  ['tampering', { ...whole, error: 'TAMPERED' }, 'failed', `Scan tampered with the runner's command files (exit code 0). ${DEAD}`],
  [
    'a defect after the scan',
    { ...whole, error: 'INTERNAL' },
    'failed',
    `Scan ended, and the run failed with INTERNAL (exit code 0). ${DEAD}`,
  ],
  [
    'a scan that did not start',
    { ...whole, used: running, error: 'INTERNAL' },
    'failed',
    `The scan started, and the run ended with INTERNAL. ${DEAD}`,
  ],
  ['a refusal before the token', { ...none, error: 'REFUSED' }, 'failed', `No scan started: the run ended with REFUSED. ${NONE}`],
  ['the wrong token', { ...unproven, used: null, error: 'RIGHTS' }, 'failed', `No scan started: the run ended with RIGHTS. ${UNPROVEN}`],
  [
    'a lost response',
    { ...unproven, used: null, granted: null, error: 'UNREACHABLE' },
    'failed',
    'No scan started: the run ended with UNREACHABLE. The credential, if it was issued, was revoked; kubepass did not prove that the API server refuses it.',
  ],
  [
    'a lost response without a revocation',
    { ...notRevoked, used: null, granted: null, error: 'NOT_REVOKED' },
    'not_revoked',
    'No scan started, and the run ended without a result. The credential, if it was issued, was NOT revoked and can live until 2026-01-01T00:16:10Z.',
  ],
  [
    'a killed main, finished by post',
    { ...whole, used: running },
    'unfinished',
    `The scan started, but kubepass did not see its end. ${DEAD}`,
  ],
  [
    'a main killed after the scan',
    { ...whole, recovered: true },
    'unfinished',
    `Scan ended (exit code 0), but main had not finished its cleanup and its checks when another process took over. ${DEAD}`,
  ],
  [
    'a main killed after a scan that failed',
    { ...whole, used: killed, recovered: true },
    'unfinished',
    `Scan ended (SIGKILL, exit code 137), but main had not finished its cleanup and its checks when another process took over. ${DEAD}`,
  ],
  [
    'a main killed after the scan, and no revocation',
    { ...notRevoked, recovered: true, error: 'NOT_REVOKED' },
    'not_revoked',
    `Scan ended (exit code 0), but main had not finished its cleanup and its checks when another process took over. ${ALIVE}`,
  ],
  [
    'a main killed after max_scan',
    { ...whole, used: failed, recovered: true, error: 'TIMEOUT' },
    'failed',
    `Scan ended by kubepass after max_scan (exit code 3). ${DEAD}`,
  ],
  [
    'a main killed before the scan',
    { ...unproven, used: null },
    'unfinished',
    `No scan started, and the run ended without a result. ${UNPROVEN}`,
  ],
  ['a main killed before the token', none, 'unfinished', `No scan started, and the run ended without a result. ${NONE}`],
  ['later steps', inUse, 'in_use', 'Later steps of the job can use the credential. The credential can live until 2026-01-01T00:16:10Z.'],
  ['later steps, finished by post', delivered, 'revoked', `Later steps of the job could use the credential. ${DEAD}`],
  [
    'later steps, not revoked by post',
    { ...delivered, revoked: null, proven: null, error: 'NOT_REVOKED' },
    'not_revoked',
    `Later steps of the job could use the credential. ${ALIVE}`,
  ],
  [
    'later steps and a defect in post',
    { ...delivered, error: 'INTERNAL' },
    'failed',
    `Later steps of the job could use the credential, and the run ended with INTERNAL. ${DEAD}`,
  ],
  [
    'a token that expired before its revocation',
    expired,
    'passed',
    'Scan passed. The credential expired after 15 min 0 s and its Secret was deleted; kubepass did not prove that the API server refuses it.',
  ],
  [
    'a token that expired before a second attempt, with a proof',
    { ...whole, revoked: { at: '2026-01-01T06:00:00Z' }, error: 'NOT_REVOKED' },
    'failed',
    'Scan passed. The credential expired after 15 min 0 s, its Secret was deleted after a failed attempt, and it is refused by the API server.',
  ],
  [
    'renewals that expired before their revocation',
    { ...expired, renewed: [{ ...granted, issued_at: '2026-01-01T00:10:00Z', expires_at: '2026-01-01T00:25:00Z' }] },
    'passed',
    'Scan passed. The 2 credentials expired (25 min 0 s from the first issue to the last expiry) and their Secrets were deleted; kubepass did not prove that the API server refuses them.',
  ],
  [
    'a token of an API server with another clock',
    { ...whole, verified: { username: null, at: '2026-01-01T00:00:31.234Z' } },
    'passed',
    'Scan passed. The credential lived 10 s, was revoked, and is refused by the API server.',
  ],
  ['a token that was not verified', { ...unproven, verified: null }, 'passed', `Scan passed. ${UNPROVEN}`],
  [
    'renewals',
    renewed,
    'passed',
    'Scan passed. The 7 credentials lived 1 h 5 min from the first issue to the last revocation, were revoked, and are refused by the API server.',
  ],
  [
    'renewals without a proof',
    { ...renewed, proven: null },
    'passed',
    'Scan passed. The 7 credentials lived 1 h 5 min from the first issue to the last revocation and were revoked; kubepass did not prove that the API server refuses them.',
  ],
  [
    'renewals without a revocation',
    { ...renewed, revoked: null, proven: null, error: 'NOT_REVOKED' },
    'not_revoked',
    'Scan passed. At least one of 7 credentials was NOT revoked and can live until 2026-01-01T00:16:10Z.',
  ],
  [
    'renewals with absent Secrets',
    { ...renewed, revoked: null, missing: true },
    'passed',
    'Scan passed. The 7 credentials had no Secret left to delete; the API server refuses them.',
  ],
])('the outcome and the verdict of %s', (_what, change, outcome, verdict) => {
  const evidence = evidenceOf(change)
  expect([evidence.outcome, verdictOf(evidence)]).toEqual([outcome, verdict])
})

const errors = [
  null,
  'INPUT',
  'IDENTITY',
  'REFUSED',
  'UNREACHABLE',
  'RIGHTS',
  'NOT_REVOKED',
  'TAMPERED',
  'TIMEOUT',
  'INTERRUPTED',
  'INTERNAL',
] as const
const scans: Partial<Evidence>[] = [{ used: ended }, { used: failed }, { used: killed }, { used: running }, { used: null }, delivered]
const ends: Partial<Evidence>[] = [whole, unproven, notRevoked, absent, { ...absent, proven: null }, { ...none, dead_by: null }]

/** Each error with each scan and each end of the credential, also the combinations that no run has. */
function allEvidence(): Evidence[] {
  return errors.flatMap((error) =>
    scans.flatMap((scan) =>
      ends.flatMap(({ revoked = null, proven = null, missing = false, dead_by = null }) =>
        [true, false].flatMap((finished) =>
          ([null, 'TAMPERED', 'RIGHTS'] as const).flatMap((earlier) =>
            [true, false].flatMap((recovered) => {
              const error_reason = error === null ? null : 'The API server refused.'
              const earlier_error = error === 'NOT_REVOKED' ? earlier : null
              const end = { revoked, proven, missing, dead_by, finished }
              const accesses = [null, unknownAccess].filter((each) => each === null || scan.delivered_to_later_steps !== true)
              return accesses.map((api_access) =>
                evidenceOf({ ...whole, ...scan, ...end, error, earlier_error, error_reason, recovered, api_access }),
              )
            }),
          ),
        ),
      ),
    ),
  )
}

test.each([
  [
    'claims a revocation that was not seen',
    ({ revoked }: Evidence, verdict: string) => /was (revoked|deleted)/.test(verdict) && revoked === null,
  ],
  [
    'claims a refusal that was not seen',
    ({ proven }: Evidence, verdict: string) =>
      /(?<!(did|could) not prove that the API server.*)refuse[sd]/.test(verdict) && proven === null,
  ],
  [
    'claims a success that was not seen',
    ({ used, error, earlier_error, recovered }: Evidence, verdict: string) => {
      const scanError = error === 'NOT_REVOKED' ? earlier_error : error
      return verdict.includes('Scan passed') && (used?.accepted !== true || recovered || scanError !== null)
    },
  ],
  [
    'hides that later steps could use the credential',
    ({ used, delivered_to_later_steps: isDelivered }: Evidence, verdict: string) =>
      verdict.includes('Later steps') !== (isDelivered && used === null),
  ],
  [
    'hides that a credential may live on',
    ({ outcome }: Evidence, verdict: string) => verdict.includes('NOT revoked') !== (outcome === 'not_revoked'),
  ],
  [
    'is wrong about whether a credential was issued',
    ({ dead_by }: Evidence, verdict: string) => verdict.includes('No credential was issued') !== (dead_by === null),
  ],
  ['is not made of whole sentences on one line', (_evidence: Evidence, verdict: string) => !/^[A-Z][^\n]+\.$/.test(verdict)],
])('no verdict %s', (_what, isWrong) => {
  expect(
    allEvidence()
      .map((evidence) => [evidence, verdictOf(evidence)] as const)
      .filter(([evidence, verdict]) => isWrong(evidence, verdict))
      .map(([, verdict]) => verdict),
  ).toEqual([])
})

test('each evidence conforms to its schema', () => {
  const schema = JSON.parse(readFileSync(new URL('../../docs/evidence.schema.json', import.meta.url), 'utf8')) as object
  const formats = { 'date-time': true, uri: (text: string) => URL.canParse(text) } as const
  const conforms = new Ajv2020({ allErrors: true, allowUnionTypes: true, formats }).compile(schema)
  expect(allEvidence().flatMap((evidence) => (conforms(evidence) ? [] : (conforms.errors ?? [])))).toEqual([])
})
