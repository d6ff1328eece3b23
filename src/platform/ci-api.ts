import { KubepassError } from '../base/errors.ts'
import { InvalidValue } from '../config/invalid-value.ts'
import { sealToken } from '../config/seal-credentials.ts'
import { readSmallFile } from '../config/small-file.ts'
import type { Seal, SealedString } from '../redact/sealed-string.ts'
import type { JobInfo } from '../state/job-info.ts'

/** Where a platform tells whether a run of it is over. */
export interface CiApi {
  /** How people call the platform. */
  readonly name: string
  /** Its URL, as its runs know it: of another's runs it can tell nothing. */
  readonly instance: string
  /** What must be given before it can be asked; undefined when all is there. */
  readonly needs: string | undefined
  /** @throws the reason why it cannot tell */
  isOver(run: JobInfo, signal: AbortSignal): Promise<boolean>
}

/** For each platform that can be asked. Tokens are read now, the network is not used yet. */
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
        // Most have no use for it, and it takes long to load.
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
  try {
    return read()
  } catch (error) {
    throw error instanceof InvalidValue ? new KubepassError('INPUT', `${name} ${error.message}.`) : error
  }
}

function needed(token: SealedString | undefined): SealedString {
  if (token === undefined) throw new KubepassError('INPUT', 'There is no token for the API.')
  return token
}
