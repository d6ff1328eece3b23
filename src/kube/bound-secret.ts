import type { V1DeleteOptions, V1Secret } from '@kubernetes/client-node'
import { setTimeout as sleep } from 'node:timers/promises'
import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import type { AuthInfo } from '../identity/identity.ts'
import type { JobInfo } from '../state/job-info.ts'
import { type ApiResponse, statusOf } from './answer.ts'
import type { KubeClient } from './client.ts'
import { isCountedElsewhere, isRefusedByQuota } from './quota.ts'
import { incompleteResponse, refusalOf } from './refusal.ts'

/** After a conflict in a quota's count, attempt n is followed by a wait of n times this. */
const RECOUNT_MS = 50

export interface BoundSecret {
  name: string
  uid: string
}

/** The labels, by which `sweep` selects the Secrets of kubepass, and the annotations, which tell people and `sweep` about the run. */
export function boundSecretMetadata(run: JobInfo, deadBy: string): { labels: Record<string, string>; annotations: Record<string, string> } {
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

/**
 * Creates the empty Secret that the token will be bound to.
 * @param mayBeForbidden whether to go on without a bound Secret if RBAC forbids the identity to create one
 * @returns undefined when RBAC forbids it and `mayBeForbidden` is true
 */
export async function createBoundSecret(
  client: KubeClient,
  auth: AuthInfo,
  where: { namespace: string; name: string },
  metadata: ReturnType<typeof boundSecretMetadata>,
  mayBeForbidden: boolean,
  signal: AbortSignal,
): Promise<BoundSecret | undefined> {
  const body: V1Secret = { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata: { name: where.name, ...metadata } }
  const send = (): Promise<ApiResponse> =>
    client.call({ method: 'POST', path: `/api/v1/namespaces/${where.namespace}/secrets`, auth, body }, signal)
  const create = async (): Promise<ApiResponse> => {
    let answer = await send()
    for (let tries = 1; tries < 5 && isCountedElsewhere(statusOf(answer) ?? {}); tries += 1) {
      await sleep(tries * RECOUNT_MS, undefined, { signal })
      answer = await send()
    }
    return answer
  }
  let answer = await create()
  if (answer.status === 409 && statusOf(answer)?.reason === 'AlreadyExists') {
    // No other run uses this name: an earlier attempt of ours created the Secret and got no response. The issuer has no
    // right to read its uid, so kubepass deletes it and creates it again.
    await deleteBoundSecret(client, auth, where, signal).catch((cause: unknown) => {
      throw new KubepassError('UNREACHABLE', 'The request to create the Secret got no response.', { cause })
    })
    answer = await create()
  }
  if (answer.status === 403 && mayBeForbidden && !answer.mayHaveActed && !isRefusedByQuota(statusOf(answer) ?? {})) return undefined
  if (answer.status !== 201) {
    throw refusalOf(answer, `create a Secret in namespace ${quote(where.namespace)}`, auth)
  }
  const uid = (answer.body as Partial<V1Secret> | undefined)?.metadata?.uid
  if (typeof uid !== 'string') throw incompleteResponse('Secret')
  return { name: where.name, uid }
}

// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
function labelValue(text: string): string {
  return text
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^[._-]+|[._-]+$/g, '')
}

/**
 * Deletes the bound Secret, and with it the token.
 * @returns gone when the Secret does not exist, or another Secret (another uid) has its name
 */
export async function deleteBoundSecret(
  client: KubeClient,
  auth: AuthInfo,
  boundSecret: { namespace: string; name: string; uid?: string | undefined },
  signal: AbortSignal,
): Promise<'deleted' | 'gone'> {
  const body: V1DeleteOptions = {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    ...(boundSecret.uid === undefined ? {} : { preconditions: { uid: boundSecret.uid } }),
  }
  const answer = await client.call(
    { method: 'DELETE', path: `/api/v1/namespaces/${boundSecret.namespace}/secrets/${boundSecret.name}`, auth, body },
    signal,
  )
  const { details, reason, status } = statusOf(answer) ?? {}
  // With a finalizer, the API server answers with the object instead of a Status. A gateway may answer anything.
  // Neither proves that the Secret was deleted.
  if (answer.status === 200 && status === 'Success' && details?.uid === (boundSecret.uid ?? details?.uid)) return 'deleted'
  // An API server that has no such path answers NotFound, too, but names no Secret.
  const isOfThisSecret = /^secrets?$/i.test(details?.kind ?? '') && details?.name === boundSecret.name
  if (isOfThisSecret && ((answer.status === 404 && reason === 'NotFound') || (answer.status === 409 && reason === 'Conflict'))) {
    // A uid shows that the Secret existed. An earlier DELETE of ours that got no response may have deleted it.
    return answer.mayHaveActed && boundSecret.uid !== undefined ? 'deleted' : 'gone'
  }
  throw refusalOf(answer, `delete the Secret ${boundSecret.name}`, auth)
}
