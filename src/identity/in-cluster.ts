import { existsSync, realpathSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { KubepassError } from '../errors.ts'
import type { Seal } from '../secret.ts'
import { parseCertificate, readSmallFile, sealToken, Wrong } from '../values.ts'
import type { Identity } from './identity.ts'

// Fixed by the API: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount'
const TOKEN = `${FOLDER}/token`

export function isInPod(env: NodeJS.ProcessEnv): boolean {
  return serverOf(env) !== undefined && existsSync(TOKEN)
}

/** The real path of the folder with the Pod's own token; undefined outside of a Pod. */
export function podTokenFolder(): string | undefined {
  return existsSync(TOKEN) ? realpathSync(FOLDER) : undefined
}

/** The URL of the Pod's own API server; undefined outside of a Pod. */
export function serverOf(env: NodeJS.ProcessEnv): string | undefined {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '' } = env
  if (!/^[\w.:-]+$/.test(host) || !/^\d+$/.test(port)) return undefined
  return URL.parse(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`)?.origin
}

/**
 * The Pod that we run in. Where its API server is stands in variables, which an earlier step can set; by what
 * it is known, in the Pod's own files.
 */
export function inClusterIdentity(env: NodeJS.ProcessEnv, seal: Seal): Identity {
  const server = serverOf(env)
  if (server === undefined) throw notInPod('KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT name no server')
  const certificateAuthority = checked('its ca.crt', () => parseCertificate(readSmallFile(`${FOLDER}/ca.crt`)))
  return {
    kind: 'in-cluster',
    cluster: { server, certificateAuthority, proxyUrl: undefined, tlsServerName: undefined },
    // The kubelet replaces the file long before the token in it expires.
    authInfo: () => Promise.try(() => ({ bearer: checked('its token', () => sealToken(readSmallFile(TOKEN), seal)) })),
  }
}

function checked<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof Wrong ? notInPod(`${what} ${error.message}`) : error
  }
}

function notInPod(why: string): KubepassError {
  return new KubepassError('INPUT', `The identity is in-cluster, but no Pod with a ServiceAccount's token is around us: ${why}.`, {
    hint: 'Run the job in a Pod of the cluster, such as an ARC runner, with automountServiceAccountToken: true, or choose another identity.',
  })
}
