import { expect, test } from '@jest/globals'
import { KubepassError } from '../../src/base/errors.ts'
import { detect } from '../../src/platform/detect.ts'
import { terminalPlatform } from '../../src/platform/terminal.ts'

const platformOf = (env: NodeJS.ProcessEnv, words: string[] = []): string => detect(env, words, (text) => text).job.platform

function problem(env: NodeJS.ProcessEnv, words?: string[]): string {
  try {
    return `accepted as ${platformOf(env, words)}`
  } catch (error) {
    return error instanceof KubepassError ? `${error.code}: ${error.message}` : String(error)
  }
}

test('detect() takes the platform from the variables of the runner, or from the word gitlab', () => {
  expect(platformOf({ GITHUB_ACTIONS: 'true' })).toBe('github')
  expect(platformOf({ GITLAB_CI: 'true' })).toBe('gitlab')
  expect(platformOf({ GITLAB_CI: 'false' }, ['gitlab'])).toBe('gitlab')
})

const GITHUB = {
  GITHUB_ACTIONS: 'true',
  GITHUB_ACTOR: 'octocat',
  GITHUB_SHA: '6dcb',
  GITHUB_REF: 'refs/heads/main',
  GITHUB_EVENT_NAME: 'push',
}
const GITLAB = {
  GITLAB_CI: 'true',
  GITLAB_USER_LOGIN: 'alice',
  CI_COMMIT_SHA: '714a',
  CI_COMMIT_REF_NAME: 'main',
  CI_PIPELINE_SOURCE: 'push',
}
const nothing = { actor: '', commit: '', ref: '', event: '' }
test.each<[string, NodeJS.ProcessEnv, object]>([
  ['a GitHub job', GITHUB, { actor: 'octocat', commit: '6dcb', ref: 'refs/heads/main', event: 'push' }],
  ['an attempt that another person started', { ...GITHUB, GITHUB_TRIGGERING_ACTOR: 'hubot' }, { actor: 'hubot' }],
  ['an attempt with an empty name', { ...GITHUB, GITHUB_TRIGGERING_ACTOR: '' }, { actor: 'octocat' }],
  ['a GitHub job without these variables', { GITHUB_ACTIONS: 'true' }, nothing],
  [
    'a GitLab job on a branch',
    { ...GITLAB, CI_COMMIT_BRANCH: 'main' },
    { actor: 'alice', commit: '714a', ref: 'refs/heads/main', event: 'push' },
  ],
  ['a GitLab job on a tag', { ...GITLAB, CI_COMMIT_TAG: 'v1' }, { ref: 'refs/tags/v1' }],
  [
    'a GitLab job of a merge request',
    { ...GITLAB, CI_MERGE_REQUEST_REF_PATH: 'refs/merge-requests/1/head', CI_PIPELINE_SOURCE: 'merge_request_event' },
    { ref: 'refs/merge-requests/1/head', event: 'merge_request_event' },
  ],
  ['a GitLab job that has only the short name of its ref', GITLAB, { ref: '' }],
  ['a GitLab job without these variables', { GITLAB_CI: 'true' }, nothing],
])('detect() takes what started %s from its variables', (_what, env, expected) => {
  expect(detect(env, [], (text) => text).job).toMatchObject(expected)
})

test('a terminal says nothing of what started it, and detect() bounds the variables of a job', () => {
  const line = { ids: [], values: new Map(), extraFlags: {}, operands: [], argv: [] }
  expect(terminalPlatform(line, GITHUB, (text) => text).job).toMatchObject(nothing)
  const { ref } = detect({ ...GITHUB, GITHUB_REF: 'x'.repeat(100_000) }, [], (text) => text).job
  expect(ref).toBe('x'.repeat(500))
})

test('a job that claims to run on GitHub and GitLab is an error', () => {
  expect(problem({ GITHUB_ACTIONS: 'true', GITLAB_CI: 'true' })).toMatch(/^INPUT: GITHUB_ACTIONS is true in a GitLab job/)
  expect(problem({ GITHUB_ACTIONS: 'true', GITLAB_CI: 'false' }, ['gitlab'])).toMatch(/^INPUT: GITHUB_ACTIONS is true in a GitLab job/)
})

test('a CI command outside GitHub and GitLab is an error', () => {
  expect(problem({})).toMatch(/^INPUT: This command is for a CI runner/)
})

test('on GitLab guarded inputs such as server come from flags only, and the other inputs from variables only', () => {
  const env = { GITLAB_CI: 'true', KUBEPASS_SERVER: 'https://evil.example.com', KUBEPASS_DURATION: '20m' }
  const platform = detect(env, ['--server', 'https://good.example.com'], (text) => text)
  expect(platform.input('server')).toBe('https://good.example.com')
  expect(platform.input('audience')).toBeUndefined()
  expect(platform.input('duration')).toBe('20m')
  expect(problem(env, ['--duration', '20m'])).toMatch(/^INPUT: /)
  expect(problem(env, ['stray'])).toBe('INPUT: "stray" is no flag.')
})

test("on GitLab the run key depends only on the job's id and the server's URL", () => {
  const keyOf = (env: NodeJS.ProcessEnv): string | undefined => detect({ GITLAB_CI: 'true', ...env }, [], (text) => text).runKey
  const key = keyOf({ CI_JOB_ID: '7', CI_SERVER_URL: 'https://gitlab.com' })
  expect(key).toMatch(/^[0-9a-f]{16}$/)
  expect(keyOf({ CI_JOB_ID: '7', CI_SERVER_URL: 'https://gitlab.com', CI_JOB_NAME: 'x' })).toBe(key)
  expect(keyOf({ CI_JOB_ID: '8', CI_SERVER_URL: 'https://gitlab.com' })).not.toBe(key)
  expect(keyOf({ CI_JOB_ID: '7', CI_SERVER_URL: 'https://gitlab.example.com' })).not.toBe(key)
})
