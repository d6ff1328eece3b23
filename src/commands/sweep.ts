import { deadlineAfter } from '../base/deadline.ts'
import { codeOf, describe, KubepassError } from '../base/errors.ts'
import type { AuthInfo, Identity } from '../identity/identity.ts'
import { deleteBoundSecret } from '../kube/bound-secret.ts'
import { type ListedSecret, listBoundSecrets } from '../kube/list-secrets.ts'
import { resolveIdentity, type CommandContext, openClient, readOptions } from '../lifecycle/run-context.ts'
import type { Platform } from '../platform/platform.ts'
import { type CiApi, ciApis } from '../platform/ci-api.ts'
import { rejectUnsafeNodeOptions } from '../system/node-runtime.ts'
import { print, STDOUT } from '../system/print.ts'
import { countOfSecrets, asJson, asTable, progressBar, type SweepCandidate, summary } from './sweep-report.ts'

/** etcd syncs many writes at a time, so that more deletions at once are hardly faster, but a load for the cluster. */
const DELETIONS_AT_ONCE = 16
const QUESTIONS_AT_ONCE = 4
const QUESTION_MS = 10_000
/** After so many refusals the next request will be refused, too. */
const MAX_FAILURES = 10
const IDENTITY_MS = 30_000
const REDRAW_MS = 100

/**
 * Deletes the bound Secrets that no run needs: those of expired credentials, and those of runs that are over by the word of their
 * platform. Secrets that kubepass has not created stay.
 * @returns the exit code
 */
export async function sweepCommand(context: CommandContext): Promise<number> {
  const { platform, seal, signal } = context
  rejectUnsafeNodeOptions(platform.env)
  const flags = platform.extraFlags ?? {}
  const apis = ciApis(platform.env, flags, seal)
  const { identity, why, options } = await resolveIdentity(context, await readOptions(context, 'finish'))
  const { namespace } = options.serviceAccount
  const dryRun = flags['dry-run'] === true
  platform.log.info(`Identity: ${identity.kind}, because ${why}.`)
  const authInfo = refreshedAuthInfo(identity)
  const client = openClient(context, options, DELETIONS_AT_ONCE)
  const limit = (): AbortSignal => deadlineAfter(options.deadline, signal)
  const deleteSecret = async ({ name, uid }: ListedSecret): Promise<'deleted' | 'gone'> => {
    const deadline = limit()
    const result = await deleteBoundSecret(client, await authInfo(deadline), { namespace, name, uid }, deadline)
    return result === 'gone' ? 'gone' : 'deleted'
  }
  const found: SweepCandidate[] = []
  let failure: unknown
  try {
    const progress = (count: number): void => platform.log.progress?.(`listing bound Secrets: ${count}`)
    for (const listed of await listBoundSecrets(client, { namespace, authInfo, deadline: limit, progress }))
      found.push(classify(listed, Date.now()))
    for (const [of, api] of apis) await markFinishedRuns(api, livingOn(found, of), platform, signal)
    const due = found.filter(({ outcome }) => outcome === 'due')
    if (!dryRun) failure = await deleteAll(due, deleteSecret, platform, signal)
  } catch (error) {
    failure = error
  } finally {
    client.close()
  }
  if (signal.aborted) failure = signal.reason
  const foreign = found.filter(({ state }) => state === 'foreign').length
  if (foreign > 0) await platform.log.warn(`Foreign Secrets with the label of kubepass are kept: ${foreign}.`)
  if (failure === undefined || found.length > 0) platform.log.info(summary(found, namespace, dryRun))
  const shown = flags['json'] === true ? asJson(found, options, dryRun, failure) : asTable(found)
  print(STDOUT, context.redactor.redact(shown))
  if (failure !== undefined) throw failure as Error
  return 0
}

/** @returns the first failure; undefined when all were deleted */
async function deleteAll(
  due: readonly SweepCandidate[],
  deleteSecret: (secret: ListedSecret) => Promise<'deleted' | 'gone'>,
  { log }: Platform,
  signal: AbortSignal,
): Promise<KubepassError | undefined> {
  const failures: unknown[] = []
  let done = 0
  let drawn = 0
  await onEach(due, DELETIONS_AT_ONCE, async (candidate) => {
    if (signal.aborted || failures.length >= MAX_FAILURES || failures.some((error) => codeOf(error) !== 'REFUSED')) return
    try {
      candidate.outcome = await deleteSecret(candidate.listed)
    } catch (error) {
      failures.push(error)
    }
    done += 1
    if (Date.now() - drawn < REDRAW_MS) return
    drawn = Date.now()
    log.progress?.(progressBar(done, due.length))
  })
  const [first] = failures
  if (first === undefined) return undefined
  const left = due.filter(({ outcome }) => outcome === 'due').length
  const hint = first instanceof KubepassError ? first.hint : undefined
  return new KubepassError(codeOf(first), `${left} of ${countOfSecrets(due.length)} could not be deleted.`, { cause: first, hint })
}

function classify(listed: ListedSecret, now: number): SweepCandidate {
  if ('foreign' in listed.origin) return { listed, state: 'foreign', outcome: 'kept' }
  return listed.origin.deadBy <= now ? { listed, state: 'expired', outcome: 'due' } : { listed, state: 'living', outcome: 'kept' }
}

function livingOn(found: readonly SweepCandidate[], of: string): SweepCandidate[] {
  return found.filter(({ listed: { origin }, state }) => state === 'living' && 'run' in origin && origin.run.platform === of)
}

/** Asks the platform once for each run. The Secrets of a run of unknown status stay until they expire. */
async function markFinishedRuns(api: CiApi, ofPlatform: readonly SweepCandidate[], platform: Platform, signal: AbortSignal): Promise<void> {
  const ofInstance = ofPlatform.filter(({ listed: { origin } }) => 'run' in origin && origin.run.instance === api.instance)
  const elsewhere = ofPlatform.length - ofInstance.length
  if (elsewhere > 0) platform.log.info(`${countOfSecrets(elsewhere)} of another ${api.name} than ${api.instance}: kept until they expire.`)
  if (ofInstance.length === 0) return
  if (api.needs !== undefined) {
    platform.log.info(
      `kubepass cannot ask ${api.name} whether the runs of ${countOfSecrets(ofInstance.length)} are over (missing: ${api.needs}): they are kept until they expire.`,
    )
    return
  }
  const failures: unknown[] = []
  const runs = Map.groupBy(ofInstance, ({ listed: { origin } }) =>
    'run' in origin ? [origin.run.repository, origin.run.id, origin.run.attempt].join(' ') : '',
  )
  let asked = 0
  await onEach([...runs.values()], QUESTIONS_AT_ONCE, async (ofRun) => {
    const origin = ofRun[0]?.listed.origin
    if (origin === undefined || !('run' in origin) || signal.aborted || failures.length >= MAX_FAILURES) return
    platform.log.progress?.(`asking ${api.name}: run ${(asked += 1)} of ${runs.size}`)
    try {
      if (!(await api.isOver(origin.run, deadlineAfter(QUESTION_MS, signal)))) return
      for (const boundSecret of ofRun) Object.assign(boundSecret, { state: 'finished', outcome: 'due' } satisfies Partial<SweepCandidate>)
    } catch (error) {
      failures.push(error)
    }
  })
  const [first] = failures
  if (first === undefined) return
  const reason = first instanceof KubepassError ? first.message : describe(first)
  await platform.log.warn(`Could not get the status of a run from ${api.name} (${reason}). Its Secrets are kept until they expire.`)
}

/** Fetches the authentication again when the last one is older than IDENTITY_MS. */
function refreshedAuthInfo(identity: Identity): (signal: AbortSignal) => Promise<AuthInfo> {
  let current: Promise<AuthInfo> | undefined
  let since = 0
  return (signal) => {
    if (current === undefined || Date.now() - since > IDENTITY_MS) {
      since = Date.now()
      current = identity.authInfo(signal)
    }
    return current
  }
}

/** Calls `act` for each item, for at most `atOnce` items at a time. */
async function onEach<T>(items: readonly T[], atOnce: number, act: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values()
  const work = async (): Promise<void> => {
    for (const item of queue) await act(item)
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}
