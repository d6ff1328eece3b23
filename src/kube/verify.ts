import type { V1SelfSubjectReview } from '@kubernetes/client-node'
import { KubepassError } from '../errors.ts'
import type { Secret } from '../secret.ts'
import { statusOf, type KubeClient } from './client.ts'

/** What the API server makes of a token. */
export type Standing =
  | { is: 'accepted'; username: string | undefined }
  /** A Kubernetes Status 401 Unauthorized; a gateway's 401 is not one. */
  | { is: 'refused' }
  | { is: 'unclear'; status: number }

/** Asks the API server, with the token, who its bearer is. */
export async function whoami(client: KubeClient, token: Secret, signal: AbortSignal, anew = false): Promise<Standing> {
  const body: V1SelfSubjectReview = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }
  const answer = await client.call(
    { method: 'POST', path: '/apis/authentication.k8s.io/v1/selfsubjectreviews', auth: { bearer: token }, body, anew },
    signal,
  )
  const status = statusOf(answer)
  if (answer.status === 201) {
    const username = (answer.body as Partial<V1SelfSubjectReview> | undefined)?.status?.userInfo?.username
    return typeof username === 'string' ? { is: 'accepted', username } : { is: 'unclear', status: 201 }
  }
  if (answer.status === 401 && status?.reason === 'Unauthorized') return { is: 'refused' }
  // Who is forbidden to ask has been recognised.
  if (answer.status === 403 && status?.reason === 'Forbidden' && !status.message?.includes('User "system:anonymous"'))
    return { is: 'accepted', username: undefined }
  if (answer.status === 404) {
    throw new KubepassError('REFUSED', 'The API server knows no SelfSubjectReview.', { hint: 'kubepass needs Kubernetes 1.28 or later.' })
  }
  return { is: 'unclear', status: answer.status }
}
