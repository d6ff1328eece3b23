import { KubepassError } from '../base/errors.ts'
import { githubPlatform } from './github.ts'
import { gitlabPlatform } from './gitlab.ts'
import type { Platform } from './platform.ts'
import { terminalPlatform, type Subcommand } from './terminal.ts'

/**
 * @param words the arguments after the subcommand. GitLab's template passes `gitlab` first, because a pipeline's
 *   variables can override every variable of the runner, GITLAB_CI included
 * @param subcommand undefined in a CI job
 */
export function detect(
  env: NodeJS.ProcessEnv,
  words: readonly string[],
  subcommand: Subcommand | undefined,
  redact: (text: string) => string,
): Platform {
  if (subcommand !== undefined) return terminalPlatform(subcommand, words, env, redact)
  const isTemplate = words[0] === 'gitlab'
  const [onGithub, onGitlab] = [env['GITHUB_ACTIONS'] === 'true', isTemplate || env['GITLAB_CI'] === 'true']
  if (onGithub && onGitlab) {
    throw new KubepassError(
      'INPUT',
      "GITHUB_ACTIONS is true in a GitLab job: GitHub's command that masks a secret would show the secret in GitLab's log.",
      {
        hint: 'Unset GITHUB_ACTIONS, or GITLAB_CI if this is a GitHub job.',
      },
    )
  }
  if (onGithub) return githubPlatform(env, redact)
  if (onGitlab) return gitlabPlatform(isTemplate ? words.slice(1) : words, env, redact)
  throw new KubepassError('INPUT', 'This command is for a CI runner, but neither GITHUB_ACTIONS nor GITLAB_CI is true.', {
    hint: 'In a terminal use: kubepass run -- COMMAND',
  })
}
