import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { isIsoTime } from '../base/time.ts'
import type { AuthInfo } from '../identity/identity.ts'
import { boundSecretPrefix, isPlatformName, isRunKey, type JobInfo } from '../state/job-info.ts'
import { type ApiResponse, statusOf } from './answer.ts'
import { type BoundSecretMetadata, type ClaimedRun, claimedRun } from './bound-secret.ts'
import type { KubeClient } from './client.ts'
import { PageCursor } from './page-cursor.ts'
import { refusalOf } from './refusal.ts'

/** As a Table, as kubectl asks for it, the list has names, types and metadata: the API server does not send the Secrets' data. */
const AS_TABLE = 'application/json;as=Table;g=meta.k8s.io;v=v1'

/** A Secret that has the label of kubepass. Its texts are foreign: quote them, unless `origin` has `run`. */
export interface ListedSecret extends BoundSecretMetadata {
  readonly name: string
  readonly uid: string
  /** The run that made it and the time when its token is dead (ms since 1970), or the reason why kubepass did not make it. */
  readonly origin: { readonly run: JobInfo; readonly deadBy: number } | { readonly foreign: string }
}

interface Row {
  readonly cells?: readonly unknown[]
  readonly object?: {
    readonly metadata?: Partial<BoundSecretMetadata> & {
      readonly name?: string
      readonly uid?: string
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

/** What to list, and the caller's means for it. */
export interface SecretListing {
  readonly namespace: string
  /** Called for each page, because an identity may expire while kubepass lists many pages. */
  readonly authInfo: (signal: AbortSignal) => Promise<AuthInfo>
  /** Makes a new signal for each page. */
  readonly deadline: () => AbortSignal
  /** Gets the number of Secrets read so far. */
  readonly progress: (count: number) => void
}

/**
 * Lists every Secret of the namespace that has the label of kubepass, page by page.
 * @throws KubepassError REFUSED or UNREACHABLE when a page cannot be read
 */
export async function listBoundSecrets(client: KubeClient, listing: SecretListing): Promise<ListedSecret[]> {
  // By uid, because a list that starts again has the same Secrets again.
  const found = new Map<string, ListedSecret>()
  const cursor = new PageCursor()
  let table: Table
  do {
    table = await readPage(client, listing, cursor)
    for (const listed of secretsIn(table)) found.set(listed.uid, listed)
    listing.progress(found.size)
  } while (cursor.advance(table.metadata?.continue))
  return [...found.values()]
}

/** Reads the page at the cursor. It asks again for a smaller page after a response that is too large, and after an expired token. */
async function readPage(client: KubeClient, { namespace, authInfo, deadline }: SecretListing, cursor: PageCursor): Promise<Table> {
  for (;;) {
    const query = new URLSearchParams({ labelSelector: 'app.kubernetes.io/managed-by=kubepass', ...cursor.parameters() })
    const signal = deadline()
    const auth = await authInfo(signal)
    const path = `/api/v1/namespaces/${namespace}/secrets?${query.toString()}`
    let answer: ApiResponse
    try {
      answer = await client.call({ method: 'GET', path, auth, accept: AS_TABLE }, signal)
    } catch (error) {
      if (isTooLarge(error) && cursor.shrink()) continue
      throw error
    }
    cursor.grow()
    const table = answer.body as Table | undefined
    // The API server may give another continue token. Without it the list starts again.
    if (hasExpired(answer) && cursor.restart(table?.metadata?.continue)) continue
    if (answer.status === 200 && table?.kind === 'Table') return table
    throw refusalOf(answer, `list the Secrets in namespace ${quote(namespace)}`, auth)
  }
}

function isTooLarge(error: unknown): boolean {
  return error instanceof KubepassError && error.responseTooLarge
}

/** Whether the API server no longer knows the continue token. */
function hasExpired(answer: ApiResponse): boolean {
  return answer.status === 410 && statusOf(answer) !== undefined
}

function secretsIn({ columnDefinitions, rows }: Table): ListedSecret[] {
  const column = (name: string): number => columnDefinitions?.findIndex((definition) => definition.name === name) ?? -1
  const [type, data] = [column('Type'), column('Data')]
  return (rows ?? []).flatMap((row) => toListedSecret(row, row.cells?.[type], row.cells?.[data]) ?? [])
}

function toListedSecret({ object }: Row, type: unknown, data: unknown): ListedSecret | undefined {
  const { name, uid, labels = {}, annotations = {}, finalizers = [] } = object?.metadata ?? {}
  if (typeof name !== 'string' || typeof uid !== 'string') return undefined
  const foreign = foreignContent(type, data, finalizers)
  const origin = foreign === undefined ? originOf(name, { labels, annotations }) : { foreign }
  return { name, uid, labels, annotations, origin }
}

/** Why kubepass cannot have made a Secret with this content; undefined if it can. */
function foreignContent(type: unknown, data: unknown, finalizers: readonly string[]): string | undefined {
  if (type !== 'Opaque') return `its type is ${quote(String(type))}`
  if (data !== 0) return 'it holds data'
  return finalizers.length > 0 ? 'it has a finalizer' : undefined
}

function originOf(name: string, metadata: BoundSecretMetadata): ListedSecret['origin'] {
  const run = claimedRun(metadata)
  const deadBy = timeOf(metadata.annotations['kubepass.dev/dead-by'])
  if (!isOfRun(name, run)) return { foreign: 'its name does not fit its labels' }
  if (deadBy === undefined) return { foreign: 'its annotation kubepass.dev/dead-by is missing or no time' }
  return { run, deadBy }
}

/** Whether the Secret's name is one that kubepass gives to Secrets of this run. */
function isOfRun(name: string, run: ClaimedRun): run is JobInfo {
  const prefix = boundSecretPrefix(run)
  return isPlatformName(run.platform) && name.startsWith(prefix) && isRunKey(name.slice(prefix.length))
}

function timeOf(text: string | undefined): number | undefined {
  return text !== undefined && isIsoTime(text) ? Date.parse(text) : undefined
}
