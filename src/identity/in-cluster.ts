import { KubepassError } from '../base/errors.ts'
import { parseCertificate } from '../config/certificates.ts'
import { InvalidValue } from '../config/invalid-value.ts'
import { sealToken } from '../config/seal-credentials.ts'
import { readSmallFile } from '../config/small-file.ts'
import type { Seal } from '../redact/sealed-string.ts'
import { FOLDER, serverOf, TOKEN } from '../system/pod.ts'
import type { Identity } from './identity.ts'

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
    throw error instanceof InvalidValue ? notInPod(`${what} ${error.message}`) : error
  }
}

function notInPod(why: string): KubepassError {
  return new KubepassError('INPUT', `The identity is in-cluster, but no Pod with a ServiceAccount's token is around us: ${why}.`, {
    hint: 'Run the job in a Pod of the cluster, such as an ARC runner, with automountServiceAccountToken: true, or choose another identity.',
  })
}
