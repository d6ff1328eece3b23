import { KubepassError } from '../base/errors.ts'
import { githubPlatform } from './github.ts'
import { gitlabPlatform } from './gitlab.ts'
import type { Platform } from './platform.ts'
import { terminalPlatform, type Subcommand } from './terminal.ts'

/**
 * @param words of a person; of GitLab's template, which says first where we are: there, every variable can be
 *   overruled from outside, those of the runner too
 * @param subcommand of a person; a CI job has none, it has a script
 */
export function detect(
  env: NodeJS.ProcessEnv,
  words: readonly string[],
  subcommand: Subcommand | undefined,
  redact: (text: string) => string,
): Platform {
  if (subcommand !== undefined) return terminalPlatform(subcommand, words, env, redact)
  const told = words[0] === 'gitlab'
  const [onGithub, onGitlab] = [env['GITHUB_ACTIONS'] === 'true', told || env['GITLAB_CI'] === 'true']
  if (onGithub && onGitlab) {
    throw new KubepassError(
      'INPUT',
      'GITHUB_ACTIONS is true in a GitLab job: what masks a secret in the log of one shows it in that of the other.',
      {
        hint: 'Unset GITHUB_ACTIONS, or GITLAB_CI if this is a GitHub job.',
      },
    )
  }
  if (onGithub) return githubPlatform(env, redact)
  if (onGitlab) return gitlabPlatform(told ? words.slice(1) : words, env, redact)
  throw new KubepassError('INPUT', 'This program is started by a CI runner, and none is here.', {
    hint: 'In a terminal use: kubepass run -- COMMAND',
  })
}
