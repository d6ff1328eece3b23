/** The label that puts a namespace under the admission policies of deploy/base. */
export const GUARD = 'kubepass.dev/guarded=true'

/** The commands that create the namespace with its label, one a line. */
export function commandsForNamespace(namespace: string): string {
  return `  kubectl create namespace ${namespace}\n  kubectl label namespace ${namespace} ${GUARD}`
}
