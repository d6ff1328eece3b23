import type { VersionInfo } from '@kubernetes/client-node'
import type { AuthInfo } from '../identity/identity.ts'
import { isGitVersion } from '../state/run-state.ts'
import type { KubeClient } from './client.ts'

/**
 * Asks once for the version of the API server.
 * @returns undefined when there is no usable answer: only the evidence needs it
 */
export async function serverVersion(client: KubeClient, auth: AuthInfo, signal: AbortSignal): Promise<string | undefined> {
  const answer = await client.callOnce({ method: 'GET', path: '/version', auth }, signal).catch(() => undefined)
  const version: unknown = answer?.status === 200 ? (answer.body as Partial<VersionInfo> | undefined)?.gitVersion : undefined
  return isGitVersion(version) ? version : undefined
}
