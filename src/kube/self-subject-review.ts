import type { V1SelfSubjectReview } from '@kubernetes/client-node'
import { KubepassError } from '../base/errors.ts'
import type { AuthInfo } from '../identity/identity.ts'
import type { SealedString } from '../redact/sealed-string.ts'
import { isCredentialIdOfIssuer, isUsername, type Issuer } from '../state/run-state.ts'
import { type ApiResponse, statusOf } from './answer.ts'
import type { ApiCall, KubeClient } from './client.ts'
import { refusalOf } from './refusal.ts'

/** Whether the API server accepts a token, and for which user. */
export type ReviewResult =
  | { is: 'accepted'; username: string | undefined }
  /** A Kubernetes Status 401 Unauthorized; a gateway's 401 is not one. */
  | { is: 'refused' }
  | { is: 'unclear'; status: number }

/**
 * Sends a SelfSubjectReview with the token.
 * @param newConnection whether to open a connection for this call alone
 * @throws KubepassError REFUSED or UNREACHABLE when the server answers 404
 */
export async function whoami(client: KubeClient, token: SealedString, signal: AbortSignal, newConnection = false): Promise<ReviewResult> {
  const auth = { bearer: token }
  const answer = await client.call({ ...reviewBy(auth), newConnection }, signal)
  if (answer.status === 404) throw isFromApiServer(answer) ? noReview() : refusalOf(answer, 'review the token', auth)
  return resultOf(answer)
}

/**
 * Asks once who the job's own identity is to the API server.
 * @returns undefined when there is no usable answer: only the evidence needs it
 */
export async function reviewIssuer(client: KubeClient, auth: AuthInfo, signal: AbortSignal): Promise<Issuer | undefined> {
  const answer = await client.callOnce(reviewBy(auth), signal).catch(() => undefined)
  const user = answer?.status === 201 ? (answer.body as Partial<V1SelfSubjectReview> | undefined)?.status?.userInfo : undefined
  const username: unknown = user?.username
  // A foreign answer can have any form.
  const [id]: unknown[] = [user?.extra?.['authentication.kubernetes.io/credential-id']].flat()
  return isUsername(username) ? { username, credential_id: isCredentialIdOfIssuer(id) ? id : null } : undefined
}

function reviewBy(auth: AuthInfo): ApiCall {
  const body: V1SelfSubjectReview = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }
  return { method: 'POST', path: '/apis/authentication.k8s.io/v1/selfsubjectreviews', auth, body }
}

function resultOf(answer: ApiResponse): ReviewResult {
  const { reason, message } = statusOf(answer) ?? {}
  const username = reviewedUser(answer)
  if (username !== undefined) return { is: 'accepted', username }
  if (answer.status === 401 && reason === 'Unauthorized') return { is: 'refused' }
  // 403 means that the API server authenticated the token.
  if (answer.status === 403 && reason === 'Forbidden' && !message?.includes('User "system:anonymous"'))
    return { is: 'accepted', username: undefined }
  return { is: 'unclear', status: answer.status }
}

/** The user in the review; undefined when the answer is none. */
function reviewedUser({ status, body }: ApiResponse): string | undefined {
  const username: unknown = status === 201 ? (body as Partial<V1SelfSubjectReview> | undefined)?.status?.userInfo?.username : undefined
  return typeof username === 'string' ? username : undefined
}

/** An API server answers 404 with a Status or a line of text. HTML and other JSON come from another program. */
function isFromApiServer({ bodyKind }: ApiResponse): boolean {
  return bodyKind === 'a Kubernetes Status' || bodyKind === 'plain text'
}

function noReview(): KubepassError {
  return new KubepassError('REFUSED', 'The API server has no SelfSubjectReview API.', { hint: 'kubepass needs Kubernetes 1.28 or later.' })
}
