import { KubepassError } from '../errors.ts'
import { githubPlatform } from './github.ts'
import { gitlabPlatform } from './gitlab.ts'
import type { Platform } from './platform.ts'
import { terminalPlatform, type Wish } from './terminal.ts'

/** @param wish given by a person at the command line; a CI job wishes for nothing, it has a script */
export function detect(
  env: NodeJS.ProcessEnv,
  words: readonly string[],
  wish: Wish | undefined,
  redact: (text: string) => string,
): Platform {
  if (wish !== undefined) return terminalPlatform(wish, words, env, redact)
  const [onGithub, onGitlab] = [env['GITHUB_ACTIONS'] === 'true', env['GITLAB_CI'] === 'true']
  if (onGithub && onGitlab) {
    throw new KubepassError(
      'INPUT',
      'GITHUB_ACTIONS and GITLAB_CI are both true: it cannot be told whose log this is, and what masks a secret in it.',
      {
        hint: 'Unset the one that does not run this job.',
      },
    )
  }
  if (onGithub) return githubPlatform(env, redact)
  if (onGitlab) return gitlabPlatform(words, env, redact)
  throw new KubepassError('INPUT', 'This program is started by a CI runner, and none is here.', {
    hint: 'In a terminal use: kubepass run -- COMMAND',
  })
}
