import { KubepassError } from '../base/errors.ts'
import { githubPlatform } from './github.ts'
import { gitlabPlatform } from './gitlab.ts'
import type { Platform } from './platform.ts'

/**
 * The CI platform of this job.
 * @param words the arguments after the command. GitLab's template passes `gitlab` first, because a pipeline's
 *   variables can override every variable of the runner, GITLAB_CI included
 * @throws INPUT
 */
export function detect(env: NodeJS.ProcessEnv, words: readonly string[], redact: (text: string) => string): Platform {
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
