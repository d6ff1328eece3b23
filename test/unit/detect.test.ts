import { expect, test } from '@jest/globals'
import { KubepassError } from '../../src/base/errors.ts'
import { detect } from '../../src/platform/detect.ts'

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
