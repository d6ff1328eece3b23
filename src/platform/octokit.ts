import { getOctokit } from '@actions/github'
import { KubepassError } from '../base/errors.ts'
import type { SealedString } from '../redact/sealed-string.ts'

/**
 * The client for the API of GitHub.
 * @throws INPUT where NODE_TLS_REJECT_UNAUTHORIZED is 0, which an earlier step can set: Octokit would accept every certificate
 */
export function octokitFor(token: SealedString, env: NodeJS.ProcessEnv): ReturnType<typeof getOctokit> {
  if (env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0')
    throw new KubepassError('INPUT', 'NODE_TLS_REJECT_UNAUTHORIZED is 0, so any server could pose as GitHub')
  return getOctokit(token.reveal())
}
