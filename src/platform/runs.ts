import { KubepassError } from '../base/errors.ts'
import { Wrong } from '../config/invalid-value.ts'
import { sealToken } from '../config/seal-credentials.ts'
import { readSmallFile } from '../config/small-file.ts'
import type { Seal, Secret } from '../redact/secret.ts'
import type { Run } from '../state/job.ts'

/** Where a platform tells whether a run of it is over. */
export interface RunsApi {
  /** How people call the platform. */
  readonly name: string
  /** Its URL, as its runs know it: of another's runs it can tell nothing. */
  readonly instance: string
  /** What must be given before it can be asked; undefined when all is there. */
  readonly needs: string | undefined
  /** @throws the reason why it cannot tell */
  isOver(run: Run, signal: AbortSignal): Promise<boolean>
}

/** For each platform that can be asked. Tokens are read now, the network is not used yet. */
export function runsApis(
  env: NodeJS.ProcessEnv,
  flags: Readonly<Record<string, string | boolean | undefined>>,
  seal: Seal,
): ReadonlyMap<Run['platform'], RunsApi> {
  const given = (flag: string): Secret | undefined => {
    const path = flags[flag]
    return typeof path === 'string' ? checked(`--${flag}`, () => sealToken(readSmallFile(path), seal)) : undefined
  }
  const variable = (name: string): Secret | undefined => {
    const value = env[name]?.trim()
    return value ? checked(name, () => sealToken(value, seal)) : undefined
  }

  const github = given('github-token-file') ?? variable('GITHUB_TOKEN')
  const gitlab = given('gitlab-token-file') ?? variable('GITLAB_TOKEN')
  const gitlabJob = gitlab === undefined ? variable('CI_JOB_TOKEN') : undefined
  return new Map<Run['platform'], RunsApi>([
    [
      'github',
      {
        name: 'GitHub',
        instance: env['GITHUB_SERVER_URL'] ?? 'https://github.com',
        needs: github === undefined ? 'GITHUB_TOKEN, or --github-token-file' : undefined,
        // Most have no use for it, and it takes long to load.
        isOver: async (run, signal) => (await import('./github-runs.ts')).isOverOnGithub(run, needed(github), env, signal),
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
          return (await import('./gitlab-runs.ts')).isOverOnGitlab(run, auth, env, signal)
        },
      },
    ],
  ])
}

function checked(name: string, read: () => Secret): Secret {
  try {
    return read()
  } catch (error) {
    throw error instanceof Wrong ? new KubepassError('INPUT', `${name} ${error.message}.`) : error
  }
}

function needed(token: Secret | undefined): Secret {
  if (token === undefined) throw new KubepassError('INPUT', 'There is no token for the API.')
  return token
}
