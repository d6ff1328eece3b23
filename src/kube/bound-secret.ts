import type { V1DeleteOptions, V1Secret } from '@kubernetes/client-node'
import { setTimeout as sleep } from 'node:timers/promises'
import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import type { AuthInfo } from '../identity/identity.ts'
import type { JobInfo } from '../state/job-info.ts'
import { type ApiResponse, statusOf } from './answer.ts'
import type { ApiCall, KubeClient } from './client.ts'
import { isCountedElsewhere, isRefusedByQuota } from './quota.ts'
import { incompleteResponse, refusalOf } from './refusal.ts'

/** After a conflict in a quota's count, attempt n is followed by a wait of n times this. */
const RECOUNT_MS = 50

export interface BoundSecret {
  name: string
  uid: string
}

export interface BoundSecretMetadata {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

/** The labels, by which `sweep` selects the Secrets of kubepass, and the annotations, which tell people and `sweep` about the run. */
export function boundSecretMetadata(run: JobInfo, deadBy: string): BoundSecretMetadata {
  return {
    labels: {
      'app.kubernetes.io/managed-by': 'kubepass',
      'kubepass.dev/platform': run.platform,
      'kubepass.dev/run': labelValue(run.id),
      'kubepass.dev/attempt': labelValue(run.attempt),
    },
    annotations: {
      'kubepass.dev/instance': run.instance,
      'kubepass.dev/repository': run.repository,
      'kubepass.dev/job': run.job,
      'kubepass.dev/dead-by': deadBy,
    },
  }
}

/** The run that the labels and annotations of a Secret name. Anyone may have written them. */
export interface ClaimedRun extends Omit<JobInfo, 'platform'> {
  readonly platform: string
}

/** Reads what boundSecretMetadata() wrote. A text that is missing is empty; `id` and `attempt` are in the form of a label's value. */
export function claimedRun({ labels, annotations }: BoundSecretMetadata): ClaimedRun {
  return {
    platform: labels['kubepass.dev/platform'] ?? '',
    id: labels['kubepass.dev/run'] ?? '',
    attempt: labels['kubepass.dev/attempt'] ?? '',
    repository: annotations['kubepass.dev/repository'] ?? '',
    job: annotations['kubepass.dev/job'] ?? '',
    instance: annotations['kubepass.dev/instance'] ?? '',
  }
}

/** A bound Secret to create. */
export interface NewBoundSecret {
  readonly auth: AuthInfo
  readonly namespace: string
  readonly name: string
  readonly metadata: BoundSecretMetadata
  /** Whether to go on without a bound Secret if RBAC forbids the identity to create one. */
  readonly mayBeForbidden: boolean
}

/**
 * Creates the empty Secret that the token will be bound to.
 * @returns undefined when RBAC forbids it and `mayBeForbidden` is true
 * @throws KubepassError REFUSED or UNREACHABLE when no Secret was created, or none whose uid is known
 */
export async function createBoundSecret(client: KubeClient, wanted: NewBoundSecret, signal: AbortSignal): Promise<BoundSecret | undefined> {
  const { auth, namespace, name, metadata, mayBeForbidden } = wanted
  const body: V1Secret = { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata: { name, ...metadata } }
  const creation: ApiCall = { method: 'POST', path: `/api/v1/namespaces/${namespace}/secrets`, auth, body }
  let answer = await callUntilCounted(client, creation, signal)
  if (isTaken(answer)) {
    // No other run uses this name: an earlier attempt of ours created the Secret and got no response. The issuer has no
    // right to read its uid, so kubepass deletes it and creates it again.
    await deleteBoundSecret(client, auth, { namespace, name }, signal).catch((cause: unknown) => {
      throw new KubepassError('UNREACHABLE', 'The request to create the Secret got no response.', { cause })
    })
    answer = await callUntilCounted(client, creation, signal)
  }
  if (mayBeForbidden && isForbiddenByRbac(answer)) return undefined
  if (answer.status !== 201) throw refusalOf(answer, `create a Secret in namespace ${quote(namespace)}`, auth)
  const uid = (answer.body as Partial<V1Secret> | undefined)?.metadata?.uid
  if (typeof uid !== 'string') throw incompleteResponse('Secret')
  return { name, uid }
}

/** Sends the call again, up to four times, while a quota's count changes at the same moment. */
async function callUntilCounted(client: KubeClient, call: ApiCall, signal: AbortSignal): Promise<ApiResponse> {
  let answer = await client.call(call, signal)
  for (let tries = 1; tries < 5 && isCountedElsewhere(statusOf(answer) ?? {}); tries += 1) {
    await sleep(tries * RECOUNT_MS, undefined, { signal })
    answer = await client.call(call, signal)
  }
  return answer
}

function isTaken(answer: ApiResponse): boolean {
  return answer.status === 409 && statusOf(answer)?.reason === 'AlreadyExists'
}

/** Whether no Secret exists, because the identity has no right to create one. */
function isForbiddenByRbac(answer: ApiResponse): boolean {
  return answer.status === 403 && !answer.mayHaveActed && !isRefusedByQuota(statusOf(answer) ?? {})
}

// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
function labelValue(text: string): string {
  return text
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^[._-]+|[._-]+$/g, '')
}

/** A Secret to delete: the one with this uid, or whichever has the name. */
export interface SecretToDelete {
  readonly namespace: string
  readonly name: string
  readonly uid?: string | undefined
}

/**
 * - `deleted`: this call deleted the Secret
 * - `deleted-perhaps-earlier`: an attempt without a clear response may have deleted it. The uid shows that the Secret existed
 * - `gone`: the Secret does not exist, or another Secret (another uid) has its name
 */
export type DeletionResult = 'deleted' | 'deleted-perhaps-earlier' | 'gone'

/**
 * Deletes the bound Secret, and with it the token.
 * @throws KubepassError REFUSED or UNREACHABLE when the answer proves neither
 */
export async function deleteBoundSecret(
  client: KubeClient,
  auth: AuthInfo,
  { namespace, name, uid }: SecretToDelete,
  signal: AbortSignal,
): Promise<DeletionResult> {
  const body: V1DeleteOptions = { apiVersion: 'v1', kind: 'DeleteOptions', ...(uid === undefined ? {} : { preconditions: { uid } }) }
  const answer = await client.call({ method: 'DELETE', path: `/api/v1/namespaces/${namespace}/secrets/${name}`, auth, body }, signal)
  if (isDeletion(answer, uid)) return 'deleted'
  if (!isAbsence(answer, name)) throw refusalOf(answer, `delete the Secret ${name}`, auth)
  return answer.mayHaveActed && uid !== undefined ? 'deleted-perhaps-earlier' : 'gone'
}

/**
 * Whether the answer proves that the Secret was deleted. With a finalizer, the API server answers with the object instead of a
 * Status. A gateway may answer anything. Neither proves it.
 */
function isDeletion(answer: ApiResponse, uid: string | undefined): boolean {
  const { details, status } = statusOf(answer) ?? {}
  return answer.status === 200 && status === 'Success' && (uid === undefined || details?.uid === uid)
}

/**
 * Whether the answer proves that no Secret has this name, or none with the uid that the request gave. For a path that it does not have,
 * an API server answers NotFound as well, but names no Secret.
 */
function isAbsence(answer: ApiResponse, name: string): boolean {
  const { details, reason } = statusOf(answer) ?? {}
  const isOfThisSecret = /^secrets?$/i.test(details?.kind ?? '') && details?.name === name
  return isOfThisSecret && ABSENT.some((absent) => answer.status === absent.status && reason === absent.reason)
}

const ABSENT = [
  { status: 404, reason: 'NotFound' },
  { status: 409, reason: 'Conflict' },
]
