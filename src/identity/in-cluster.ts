import { KubepassError } from '../base/errors.ts'
import { parseCertificate } from '../config/certificates.ts'
import { explainInvalid } from '../config/invalid-value.ts'
import { sealToken } from '../config/seal-credentials.ts'
import { readSmallFile } from '../config/small-file.ts'
import type { Seal } from '../redact/sealed-string.ts'
import { FOLDER, serverOf, TOKEN } from '../system/pod.ts'
import type { Identity } from './identity.ts'

/**
 * The ServiceAccount of the Pod in which kubepass runs. The API server's address comes from variables, which an earlier step can
 * set. The CA certificate comes from the Pod's own files.
 */
export function inClusterIdentity(env: NodeJS.ProcessEnv, seal: Seal): Identity {
  const server = serverOf(env)
  if (server === undefined) throw notInPod('KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT name no server')
  const certificateAuthority = checked('its ca.crt', () => parseCertificate(readSmallFile(`${FOLDER}/ca.crt`)))
  return {
    kind: 'in-cluster',
    cluster: { server, certificateAuthority, proxyUrl: undefined, tlsServerName: undefined },
    // Read for each use, because the kubelet replaces the file long before the token expires.
    authInfo: () => Promise.try(() => ({ bearer: checked('its token', () => sealToken(readSmallFile(TOKEN), seal)) })),
  }
}

function checked<T>(field: string, read: () => T): T {
  return explainInvalid(read, (fault) => notInPod(`${field} ${fault}`))
}

function notInPod(why: string): KubepassError {
  return new KubepassError('INPUT', `The identity is in-cluster, but kubepass does not run in a Pod with a ServiceAccount token: ${why}.`, {
    hint: 'Run the job in a Pod of the cluster, such as an ARC runner, with automountServiceAccountToken: true, or choose another identity.',
  })
}
