import { setTimeout as sleep } from 'node:timers/promises'
import { deadlineAfter } from '../base/deadline.ts'
import { describe } from '../base/errors.ts'
import { durationText, isoTime } from '../base/time.ts'
import { MAX_TIMER_MS } from '../net/retry.ts'
import { mayLive } from '../state/credential-state.ts'
import { MAX_CREDENTIALS } from '../state/run-state.ts'
import { credentialId } from '../token/claims.ts'
import { endsAt, renewAt, revokeSupersededAt } from '../token/lifetime.ts'
import { acquire, verify, type LiveCredential } from './acquire.ts'
import { deleteSecretOf } from './delete-secret.ts'
import { deliverRenewed } from './deliver.ts'
import { nextSlot, nextStep } from './renewal-plan.ts'
import { warn, type Run } from './run-context.ts'

/** How long `stop` waits for a request that is under way. A signal ends this wait. */
const STOP_TIMEOUT_MS = 5_000
/** How long `stop` then waits for the last warning. */
const REPORT_TIMEOUT_MS = 1_000
/** A bound Secret that is not deleted in this time is left to the end of the run. */
const REVOKE_TIMEOUT_MS = 10_000
/** Extra time for a try that runs when the credential expires. */
const LATE_TRY_MS = 2_000
/** The wait after the first failed try, as a fraction of the credential's life. */
const FIRST_RETRY_FRACTION = 0.02
const MAX_RETRY_WAIT_MS = 60_000
/** No client of the API proxy holds a replaced token, but a request with it may still wait for its connection to the API server. */
const IN_FLIGHT_S = 30

export interface Renewal {
  /** Ends the renewals. The run state then has every credential that was requested. */
  stop(): Promise<void>
}

/** What ends the renewals: `stopSignal` lets a request under way end, `abortSignal` does not. */
interface Signals {
  readonly abortSignal: AbortSignal
  readonly stopSignal: AbortSignal
}

/**
 * Renews the credential of the scan before it expires, from now on.
 * @param due the time of the first renewal, ms since 1970
 */
export function startRenewal(run: Run, first: LiveCredential, due: number): Renewal {
  const [stopping, over] = [new AbortController(), new AbortController()]
  const abortSignal = AbortSignal.any([run.signal, over.signal])
  const renewals = renewRepeatedly(run, first, due, { abortSignal, stopSignal: AbortSignal.any([abortSignal, stopping.signal]) })
  return {
    async stop() {
      // First only ask the loop to stop: if a request is cut off, its outcome is unknown.
      stopping.abort()
      await Promise.race([renewals, sleep(STOP_TIMEOUT_MS, undefined, { ref: false, signal: run.signal }).catch(() => undefined)])
      over.abort()
      await Promise.race([renewals, sleep(REPORT_TIMEOUT_MS, undefined, { ref: false })])
    },
  }
}

async function renewRepeatedly(run: Run, first: LiveCredential, firstDue: number, signals: Signals): Promise<void> {
  const { journal, options } = run
  const tried = new Set<number>()
  try {
    for (let current = first, due = firstDue; ;) {
      const step = nextStep(journal.state.credentials, due, tried)
      await sleepUntil(step.at, signals.stopSignal)
      if (step.do === 'revoke') {
        tried.add(step.number)
        await revokeReplaced(run, step.number, signals.abortSignal)
        continue
      }
      const renewed = await renewBeforeExpiry(run, current, signals)
      if (renewed === undefined) return
      const grace = run.apiProxy === undefined ? options.rotateGrace : IN_FLIGHT_S
      const revokeAt = new Date(revokeSupersededAt(endsAt(current, current.receivedAt), Date.now(), grace)).toISOString()
      journal.observe({ type: 'CredentialReplaced', number: current.number, revokeAt })
      current = renewed
      due = renewAt(current, current.receivedAt)
    }
  } catch (error) {
    if (!signals.stopSignal.aborted) await warn(run, `kubepass no longer renews the credential. ${describe(error)}`)
  }
}

async function sleepUntil(time: number, until: AbortSignal): Promise<void> {
  await sleep(Math.min(Math.max(0, time - Date.now()), MAX_TIMER_MS), undefined, { signal: until })
}

/**
 * Replaces the credential. Tries again until the credential has expired.
 * @returns undefined when no try was successful
 */
async function renewBeforeExpiry(run: Run, current: LiveCredential, signals: Signals): Promise<LiveCredential | undefined> {
  const { abortSignal, stopSignal } = signals
  const end = endsAt(current, current.receivedAt)
  const untilEnd = (late: number): AbortSignal => deadlineAfter(Math.max(0, end + late - Date.now()), abortSignal)
  const [life, tries] = [untilEnd(0), untilEnd(LATE_TRY_MS)]
  const slot = nextSlot(run.journal.state.credentials, current.number)
  const firstWait = FIRST_RETRY_FRACTION * (end - current.receivedAt)
  for (let failed = false, wait = firstWait; ; failed = true, wait = Math.min(wait * 2, MAX_RETRY_WAIT_MS)) {
    let reason = ''
    try {
      return await renewOnce(run, current, slot, deadlineAfter(run.options.deadline, tries))
    } catch (error) {
      stopSignal.throwIfAborted()
      reason = describe(error)
    }
    const left = durationText((end - Date.now()) / 1000)
    if (!failed && !life.aborted) await warn(run, `The scan's credential expires in ${left}, and could not be renewed yet. ${reason}`)
    await sleep(wait * (0.5 + Math.random() / 2), undefined, { signal: AbortSignal.any([life, stopSignal]) }).catch(() => undefined)
    stopSignal.throwIfAborted()
    if (!life.aborted) continue
    await warn(run, `The scan's credential was not renewed in time, and has expired. ${reason}`)
    return undefined
  }
}

/** Acquires a credential and puts it into the kubeconfig of the scan. */
async function renewOnce(run: Run, current: LiveCredential, slot: 0 | 1 | 2, deadline: AbortSignal): Promise<LiveCredential> {
  await freeSlot(run, slot, current.number, deadline)
  const renewed = await acquire(run, slot, deadline)
  await verify(run, renewed, deadline)
  deadline.throwIfAborted()
  deliverRenewed(run, renewed)
  // The summary has one row for all renewals, so the log tells the id of each.
  const id = renewed.jti === undefined ? '' : ` (${credentialId(renewed.jti)})`
  run.platform.log.info(`Renewed the credential: this one${id} expires ${isoTime(renewed.expiresAt)}.`)
  return renewed
}

/** Deletes what may exist in the slot, and makes room for one more credential in the run state. */
async function freeSlot(run: Run, slot: 0 | 1 | 2, numberInUse: number, deadline: AbortSignal): Promise<void> {
  const { journal, tokens } = run
  const taken = journal.state.credentials.find((each) => each.slot === slot)
  if (taken !== undefined && taken.phase !== 'planned' && taken.phase !== 'revoked') await deleteSecretOf(run, taken, deadline)
  for (const [number, { deadBy }] of tokens) if (!mayLive(deadBy)) tokens.delete(number)
  if (taken !== undefined) journal.observe({ type: 'CredentialForgotten', number: taken.number })
  // A token that is bound to nothing cannot be revoked. Of several unbound tokens, the oldest expires first.
  const { credentials } = journal.state
  const unbound = credentials.find((each) => each.slot === 'unbound' && each.number !== numberInUse)
  if (credentials.length >= MAX_CREDENTIALS && unbound !== undefined)
    journal.observe({ type: 'CredentialForgotten', number: unbound.number })
}

/** Deletes the bound Secret of a credential that was replaced. If this fails, the end of the run tries again. */
async function revokeReplaced(run: Run, number: number, aborted: AbortSignal): Promise<void> {
  const credential = run.journal.credential(number)
  if (credential === undefined) return
  try {
    await deleteSecretOf(run, credential, deadlineAfter(REVOKE_TIMEOUT_MS, aborted))
  } catch {
    aborted.throwIfAborted()
  }
}
