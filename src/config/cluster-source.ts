import { isInPod } from '../system/pod.ts'
import { type InputId, inputs } from './inputs.ts'

/** The identities that also know the API server. */
export type ClusterSource = 'kubeconfig' | 'in-cluster'

/** The value of `certificate_authority` that means the public CAs of the system. */
export const SYSTEM = 'system'

/** The inputs that say how to reach the API server. */
export const CLUSTER_INPUTS: readonly InputId[] = ['server', 'certificate_authority', 'proxy_url', 'tls_server_name']
/** The inputs that give the token of the identity. */
export const TOKEN_INPUTS: readonly InputId[] = ['token', 'token_file']

/** The inputs that each identity makes superfluous. */
const PROVIDED: Readonly<Record<ClusterSource, readonly InputId[]>> = {
  kubeconfig: CLUSTER_INPUTS,
  'in-cluster': [...CLUSTER_INPUTS, ...TOKEN_INPUTS],
}

/** All inputs that some identity provides. */
export const providedInputs = PROVIDED['in-cluster']

/**
 * The identity that provides the API server; undefined if the inputs name the server.
 * @param textOf the text of an input, empty if it is not given
 * @param env shows whether kubepass runs in a Pod
 */
export function clusterSourceOf(textOf: (id: InputId) => string, env: NodeJS.ProcessEnv): ClusterSource | undefined {
  if (textOf('kubeconfig') !== '') return 'kubeconfig'
  const identity = textOf('identity') || inputs.identity.default
  const isAlone = PROVIDED['in-cluster'].every((id) => textOf(id) === '')
  const isInCluster = identity === 'in-cluster' || (identity === 'auto' && isAlone && isInPod(env))
  return isInCluster ? 'in-cluster' : undefined
}

/**
 * Whether an input is given although the identity provides its value.
 * @param text the text of the input, empty if it is not given
 */
export function isSuperfluous(id: InputId, text: string, source: ClusterSource | undefined): boolean {
  if (source === undefined || text === '' || !PROVIDED[source].includes(id)) return false
  // `system` is the only CA that may be given with a kubeconfig; that kubeconfig must then have no CA.
  return source === 'in-cluster' || id !== 'certificate_authority' || text !== SYSTEM
}
