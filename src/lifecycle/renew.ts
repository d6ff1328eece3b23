import { setTimeout as sleep } from 'node:timers/promises'
import { limitOf } from '../base/deadline.ts'
import { describe } from '../base/errors.ts'
import { isoTime } from '../base/time.ts'
import { LONGEST_TIMER_MS } from '../net/retry.ts'
import { writeKubeconfig } from '../scan/kubeconfig-file.ts'
import { anchorNames, idOf, type Issued, mayLive, MOST_CREDENTIALS, nameOfNext } from '../state/run-state.ts'
import { endsAt, renewAt, retireAt } from '../token/lifetime.ts'
import { issue, type Received, verify } from './acquire.ts'
import { endAnchor, note, type Session, warn } from './session.ts'

/** How long whoever stops it waits for what it has begun; a signal cuts that off. */
const STOP_MS = 5_000
/** And then for what it has to say of that. */
const LAST_WORDS_MS = 1_000
/** An anchor that is not deleted in this time is left to the end of the run. */
const RETIRE_MS = 10_000
/** How long a try that is under way when the credential expires may still take: late is better than never. */
const LATE_MS = 2_000
/** Of a credential's life: what is waited for after a first try that failed. */
const FIRST_WAIT = 0.02
const LONGEST_WAIT_MS = 60_000

export interface Rotation {
  /** Stops it at once; what it has asked for by then stands in the receipt. */
  stop(): Promise<void>
}

/**
 * From now on, the credential that the scan finds is renewed before it expires.
 * @param due when for the first time, ms since 1970
 */
export function startRotation(session: Session, first: Received, due: number): Rotation {
  const [ending, over] = [new AbortController(), new AbortController()]
  const until = AbortSignal.any([session.signal, over.signal])
  const running = rotate(session, first, due, until, AbortSignal.any([until, ending.signal]))
  return {
    async stop() {
      // A call that is under way is cut off only if it takes long: what becomes of it then nobody knows.
      ending.abort()
      await Promise.race([running, sleep(STOP_MS, undefined, { ref: false, signal: session.signal }).catch(() => undefined)])
      over.abort()
      await Promise.race([running, sleep(LAST_WORDS_MS, undefined, { ref: false })])
    },
  }
}

/** One that has been replaced. */
interface Old {
  issued: Issued
  retireAt: number
}

async function rotate(session: Session, first: Received, firstDue: number, until: AbortSignal, rest: AbortSignal): Promise<void> {
  const old: Old[] = []
  try {
    for (let current = first, due = firstDue; ;) {
      const [next] = old.toSorted((one, other) => one.retireAt - other.retireAt)
      if (next !== undefined && next.retireAt < due) {
        await sleepUntil(next.retireAt, rest)
        old.splice(old.indexOf(next), 1)
        await retire(session, next.issued, until)
      } else {
        await sleepUntil(due, rest)
        const renewed = await renew(session, current, until, rest)
        if (renewed === undefined) return
        old.push({
          issued: current.issued,
          retireAt: retireAt(endsAt(current, current.receivedAt), Date.now(), session.options.rotateGrace),
        })
        current = renewed
        due = renewAt(current, current.receivedAt)
      }
    }
  } catch (error) {
    if (!rest.aborted) await warn(session, `The credential is renewed no more. ${describe(error)}`)
  }
}

async function sleepUntil(time: number, until: AbortSignal): Promise<void> {
  await sleep(Math.min(Math.max(0, time - Date.now()), LONGEST_TIMER_MS), undefined, { signal: until })
}

/**
 * Replaces the credential, and tries again for as long as it lives.
 * @returns undefined when it was too late
 */
async function renew(session: Session, current: Received, until: AbortSignal, rest: AbortSignal): Promise<Received | undefined> {
  const end = endsAt(current, current.receivedAt)
  const untilEnd = (late: number): AbortSignal => limitOf(Math.max(0, end + late - Date.now()), until)
  const [life, tries] = [untilEnd(0), untilEnd(LATE_MS)]
  const name = nameOfNext(anchorNames(session.platform.run, session.receipt), session.receipt.credentials, current.issued)
  for (let failed = false, wait = FIRST_WAIT * (end - current.receivedAt); ; failed = true, wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    let reason = ''
    try {
      return await replace(session, current, name, limitOf(session.options.deadline, tries))
    } catch (error) {
      rest.throwIfAborted()
      reason = describe(error)
    }
    const left = timeOf(end - Date.now())
    if (!failed && !life.aborted) await warn(session, `The scan's credential expires in ${left}, and could not be renewed yet. ${reason}`)
    await sleep(wait * (0.5 + Math.random() / 2), undefined, { signal: AbortSignal.any([life, rest]) }).catch(() => undefined)
    rest.throwIfAborted()
    if (!life.aborted) continue
    await warn(session, `The scan's credential was not renewed in time, and has expired. ${reason}`)
    return undefined
  }
}

/** As the first one, and in its place. */
async function replace(session: Session, { issued }: Received, name: string, limit: AbortSignal): Promise<Received> {
  await vacate(session, name, issued, limit)
  const renewed = await issue(session, name, limit)
  await verify(session, renewed, limit)
  limit.throwIfAborted()
  writeKubeconfig(session.receipt.directory, session.options, renewed.token, session.platform.uid)
  session.platform.say(`Renewed the credential: this one expires ${isoTime(renewed.expiresAt)}.`)
  return renewed
}

/** Ends what may exist under this name, and makes place in the receipt; forgets tokens that are dead. */
async function vacate(session: Session, name: string, inUse: Issued, limit: AbortSignal): Promise<void> {
  const { receipt, tokens } = session
  const taken = receipt.credentials.find(({ anchor }) => anchor?.name === name)
  if (taken !== undefined && taken.reached !== 'nothing' && taken.revoked === undefined) await endAnchor(session, { name }, limit)
  for (const [id, held] of tokens) if (!mayLive(held.deadBy)) tokens.delete(id)
  if (taken?.reached === 'token' && !tokens.has(idOf(taken)) && mayLive(taken.deadBy)) session.unseen.push(taken.deadBy)
  const others = session.receipt.credentials.filter((credential) => credential !== taken)
  // Of those that are bound to nothing, and have no name, the first end first.
  const unbound = others.find((credential) => credential.anchor === undefined && credential !== inUse)
  const dropped = others.length < MOST_CREDENTIALS ? undefined : unbound
  session.receipt = { ...session.receipt, credentials: others.filter((credential) => credential !== dropped) }
}

/** Deletes the anchor of one that has been replaced. What fails here, the end of the run tries again. */
async function retire(session: Session, issued: Issued, until: AbortSignal): Promise<void> {
  const { anchor } = issued
  if (anchor === undefined || !session.receipt.credentials.includes(issued)) return
  const limit = limitOf(RETIRE_MS, until)
  try {
    if ((await endAnchor(session, anchor, limit)) === 'deleted') note(session, issued, { revoked: new Date().toISOString() })
  } catch {
    until.throwIfAborted()
  }
}

function timeOf(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000))
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}
