import type { V1SelfSubjectReview } from '@kubernetes/client-node'
import { KubepassError } from '../base/errors.ts'
import type { SealedString } from '../redact/sealed-string.ts'
import { type ApiResponse, statusOf } from './answer.ts'
import type { KubeClient } from './client.ts'
import { refusalOf } from './refusal.ts'

/** Whether the API server accepts a token, and for which user. */
export type ReviewResult =
  | { is: 'accepted'; username: string | undefined }
  /** A Kubernetes Status 401 Unauthorized; a gateway's 401 is not one. */
  | { is: 'refused' }
  | { is: 'unclear'; status: number }

/** Sends a SelfSubjectReview with the token. */
export async function whoami(client: KubeClient, token: SealedString, signal: AbortSignal, newConnection = false): Promise<ReviewResult> {
  const body: V1SelfSubjectReview = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }
  const auth = { bearer: token }
  const answer = await client.call(
    { method: 'POST', path: '/apis/authentication.k8s.io/v1/selfsubjectreviews', auth, body, newConnection },
    signal,
  )
  const status = statusOf(answer)
  if (answer.status === 201) {
    const username = (answer.body as Partial<V1SelfSubjectReview> | undefined)?.status?.userInfo?.username
    return typeof username === 'string' ? { is: 'accepted', username } : { is: 'unclear', status: 201 }
  }
  if (answer.status === 401 && status?.reason === 'Unauthorized') return { is: 'refused' }
  // 403 means that the API server authenticated the token.
  if (answer.status === 403 && status?.reason === 'Forbidden' && !status.message?.includes('User "system:anonymous"'))
    return { is: 'accepted', username: undefined }
  if (answer.status === 404) throw isFromApiServer(answer) ? noReview() : refusalOf(answer, 'review the token', auth)
  return { is: 'unclear', status: answer.status }
}

/** An API server answers 404 with a Status or a line of text. HTML and other JSON come from another program. */
function isFromApiServer({ bodyKind }: ApiResponse): boolean {
  return bodyKind === 'a Kubernetes Status' || bodyKind === 'plain text'
}

function noReview(): KubepassError {
  return new KubepassError('REFUSED', 'The API server has no SelfSubjectReview API.', { hint: 'kubepass needs Kubernetes 1.28 or later.' })
}
