import { setTimeout as sleep } from 'node:timers/promises'
import { deadlineAfter } from '../base/deadline.ts'
import { describe } from '../base/errors.ts'
import { isoTime } from '../base/time.ts'
import { MAX_TIMER_MS } from '../net/retry.ts'
import { writeKubeconfig } from '../scan/kubeconfig-file.ts'
import { boundSecretNames, tokenId, type CredentialState, mayLive, MAX_CREDENTIALS, nextSecretName } from '../state/run-state.ts'
import { endsAt, renewAt, revokeSupersededAt } from '../token/lifetime.ts'
import { acquire, type LiveCredential, verify } from './acquire.ts'
import { deleteSecretOfRun, updateCredential, type Run, warn } from './run-context.ts'

/** How long whoever stops it waits for what it has begun; a signal cuts that off. */
const STOP_TIMEOUT_MS = 5_000
/** And then for what it has to say of that. */
const REPORT_TIMEOUT_MS = 1_000
/** A bound Secret that is not deleted in this time is left to the end of the run. */
const REVOKE_TIMEOUT_MS = 10_000
/** How long a try that is under way when the credential expires may still take: late is better than never. */
const LATE_TRY_MS = 2_000
/** Of a credential's life: what is waited for after a first try that failed. */
const FIRST_RETRY_FRACTION = 0.02
const MAX_RETRY_WAIT_MS = 60_000

export interface Renewal {
  /** Stops it at once; what it has asked for by then stands in the run state. */
  stop(): Promise<void>
}

/**
 * From now on, the credential that the scan finds is renewed before it expires.
 * @param due when for the first time, ms since 1970
 */
export function startRenewal(run: Run, first: LiveCredential, due: number): Renewal {
  const [ending, over] = [new AbortController(), new AbortController()]
  const until = AbortSignal.any([run.signal, over.signal])
  const running = renewRepeatedly(run, first, due, until, AbortSignal.any([until, ending.signal]))
  return {
    async stop() {
      // A call that is under way is cut off only if it takes long: what becomes of it then nobody knows.
      ending.abort()
      await Promise.race([running, sleep(STOP_TIMEOUT_MS, undefined, { ref: false, signal: run.signal }).catch(() => undefined)])
      over.abort()
      await Promise.race([running, sleep(REPORT_TIMEOUT_MS, undefined, { ref: false })])
    },
  }
}

/** One that has been replaced. */
interface SupersededCredential {
  state: CredentialState
  revokeAt: number
}

async function renewRepeatedly(run: Run, first: LiveCredential, firstDue: number, until: AbortSignal, rest: AbortSignal): Promise<void> {
  const old: SupersededCredential[] = []
  try {
    for (let current = first, due = firstDue; ;) {
      const [next] = old.toSorted((one, other) => one.revokeAt - other.revokeAt)
      if (next !== undefined && next.revokeAt < due) {
        await sleepUntil(next.revokeAt, rest)
        old.splice(old.indexOf(next), 1)
        await revokeSuperseded(run, next.state, until)
      } else {
        await sleepUntil(due, rest)
        const renewed = await renewBeforeExpiry(run, current, until, rest)
        if (renewed === undefined) return
        old.push({
          state: current.state,
          revokeAt: revokeSupersededAt(endsAt(current, current.receivedAt), Date.now(), run.options.rotateGrace),
        })
        current = renewed
        due = renewAt(current, current.receivedAt)
      }
    }
  } catch (error) {
    if (!rest.aborted) await warn(run, `The credential is renewed no more. ${describe(error)}`)
  }
}

async function sleepUntil(time: number, until: AbortSignal): Promise<void> {
  await sleep(Math.min(Math.max(0, time - Date.now()), MAX_TIMER_MS), undefined, { signal: until })
}

/**
 * Replaces the credential, and tries again for as long as it lives.
 * @returns undefined when it was too late
 */
async function renewBeforeExpiry(
  run: Run,
  current: LiveCredential,
  until: AbortSignal,
  rest: AbortSignal,
): Promise<LiveCredential | undefined> {
  const end = endsAt(current, current.receivedAt)
  const untilEnd = (late: number): AbortSignal => deadlineAfter(Math.max(0, end + late - Date.now()), until)
  const [life, tries] = [untilEnd(0), untilEnd(LATE_TRY_MS)]
  const name = nextSecretName(boundSecretNames(run.platform.job, run.state), run.state.credentials, current.state)
  for (
    let failed = false, wait = FIRST_RETRY_FRACTION * (end - current.receivedAt);
    ;
    failed = true, wait = Math.min(wait * 2, MAX_RETRY_WAIT_MS)
  ) {
    let reason = ''
    try {
      return await renewOnce(run, current, name, deadlineAfter(run.options.deadline, tries))
    } catch (error) {
      rest.throwIfAborted()
      reason = describe(error)
    }
    const left = durationText(end - Date.now())
    if (!failed && !life.aborted) await warn(run, `The scan's credential expires in ${left}, and could not be renewed yet. ${reason}`)
    await sleep(wait * (0.5 + Math.random() / 2), undefined, { signal: AbortSignal.any([life, rest]) }).catch(() => undefined)
    rest.throwIfAborted()
    if (!life.aborted) continue
    await warn(run, `The scan's credential was not renewed in time, and has expired. ${reason}`)
    return undefined
  }
}

/** As the first one, and in its place. */
async function renewOnce(run: Run, { state }: LiveCredential, name: string, deadline: AbortSignal): Promise<LiveCredential> {
  await freeSlot(run, name, state, deadline)
  const renewed = await acquire(run, name, deadline)
  await verify(run, renewed, deadline)
  deadline.throwIfAborted()
  writeKubeconfig(run.state.directory, run.options, renewed.token, run.platform.ownerUid)
  run.platform.info(`Renewed the credential: this one expires ${isoTime(renewed.expiresAt)}.`)
  return renewed
}

/** Ends what may exist under this name, and makes place in the run state; forgets tokens that are dead. */
async function freeSlot(run: Run, name: string, inUse: CredentialState, deadline: AbortSignal): Promise<void> {
  const { state, tokens } = run
  const taken = state.credentials.find(({ boundSecret }) => boundSecret?.name === name)
  if (taken !== undefined && taken.phase !== 'nothing' && taken.revoked === undefined) await deleteSecretOfRun(run, { name }, deadline)
  for (const [id, held] of tokens) if (!mayLive(held.deadBy)) tokens.delete(id)
  if (taken?.phase === 'token' && !tokens.has(tokenId(taken)) && mayLive(taken.deadBy)) run.untestedTokens.push(taken.deadBy)
  const others = run.state.credentials.filter((credential) => credential !== taken)
  // Of those that are bound to nothing, and have no name, the first end first.
  const unbound = others.find((credential) => credential.boundSecret === undefined && credential !== inUse)
  const dropped = others.length < MAX_CREDENTIALS ? undefined : unbound
  run.state = { ...run.state, credentials: others.filter((credential) => credential !== dropped) }
}

/** Deletes the bound Secret of one that has been replaced. What fails here, the end of the run tries again. */
async function revokeSuperseded(run: Run, issued: CredentialState, until: AbortSignal): Promise<void> {
  const { boundSecret } = issued
  if (boundSecret === undefined || !run.state.credentials.includes(issued)) return
  const deadline = deadlineAfter(REVOKE_TIMEOUT_MS, until)
  try {
    if ((await deleteSecretOfRun(run, boundSecret, deadline)) === 'deleted')
      updateCredential(run, issued, { revoked: new Date().toISOString() })
  } catch {
    until.throwIfAborted()
  }
}

function durationText(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}
