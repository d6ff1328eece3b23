import { setTimeout as sleep } from 'node:timers/promises'
import type { AuthenticationV1TokenRequest, V1Secret } from '@kubernetes/client-node'
import { readCredential, type Credential, type Expected } from '../credential.ts'
import { KubepassError } from '../errors.ts'
import { quote } from '../quote.ts'
import type { Run } from '../job.ts'
import type { AuthInfo } from '../identity/identity.ts'
import type { Seal } from '../secret.ts'
import { deleteAnchor } from './revoke.ts'
import { refusalOf, statusOf, type Answer, type KubeClient } from './client.ts'
import { isCountedElsewhere, isRefusedByQuota } from './quota.ts'

/** The wait before the next try, times the number of tries, after a conflict in the count of a quota. */
const RECOUNT_MS = 50

export interface Anchor {
  name: string
  uid: string
}

/** How the objects of a run are found: sweepers select by label, people read the annotations. */
export function marksOf(run: Run, deadBy: string): { labels: Record<string, string>; annotations: Record<string, string> } {
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
 * @returns undefined when the identity may not create Secrets and that is acceptable
 */
export async function createAnchor(
  client: KubeClient,
  auth: AuthInfo,
  where: { namespace: string; name: string },
  marks: ReturnType<typeof marksOf>,
  acceptable: boolean,
  signal: AbortSignal,
): Promise<Anchor | undefined> {
  const body: V1Secret = { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata: { name: where.name, ...marks } }
  const send = (): Promise<Answer> =>
    client.call({ method: 'POST', path: `/api/v1/namespaces/${where.namespace}/secrets`, auth, body }, signal)
  const create = async (): Promise<Answer> => {
    let answer = await send()
    for (let tries = 1; tries < 5 && isCountedElsewhere(statusOf(answer) ?? {}); tries += 1) {
      await sleep(tries * RECOUNT_MS, undefined, { signal })
      answer = await send()
    }
    return answer
  }
  let answer = await create()
  if (answer.status === 409 && statusOf(answer)?.reason === 'AlreadyExists') {
    // The name is this run's alone: the one that exists is ours, from a try whose answer was lost. To read its uid the issuer has no right.
    await deleteAnchor(client, auth, where, signal).catch((cause: unknown) => {
      throw new KubepassError('UNREACHABLE', 'The answer to the creation of the Secret was lost.', { cause })
    })
    answer = await create()
  }
  if (answer.status === 403 && acceptable && !answer.mayHaveActed && !isRefusedByQuota(statusOf(answer) ?? {})) return undefined
  if (answer.status !== 201) {
    throw refusalOf(answer, `create a Secret in namespace ${quote(where.namespace)}`, auth)
  }
  const uid = (answer.body as Partial<V1Secret> | undefined)?.metadata?.uid
  if (typeof uid !== 'string') throw incomplete('Secret')
  return { name: where.name, uid }
}

/**
 * Asks for a token and seals it before anything else sees it.
 * @returns it, not judged yet; what it must say; and the server's own warnings, which are foreign text
 */
export async function requestToken(
  client: KubeClient,
  auth: AuthInfo,
  asked: { namespace: string; name: string; duration: number; audiences: readonly string[]; anchor: Anchor | undefined },
  seal: Seal,
  signal: AbortSignal,
): Promise<{ credential: Credential; expected: Expected; warnings: string[] }> {
  const boundObjectRef = asked.anchor && { apiVersion: 'v1', kind: 'Secret', name: asked.anchor.name, uid: asked.anchor.uid }
  const body: AuthenticationV1TokenRequest = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { audiences: [...asked.audiences], expirationSeconds: asked.duration, ...(boundObjectRef ? { boundObjectRef } : {}) },
  }
  const path = `/api/v1/namespaces/${asked.namespace}/serviceaccounts/${asked.name}/token`
  const answer = await client.call({ method: 'POST', path, auth, body }, signal)
  if (answer.status !== 201) {
    throw refusalOf(answer, `issue a token for ServiceAccount ${quote(`${asked.namespace}/${asked.name}`)}`, auth)
  }
  const status = (answer.body as { status?: { token?: unknown; expirationTimestamp?: unknown } } | undefined)?.status
  if (typeof status?.token !== 'string' || status.token === '') throw incomplete('token')
  const token = seal(status.token)
  const stated = typeof status.expirationTimestamp === 'string' ? status.expirationTimestamp : undefined
  return { credential: readCredential(token), expected: { ...asked, stated }, warnings: answer.warnings }
}

function incomplete(what: string): KubepassError {
  return new KubepassError('UNREACHABLE', `What answered for the API server said yes, but sent no ${what}.`, {
    hint: 'Is there a gateway in between that rewrites answers?',
  })
}

// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
function labelValue(text: string): string {
  return text
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^[._-]+|[._-]+$/g, '')
}
