import { expect, test } from '@jest/globals'
import { timeoutWarnings } from '../../src/platform/gitlab-timeouts.ts'

const NOW = Date.parse('2026-01-01T00:10:00Z')
/** The template's limits. */
const usual = {
  CI_JOB_TIMEOUT: '1800',
  CI_JOB_STARTED_AT: '2026-01-01T00:09:30Z',
  RUNNER_SCRIPT_TIMEOUT: '25m',
  RUNNER_AFTER_SCRIPT_TIMEOUT: '2m',
}
const warningsFor = (env: NodeJS.ProcessEnv, maxScan?: number): string[] => timeoutWarnings({ ...usual, ...env }, maxScan, NOW)

test.each<[string, NodeJS.ProcessEnv]>([
  ["the template's own limits", {}],
  ['a job that had to wait three minutes less two seconds for its image', { CI_JOB_STARTED_AT: '2026-01-01T00:07:02Z' }],
  ['a runner whose clock is behind', { CI_JOB_STARTED_AT: '2026-01-01T05:00:00Z' }],
  ['a runner whose clock is far ahead', { CI_JOB_STARTED_AT: '2025-01-01T00:00:00Z' }],
  ['a GitLab that does not set CI_JOB_STARTED_AT', { CI_JOB_STARTED_AT: undefined }],
  ['a GitLab that does not set CI_JOB_TIMEOUT', { CI_JOB_TIMEOUT: undefined }],
  ['a script without a limit', { RUNNER_SCRIPT_TIMEOUT: undefined }],
  ['a script_timeout that the runner does not accept', { RUNNER_SCRIPT_TIMEOUT: 'tomorrow' }],
  ['limits that fit to the second', { CI_JOB_TIMEOUT: '1650' }],
])('there is no warning about time limits for %s', (_name, env) => {
  expect(warningsFor(env)).toEqual([])
  expect(warningsFor(env, 1500)).toEqual([])
})

test.each<[string, NodeJS.ProcessEnv, RegExp]>([
  [
    'a job timeout shorter than the sum of both',
    { CI_JOB_TIMEOUT: '1500' },
    /^script_timeout \(1500 s\) and after_script_timeout \(120 s\) .* timeout \(1500 s, 30 s of which/,
  ],
  ['a job timeout one second too short', { CI_JOB_TIMEOUT: '1649' }, /do not fit into timeout \(1649 s/],
  ['a long wait for the image', { CI_JOB_STARTED_AT: '2026-01-01T00:05:00Z' }, /timeout \(1800 s, 300 s of which have passed\)/],
  ["the runner's own five minutes for an after_script", { RUNNER_AFTER_SCRIPT_TIMEOUT: undefined }, /after_script_timeout \(300 s\)/],
  ['hours, minutes and seconds', { RUNNER_SCRIPT_TIMEOUT: '1h1m1.5s' }, /^script_timeout \(3661.5 s\)/],
])('a warning says that after_script may not run: %s', (_name, env, expected) => {
  expect(warningsFor(env)).toEqual([expect.stringMatching(expected)])
})

test("a warning says that max_scan is longer than the rest of the job's timeout", () => {
  expect(warningsFor({ RUNNER_SCRIPT_TIMEOUT: undefined }, 1771)).toEqual([
    expect.stringMatching(/^max_scan \(1771 s\) is longer than timeout \(1800 s\)/),
  ])
  expect(warningsFor({ RUNNER_SCRIPT_TIMEOUT: undefined, CI_JOB_TIMEOUT: undefined }, 9_999)).toEqual([])
})

test('a warning says that max_scan is longer than script_timeout', () => {
  expect(warningsFor({}, 1501)).toEqual([expect.stringMatching(/^max_scan \(1501 s\) is longer than script_timeout \(1500 s\)/)])
})
