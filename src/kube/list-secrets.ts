import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import type { AuthInfo } from '../identity/identity.ts'
import { boundSecretPrefix, type JobInfo } from '../state/job-info.ts'
import { type ApiResponse, statusOf } from './answer.ts'
import type { KubeClient } from './client.ts'
import { refusalOf } from './refusal.ts'

/** Secrets per page. A page of bound Secrets is far below the response limit. After a larger response the page size is divided by 8. */
const PAGE = 250

/** How often the continue token may expire before listing fails. */
const MAX_EXPIRED_LISTS = 5

/** As a Table, as kubectl asks for it, the list has names, types and metadata: the API server does not send the Secrets' data. */
const AS_TABLE = 'application/json;as=Table;g=meta.k8s.io;v=v1'

/** A Secret that has the label of kubepass. Its texts are foreign: quote them, unless `origin` has `run`. */
export interface ListedSecret {
  readonly name: string
  readonly uid: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** The run that made it and the time when its token is dead (ms since 1970), or the reason why kubepass did not make it. */
  readonly origin: { readonly run: JobInfo; readonly deadBy: number } | { readonly foreign: string }
}

interface Row {
  readonly cells?: readonly unknown[]
  readonly object?: {
    readonly metadata?: {
      readonly name?: string
      readonly uid?: string
      readonly labels?: Record<string, string>
      readonly annotations?: Record<string, string>
      readonly finalizers?: readonly string[]
    }
  }
}

interface Table {
  readonly kind?: string
  readonly metadata?: { readonly continue?: string }
  readonly columnDefinitions?: readonly { readonly name?: string }[]
  readonly rows?: readonly Row[] | null
}

/**
 * Lists every Secret of the namespace that has the label of kubepass, page by page.
 * @param progress gets the number of Secrets read so far
 * @param deadline makes a new signal for each page
 */
export async function listBoundSecrets(
  client: KubeClient,
  authInfo: (signal: AbortSignal) => Promise<AuthInfo>,
  namespace: string,
  progress: (count: number) => void,
  deadline: () => AbortSignal,
): Promise<ListedSecret[]> {
  const found = new Map<string, ListedSecret>()
  for (let from = '', lost = 0, size = PAGE; ;) {
    const query = new URLSearchParams({ labelSelector: 'app.kubernetes.io/managed-by=kubepass', limit: String(size) })
    if (from !== '') query.set('continue', from)
    const signal = deadline()
    const auth = await authInfo(signal)
    const path = `/api/v1/namespaces/${namespace}/secrets?${query.toString()}`
    let answer: ApiResponse
    try {
      answer = await client.call({ method: 'GET', path, auth, accept: AS_TABLE }, signal)
    } catch (error) {
      if (size === 1 || !(error instanceof KubepassError && error.responseTooLarge)) throw error
      size = Math.ceil(size / 8)
      continue
    }
    size = Math.min(size * 2, PAGE)
    const table = answer.body as Table | undefined
    // The continue token has expired. The API server may give another one; without it the list starts again. `found` holds each uid once.
    if (answer.status === 410 && statusOf(answer) !== undefined && (lost += 1) <= MAX_EXPIRED_LISTS) {
      from = table?.metadata?.continue ?? ''
      continue
    }
    if (answer.status !== 200 || table?.kind !== 'Table') throw refusalOf(answer, `list the Secrets in namespace ${quote(namespace)}`, auth)
    const column = (name: string): number => table.columnDefinitions?.findIndex((definition) => definition.name === name) ?? -1
    const [type, data] = [column('Type'), column('Data')]
    for (const row of table.rows ?? []) {
      const listed = toListedSecret(row, row.cells?.[type], row.cells?.[data])
      if (listed !== undefined) found.set(listed.uid, listed)
    }
    progress(found.size)
    from = table.metadata?.continue ?? ''
    if (from === '') return [...found.values()]
  }
}

function toListedSecret({ object }: Row, type: unknown, data: unknown): ListedSecret | undefined {
  const { name, uid, labels = {}, annotations = {}, finalizers = [] } = object?.metadata ?? {}
  if (typeof name !== 'string' || typeof uid !== 'string') return undefined
  const id = labels['kubepass.dev/run'] ?? ''
  const attempt = labels['kubepass.dev/attempt'] ?? ''
  const platform = labels['kubepass.dev/platform'] ?? ''
  const deadBy = timeOf(annotations['kubepass.dev/dead-by'])
  const prefix = boundSecretPrefix({ id, attempt })
  const listed = (origin: ListedSecret['origin']): ListedSecret => ({ name, uid, labels, annotations, origin })
  if (type !== 'Opaque') return listed({ foreign: `its type is ${quote(String(type))}` })
  if (data !== 0) return listed({ foreign: 'it holds data' })
  if (finalizers.length > 0) return listed({ foreign: 'it has a finalizer' })
  if (!isPlatform(platform) || !name.startsWith(prefix) || !/^[0-9a-f]{16}$/.test(name.slice(prefix.length)))
    return listed({ foreign: 'its name does not fit its labels' })
  if (deadBy === undefined) return listed({ foreign: 'its annotation kubepass.dev/dead-by is missing or no time' })
  const repository = annotations['kubepass.dev/repository'] ?? ''
  const job = annotations['kubepass.dev/job'] ?? ''
  const instance = annotations['kubepass.dev/instance'] ?? ''
  return listed({ run: { platform, id, attempt, repository, job, instance }, deadBy })
}

function isPlatform(text: string): text is JobInfo['platform'] {
  return ['github', 'gitlab', 'terminal'].includes(text)
}

function timeOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/.test(text) ? Date.parse(text) || undefined : undefined
}
