import type { V1Status } from '@kubernetes/client-node'
import { quote } from '../base/quote.ts'

const FULL = 'exceeded quota: '
const UNCOUNTED = 'status unknown for quota: '

/**
 * The hint for a refusal by a ResourceQuota; undefined for another refusal.
 * https://github.com/kubernetes/kubernetes/blob/v1.36.0/staging/src/k8s.io/apiserver/pkg/admission/plugin/resourcequota/controller.go
 */
export function quotaHint({ message = '' }: V1Status, namespace: string, server: string): string | undefined {
  if (message.includes(UNCOUNTED))
    return `The cluster has not counted the Secrets of namespace ${quote(namespace)} yet. Run the job again. Is the resourcequota controller running?`
  if (!message.includes(FULL)) return undefined
  return (
    `The quota of namespace ${quote(namespace)} is used up. Delete the Secrets that ended runs have left there, with the rights of deploy/sweeper:\n` +
    `kubectl create token sweeper --namespace kubepass-issuer | npx kubepass sweep --server ${server} --certificate-authority ca.crt ` +
    `--service-account ${namespace}/scanner --token-file -\n` +
    'If so many jobs run at the same time, raise count/secrets in deploy/base/quota.yaml.'
  )
}

export function isRefusedByQuota({ code, message = '' }: V1Status): boolean {
  return code === 403 && (message.includes(FULL) || message.includes(UNCOUNTED))
}

/** Another API server, or the controller, changed the quota's count at the same moment. The next attempt can succeed. */
export function isCountedElsewhere({ code, reason, details }: V1Status): boolean {
  return code === 409 && reason === 'Conflict' && details?.kind === 'resourcequotas'
}
