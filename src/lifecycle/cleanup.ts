import { existsSync } from 'node:fs'
import { limitOf } from '../base/deadline.ts'
import { describe, errnoOf, KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import type { AuthInfo } from '../identity/identity.ts'
import { prove } from '../kube/revocation-proof.ts'
import { stopCarriers, type Stopped } from '../scan/orphans.ts'
import { placeOf, removeKubeconfig, removeMoved } from '../scan/private-directory.ts'
import { ending } from '../state/evidence-text.ts'
import { type Evidence, failWith } from '../state/evidence.ts'
import { deadBy, idOf, type Issued, markerOf, mayLive } from '../state/run-state.ts'
import { report } from './report.ts'
import { endAnchor, note, record, type Session, warn } from './session.ts'

/** Where no token can exist, an anchor is all there is to lose. */
const NO_TOKEN_MS = 5_000
/** How long the end of a run on a CI waits for a runner that does not read the output. */
const DRAIN_MS = 10_000

/**
 * The one way a run ends, however it got here: stop the scan, revoke, remove the files, prove. It may run
 * any number of times.
 * @param postFollows a post step comes after this, and can prove what there is no time for now
 * @returns the error when the credential could not be, and had to be, revoked; else that of a scan that spoke in our name
 */
export async function finish(session: Session, postFollows: boolean): Promise<KubepassError | undefined> {
  const { evidence, options, platform } = session
  const before = { ...evidence }
  const stopped = await stopScan(session)
  // The revocation does not wait for a slow reader, nor for a stray process that still writes.
  const drained = session.scan?.drain(platform.isCI ? limitOf(DRAIN_MS, session.hurry) : AbortSignal.any([session.hurry, session.atOnce]))
  const tampered = restoreCommandFiles(session)
  let failure = await revoke(session, postFollows)
  await drained
  await tellOfStopped(session, stopped)
  const proof = failure === undefined ? whenToProve(session, postFollows) : 'never'
  let clean = await removeFiles(session, proof === 'later' || proof === 'try')
  if (proof === 'now' || proof === 'try') failure = await proveEnd(session, proof)
  if (proof === 'try' && evidence.proven !== null) clean = await removeFiles(session, false)
  if (session.knows === 'all' && !postFollows) await askAgain(session)
  session.client.close()
  evidence.finished = true
  record(session)
  if (failure === undefined && clean) platform.forgetReceipt()
  const toldByScript = isTold(session, before)
  if (toldByScript || (evidence.missing && platform.runKey !== undefined && evidence.proven === null))
    platform.say(`Nothing of this job is left to revoke.${toldByScript ? ` The script's token: ${ending(evidence)}.` : ''}`)
  else if (session.knows !== 'names' || evidence.revoked !== null) platform.say(`Credential: ${ending(evidence)}.`)
  if (failure === undefined) return tampered
  if (options.revocation === 'best-effort') {
    await warn(session, describe(failure))
    return tampered
  }
  if (tampered !== undefined) await warn(session, describe(tampered))
  failWith(evidence, failure)
  const way = platform.howToFinish()
  if (way !== undefined) platform.say(way)
  return failure
}

/** Returns the function that ends this run if a defect of kubepass leaves the run without a result. */
export function rescueOf(session: Session, postFollows: boolean): Session['rescue'] {
  return async (defect) => {
    failWith(session.evidence, defect)
    const failure = await finish(session, postFollows)
    await report(session)
    return failure
  }
}

/** Whether main already told the end of the credential in the log of this job. */
function isTold({ evidence, knows, platform }: Session, before: Evidence): boolean {
  const isSame = evidence.revoked?.at === before.revoked?.at && evidence.proven?.dead_at === before.proven?.dead_at
  return platform.isCI && platform.runKey !== undefined && knows === 'receipt' && before.finished && before.revoked !== null && isSame
}

async function stopScan(session: Session): Promise<Stopped> {
  const { used, finished } = session.evidence
  // Where a receipt is only a hint, it does not say that there is no scan.
  if (session.platform.runKey === undefined && (finished || used === null)) return { outlived: 0, left: 0 }
  return session.scan?.stop() ?? stopCarriers(markerOf(session.receipt))
}

async function tellOfStopped(session: Session, { outlived, left }: Stopped): Promise<void> {
  if (outlived > 0)
    await warn(session, `${outlived} process(es) outlived the scan and were ended${left > 0 ? `; ${left} could not be` : ''}.`)
  else if (left > 0) await warn(session, 'What is left of the scan could not be ended.')
}

function restoreCommandFiles({ evidence, platform }: Session): KubepassError | undefined {
  const { changed, left, why = [], closed = [] } = platform.restoreCommandFiles()
  const written = [...new Set([...changed, ...left])]
  if (written.length === 0 && closed.length === 0) return undefined
  const facts: string[] = []
  if (written.length > 0) facts.push(`The scan wrote to files by which a step speaks to its runner: ${written.join(', ')}.`)
  if (left.length > 0) facts.push(`What it wrote to ${left.join(', ')} could not be removed: ${[...new Set(why)].join('; ')}.`)
  else if (written.length > 0) facts.push('What it wrote there was removed.')
  if (closed.length > 0) facts.push(`The scan closed what the runner needs: ${[...new Set(closed)].join(', ')}. It was opened again.`)
  const tampered = new KubepassError('TAMPERED', facts.join(' '), {
    hint: 'If it is meant to, name the file in pass_env; or set what later steps need in a step of its own.',
  })
  failWith(evidence, tampered)
  return tampered
}

/** Ends each credential that may live, whatever becomes of the others. */
async function revoke(session: Session, postFollows: boolean): Promise<KubepassError | undefined> {
  const { evidence, options } = session
  const tokenMayLive = session.receipt.credentials.some(isToken)
  const limit = limitOf(tokenMayLive ? options.deadline : NO_TOKEN_MS, session.hurry)
  let auth: Promise<AuthInfo> | undefined
  const authInfo = (): Promise<AuthInfo> => (auth ??= session.identity.authInfo(limit))
  const failures = await Promise.all(
    session.receipt.credentials.map((credential) => revokeOne(session, credential, postFollows, authInfo, limit)),
  )
  const failure = failures.find((each) => each !== undefined)
  const tokens = session.receipt.credentials.filter(isToken)
  const last = tokens
    .flatMap(({ revoked }) => revoked ?? [])
    .toSorted()
    .at(-1)
  const over = failure === undefined && tokens.every(({ anchor }) => anchor !== undefined)
  evidence.dead_by = deadBy(tokens)
  evidence.missing = over && tokens.length > 0 && last === undefined
  if (!over || last === undefined) evidence.revoked = null
  else if (evidence.revoked?.at !== last) evidence.revoked = { at: last }
  record(session)
  return failure
}

/** @returns the error when its token may live on, and must not */
async function revokeOne(
  session: Session,
  credential: Issued,
  postFollows: boolean,
  authInfo: () => Promise<AuthInfo>,
  limit: AbortSignal,
): Promise<KubepassError | undefined> {
  const { knows, options, platform, receipt } = session
  const { anchor, deadBy, reached, revoked } = credential
  if (anchor === undefined)
    return reached === 'token' && options.revocation === 'required' ? notRevoked(deadBy, 'It is bound to nothing.') : undefined
  // Who runs it knows what does not exist; who comes later, and has only the receipt's word for it, asks.
  if (knows === 'all' && (reached === 'nothing' || revoked !== undefined)) return undefined
  let outcome: 'deleted' | 'gone'
  try {
    outcome = await endAnchor(session, anchor, limit, authInfo())
  } catch (error) {
    if (reached === 'nothing') return undefined
    if (reached === 'anchor')
      await warn(
        session,
        `No token was issued, but the Secret ${anchor.name} may be left in namespace ${receipt.namespace}. ${describe(error)}`,
      )
    else if (revoked === undefined) return notRevoked(deadBy, error)
    else await warn(session, `It was revoked before, but whether that holds could not be asked. ${describe(error)}`)
    return undefined
  }
  if (outcome === 'deleted' && revoked === undefined) note(session, credential, { revoked: new Date().toISOString() })
  // The answer to its creation never came, and no token was asked for; should it come about late, it is looked for again.
  else if (knows === 'all' && reached === 'anchor' && anchor.uid === undefined) {
    if (postFollows) note(session, credential, { reached: 'nothing' })
  }
  // Where post needs no receipt it may be at work beside a main that was stopped: whoever comes second finds nothing.
  else if (reached !== 'nothing' && revoked === undefined && (platform.runKey === undefined || (postFollows && !session.signal.aborted)))
    await warn(
      session,
      `The Secret ${anchor.name} is not there: it was never created, or somebody else deleted it. If a token was issued, it is dead by ${deadBy}.`,
    )
  return undefined
}

/** A creation whose answer was lost may take effect late; who has no post step behind him looks once more. */
async function askAgain(session: Session): Promise<void> {
  const limit = limitOf(NO_TOKEN_MS, session.hurry)
  for (const { anchor, reached, revoked } of session.receipt.credentials) {
    if (reached === 'nothing' || revoked !== undefined || anchor === undefined || anchor.uid !== undefined) continue
    await endAnchor(session, anchor, limit).catch(() => undefined)
  }
}

function isToken({ reached }: Issued): boolean {
  return reached === 'token'
}

function notRevoked(deadBy: string, cause: unknown): KubepassError {
  const hint = cause instanceof KubepassError ? cause.hint : undefined
  return new KubepassError('NOT_REVOKED', `The credential could not be revoked. It is dead by ${deadBy} at the latest.`, { cause, hint })
}

/** Try means: if it cannot be done in the time that is left, post does it. */
function whenToProve({ atOnce, evidence, options, signal, tokens }: Session, postFollows: boolean): 'now' | 'try' | 'later' | 'never' {
  // Proven is: accepted before, refused now. Anything less is called what it is.
  if (options.prove === 'off' || tokens.size === 0 || evidence.proven !== null || atOnce.aborted) return 'never'
  if (!postFollows) return 'now'
  // Of several tokens post finds one only.
  return options.prove === 'post' && tokens.size === 1 ? 'later' : signal.aborted ? 'try' : 'now'
}

/** @returns whether nothing is left that should not be */
async function removeFiles(session: Session, keepToken: boolean): Promise<boolean> {
  const { options, platform, receipt } = session
  const moved = whereMoved(session)
  const why = removeKubeconfig(receipt.directory, options.directory, platform.uid, keepToken)
  const facts = why === undefined ? moved : [`The directory ${receipt.directory} was not removed: ${why}.`, ...moved]
  if (facts.length > 0) await warn(session, facts.join(' '))
  return why === undefined && !keepToken
}

/** Removes a private directory that the scan moved. The process that made the directory finds it by its descriptor. */
function whereMoved({ directory: made, evidence, knows, platform, receipt }: Session): string[] {
  const { directory } = receipt
  if (made === undefined) {
    const isMissing = knows === 'receipt' && evidence.verified !== null && !evidence.finished && !existsSync(directory)
    // This is no warning: an earlier post step may have removed the directory.
    if (isMissing) platform.say(`The directory ${directory} is not there: a step has removed it, or moved it with the token that is in it.`)
    return []
  }
  try {
    const place = placeOf(directory, made)
    if (place === undefined || place === directory) return []
    const why = removeMoved(place, made, platform.uid)
    const outcome = why === undefined ? 'It was removed there.' : `It was not removed there: ${why}.`
    return [`The scan moved the directory ${directory} to ${quote(place)}. ${outcome}`]
  } catch (error) {
    return [`The scan moved the directory ${directory}, and it cannot be found (${errnoOf(error)}).`]
  }
}

/** @returns the error when a token is seen alive */
async function proveEnd(session: Session, when: 'now' | 'try'): Promise<KubepassError | undefined> {
  const { atOnce, client, evidence, hurry, options, receipt, signal, tokens, platform } = session
  // After Ctrl-C a person waits, and the API server's cache outlasts the time that is left.
  const isHasty = (): boolean => !platform.isCI && signal.aborted
  const limit = AbortSignal.any([hurry, atOnce])
  platform.progress('waiting for the API server to refuse the token')
  const revokedAt = evidence.revoked === null ? Date.now() : Date.parse(evidence.revoked.at)
  const verdicts = await Promise.all(
    [...tokens].map(async ([id, { token }]) => ({ id, ...(await prove(client, token, options.proofSamples, revokedAt, isHasty, limit)) })),
  )
  const proofs = verdicts.flatMap((verdict) => (verdict.is === 'dead' ? [verdict.proof] : []))
  if (proofs.length === verdicts.length) {
    const untried = receipt.credentials.filter((credential) => isToken(credential) && !tokens.has(idOf(credential)))
    const unseen = [...untried.map((credential) => credential.deadBy), ...session.unseen].filter(mayLive)
    if (unseen.length > 0) {
      platform.say(`The newest token is refused; of ${unseen.length} before or behind it that was not seen.`)
      return undefined
    }
    const samples = Math.min(...proofs.map((proof) => proof.samples))
    const seconds = Math.max(...proofs.map((proof) => proof.seconds))
    evidence.proven = { dead_at: new Date().toISOString(), samples, seconds_after_revocation: seconds }
  } else if (when === 'try' || limit.aborted || isHasty())
    platform.say(`There was no time for the proof.${isHasty() ? ' The API server believes an accepted token for 10 s.' : ''}`)
  else if (verdicts.every(({ is }) => is !== 'alive'))
    await warn(session, 'The API server gave no clear answer to the revoked token: that it is dead is not proven.')
  else {
    const alive = receipt.credentials.filter((credential) => verdicts.some(({ id, is }) => is === 'alive' && id === idOf(credential)))
    for (const credential of alive) note(session, credential, { revoked: undefined })
    evidence.revoked = null
    return new KubepassError(
      'NOT_REVOKED',
      `Its Secret is deleted, but the API server still accepts the token. It is dead by ${deadBy(alive) ?? ''} at the latest.`,
      {
        hint: 'The API server caches an accepted token for 10 s; is there another cache, or a replica that lags behind?',
      },
    )
  }
  return undefined
}
