import { existsSync, realpathSync } from 'node:fs'
import { isIPv6 } from 'node:net'

// Fixed by the API: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/
export const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount'
export const TOKEN = `${FOLDER}/token`

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
