import { KubepassError } from '../base/errors.ts'
import { explainInvalid } from '../config/invalid-value.ts'
import { sealToken } from '../config/seal-credentials.ts'
import { readSmallFile } from '../config/small-file.ts'
import type { Seal, SealedString } from '../redact/sealed-string.ts'
import type { JobInfo } from '../state/job-info.ts'

/** The API of a CI platform that tells `sweep` whether a run is over. */
export interface CiApi {
  /** The platform's name in messages. */
  readonly name: string
  /** The platform's URL, as its runs record it. The API knows nothing of another instance's runs. */
  readonly instance: string
  /** The variables and flags of which the API needs one; undefined when it has a token. */
  readonly needs: string | undefined
  /** @throws KubepassError with the reason why the API does not tell */
  isOver(run: JobInfo, signal: AbortSignal): Promise<boolean>
}

/** One CiApi for each platform that has such an API. Reads the API tokens now, sends no request yet. */
export function ciApis(
  env: NodeJS.ProcessEnv,
  flags: Readonly<Record<string, string | boolean | undefined>>,
  seal: Seal,
): ReadonlyMap<JobInfo['platform'], CiApi> {
  const given = (flag: string): SealedString | undefined => {
    const path = flags[flag]
    return typeof path === 'string' ? checked(`--${flag}`, () => sealToken(readSmallFile(path), seal)) : undefined
  }
  const variable = (name: string): SealedString | undefined => {
    const value = env[name]?.trim()
    return value ? checked(name, () => sealToken(value, seal)) : undefined
  }

  const github = given('github-token-file') ?? variable('GITHUB_TOKEN')
  const gitlab = given('gitlab-token-file') ?? variable('GITLAB_TOKEN')
  const gitlabJob = gitlab === undefined ? variable('CI_JOB_TOKEN') : undefined
  return new Map<JobInfo['platform'], CiApi>([
    [
      'github',
      {
        name: 'GitHub',
        instance: env['GITHUB_SERVER_URL'] ?? 'https://github.com',
        needs: github === undefined ? 'GITHUB_TOKEN, or --github-token-file' : undefined,
        // Imported only when called: most sweeps do not need @actions/github, which is slow to load.
        isOver: async (run, signal) => (await import('./github-run-status.ts')).isOverOnGithub(run, needed(github), env, signal),
      },
    ],
    [
      'gitlab',
      {
        name: 'GitLab',
        instance: env['CI_SERVER_URL'] ?? 'https://gitlab.com',
        needs: (gitlab ?? gitlabJob) === undefined ? 'GITLAB_TOKEN, CI_JOB_TOKEN, or --gitlab-token-file' : undefined,
        isOver: async (run, signal) => {
          const auth = gitlabJob === undefined ? { personal: needed(gitlab) } : { job: gitlabJob }
          return (await import('./gitlab-job-status.ts')).isOverOnGitlab(run, auth, env, signal)
        },
      },
    ],
  ])
}

function checked(name: string, read: () => SealedString): SealedString {
  return explainInvalid(read, (fault) => new KubepassError('INPUT', `${name} ${fault}.`))
}

function needed(token: SealedString | undefined): SealedString {
  if (token === undefined) throw new KubepassError('INPUT', 'There is no token for the API.')
  return token
}
