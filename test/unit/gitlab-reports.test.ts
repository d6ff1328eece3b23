import { describe, expect, test } from '@jest/globals'
import { toEvidence, type Evidence } from '../../src/state/evidence.ts'
import { newRunState } from '../../src/state/run-state.ts'
import type { Options } from '../../src/config/options.ts'
import { annotations, junit } from '../../src/platform/gitlab-reports.ts'

const run = {
  platform: 'gitlab',
  id: '7',
  attempt: '1',
  job: 'scan',
  repository: 'group/project',
  instance: 'https://github.com',
  actor: 'octocat',
  commit: '6dcb09b',
  ref: 'refs/heads/main',
  event: 'push',
} as const
const options = {
  server: 'https://10.0.0.1:6443',
  serviceAccount: { namespace: 'kubepass', name: 'scanner' },
  directory: '/tmp',
} as Options
const env = { CI_PIPELINE_URL: 'https://gitlab.example.com/group/project/-/pipelines/5' }

const granted = {
  credential_id: 'JTI=abc',
  issued_at: '2026-01-01T00:00:00Z',
  expires_at: '2026-01-01T00:15:00Z',
  bound_to: 'kubepass-7-1-x',
}
const whole: Partial<Evidence> = {
  granted,
  verified: { username: 'system:serviceaccount:kubepass:scanner', at: '2026-01-01T00:00:00Z' },
  used: { started_at: '2026-01-01T00:00:00Z', ended_at: '2026-01-01T00:01:00Z', exit_code: 3, signal: null, accepted: false },
  revoked: { at: '2026-01-01T00:01:00Z' },
  proven: { dead_at: '2026-01-01T00:01:10Z', samples: 3, seconds_after_revocation: 10 },
  dead_by: '2026-01-01T00:16:10Z',
  finished: true,
}
const evidenceOf = (change: Partial<Evidence>): Evidence => ({ ...toEvidence(newRunState(options, run)), ...change })

/** The outcome of each check in the report. */
function outcomes(evidence: Evidence): string[] {
  return [...junit(evidence).matchAll(/<testcase [^]*?<\/testcase>/g)].map(([testcase]) =>
    testcase.includes('<failure') ? 'failed' : testcase.includes('<skipped') ? 'skipped' : 'passed',
  )
}

test('the JUnit report has the credential id of every renewal', () => {
  const ids = Array.from({ length: 100 }, (_, index) => `JTI=${String(index)}-`)
  const renewed = ids.map((id) => ({
    credential_id: id,
    issued_at: '2026-01-01T00:00:00Z',
    expires_at: '2026-01-01T00:15:00Z',
    bound_to: null,
  }))
  const report = junit(evidenceOf({ ...whole, renewed }))
  expect(ids.filter((id) => !report.includes(id))).toEqual([])
})

describe('the JUnit report', () => {
  const { proven, revoked, used, ...verifiedOnly } = whole
  test.each<[string, Partial<Evidence>, string[]]>([
    ['a run without errors', whole, ['passed', 'passed', 'passed', 'passed', 'passed']],
    ['a token that is not proven dead', { ...whole, proven: null }, ['passed', 'passed', 'passed', 'passed', 'skipped']],
    [
      'a token that is not revoked',
      { ...verifiedOnly, used: used ?? null, error: 'NOT_REVOKED' },
      ['passed', 'passed', 'passed', 'failed', 'skipped'],
    ],
    [
      'a token that is not revoked after a scan that took too long',
      {
        ...verifiedOnly,
        used: { started_at: '2026-01-01T00:00:00Z', ended_at: null, exit_code: 143, signal: null, accepted: false },
        error: 'NOT_REVOKED',
        earlier_error: 'TIMEOUT',
      },
      ['passed', 'passed', 'failed', 'failed', 'skipped'],
    ],
    ['a scan whose end main did not check', { ...whole, recovered: true }, ['passed', 'passed', 'failed', 'passed', 'passed']],
    ['a scan that tampered', { ...whole, error: 'TAMPERED' }, ['passed', 'passed', 'failed', 'passed', 'passed']],
    ['a defect after the scan', { ...whole, error: 'INTERNAL' }, ['passed', 'passed', 'failed', 'passed', 'passed']],
    ['a request that was refused', { finished: true, error: 'REFUSED' }, ['failed', 'skipped', 'skipped', 'skipped', 'skipped']],
    [
      'the wrong token',
      { ...verifiedOnly, verified: null, revoked: revoked ?? null, error: 'RIGHTS' },
      ['passed', 'failed', 'skipped', 'passed', 'skipped'],
    ],
    [
      'a scan that was killed',
      { ...whole, used: { started_at: '2026-01-01T00:00:00Z', ended_at: null, exit_code: 137, signal: 'SIGKILL', accepted: false } },
      ['passed', 'passed', 'failed', 'passed', 'passed'],
    ],
    [
      'a scan that took too long',
      {
        ...whole,
        used: { started_at: '2026-01-01T00:00:00Z', ended_at: null, exit_code: 143, signal: null, accepted: false },
        error: 'TIMEOUT',
      },
      ['passed', 'passed', 'failed', 'passed', 'passed'],
    ],
  ])('shows the outcome of each check: %s', (_name, evidence, expected) => {
    expect(outcomes(evidenceOf(evidence))).toEqual(expected)
    expect(proven).toBeDefined()
  })

  test('has the number of failed and skipped checks', () => {
    expect(junit(evidenceOf({ finished: true, error: 'REFUSED' }))).toContain(
      '<testsuite name="kubepass" tests="5" failures="1" skipped="4">',
    )
  })

  test('has the reason of the failed check', () => {
    expect(junit(evidenceOf({ finished: true, error: 'REFUSED', error_reason: 'The API server refused: 403.' }))).toContain(
      '<failure message="The run ended with REFUSED: The API server refused: 403.">',
    )
  })

  test('writes a quotation in the reason as the log does', () => {
    const error_reason = String.raw`The API server refused: "\"x\" 403".`
    expect(junit(evidenceOf({ finished: true, error: 'REFUSED', error_reason }))).toContain(
      '<system-out>The run ended with REFUSED: The API server refused: &quot;&apos;x&apos; 403&quot;.</system-out>',
    )
  })

  test('quotes foreign text', () => {
    const verified = { username: '"]]><evil a=\'&\x00\x1b[31m\n', at: '2026-01-01T00:00:00Z' }
    const text = junit(evidenceOf({ ...whole, verified }))
    expect(text).not.toContain('<evil')
    // XML forbids control characters.
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
  })
})

test('the annotation has the credential id, and a link', () => {
  const { kubepass } = JSON.parse(annotations(evidenceOf(whole), env)) as { kubepass: { external_link: { label: string; url: string } }[] }
  expect(kubepass).toEqual([
    {
      external_link: {
        label: expect.stringMatching(
          /^JTI=abc of kubepass\/scanner: Scan failed \(exit code 3\)\. The credential lived 1 min 0 s, was revoked, and is refused/,
        ) as unknown,
        url: `${env.CI_PIPELINE_URL}/test_report`,
      },
    },
  ])
})

test.each<[string, Partial<Evidence>, string]>([
  ['without an id, as before Kubernetes 1.30', { ...whole, granted: { ...granted, credential_id: null } }, 'a credential'],
  ['that was never issued', { finished: true, error: 'REFUSED' }, 'no credential'],
])('the annotation describes a credential %s', (_name, evidence, subject) => {
  const { kubepass } = JSON.parse(annotations(evidenceOf(evidence), env)) as { kubepass: { external_link: { label: string } }[] }
  expect(kubepass[0]?.external_link.label).toMatch(new RegExp(`^${subject} of kubepass/scanner: `))
})

test('the annotations are empty without a pipeline URL', () => {
  expect(JSON.parse(annotations(evidenceOf(whole), {}))).toEqual({ kubepass: [] })
})
