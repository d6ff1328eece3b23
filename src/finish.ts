import { stopCarriers } from './carriers.ts'
import { ending, failWith } from './evidence.ts'
import { describe, KubepassError } from './errors.ts'
import { removeKubeconfig } from './kubeconfig.ts'
import { deleteAnchor, prove } from './kube/revoke.ts'
import { markerOf } from './receipt.ts'
import { record, warn, type Session } from './session.ts'

/** Where no token can exist, an anchor is all there is to lose. */
const NO_TOKEN_MS = 5_000
/** A CI reads at once; should it not, the revocation waits no longer than this. */
const DRAIN_MS = 10_000

/**
 * The one way a run ends, however it got here: stop the scan, revoke, remove the files, prove. It may run
 * any number of times.
 * @param postFollows a post step comes after this, and can prove what there is no time for now
 * @returns the error when the credential could not be, and had to be, revoked; else that of a scan that spoke in our name
 */
export async function finish(session: Session, postFollows: boolean): Promise<KubepassError | undefined> {
  const { evidence, options, platform } = session
  await stopScan(session)
  const tampered = restoreCommandFiles(session)
  let failure = await revoke(session, postFollows)
  // A person may read slowly; the credential does not wait for that.
  if (!platform.isCI) await session.scan?.drain(session.hurry)
  const proof = failure === undefined ? whenToProve(session, postFollows) : 'never'
  let clean = await removeFiles(session, proof === 'later' || proof === 'try')
  if (proof === 'now' || proof === 'try') failure = await proveEnd(session, proof)
  if (proof === 'try' && evidence.proven !== null) clean = await removeFiles(session, false)
  session.client.close()
  evidence.finished = true
  record(session)
  if (failure === undefined && clean) platform.forgetReceipt()
  if (evidence.missing && platform.runKey !== undefined && evidence.proven === null) platform.say('Nothing of this job is left to revoke.')
  else if (!session.blind || evidence.revoked !== null) platform.say(`Credential: ${ending(evidence)}.`)
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

async function stopScan(session: Session): Promise<void> {
  const { used, finished } = session.evidence
  // Where a receipt is only a hint, it does not say that there is no scan.
  if (session.platform.runKey === undefined && (finished || used === null)) return
  const { outlived, left } = await (session.scan?.stop() ?? stopCarriers(markerOf(session.receipt)))
  // The host takes commands from us, masks above all, only behind the scan's last word.
  if (session.platform.isCI) await session.scan?.drain(AbortSignal.any([session.hurry, AbortSignal.timeout(DRAIN_MS)]))
  if (outlived > 0)
    await warn(session, `${outlived} process(es) outlived the scan and were ended${left > 0 ? `; ${left} could not be` : ''}.`)
}

function restoreCommandFiles({ evidence, platform }: Session): KubepassError | undefined {
  const { changed, left } = platform.restoreCommandFiles()
  if (changed.length === 0 && left.length === 0) return undefined
  const tampered = new KubepassError(
    'TAMPERED',
    `The scan wrote to files by which a step speaks to its runner: ${[...new Set([...changed, ...left])].join(', ')}. ` +
      (left.length === 0 ? 'What it wrote there was removed.' : `What it wrote to ${left.join(', ')} could not be removed.`),
    { hint: 'If it is meant to, name the file in pass_env; or set what later steps need in a step of its own.' },
  )
  failWith(evidence, tampered)
  return tampered
}

async function revoke(session: Session, postFollows: boolean): Promise<KubepassError | undefined> {
  const { client, evidence, options, platform, receipt } = session
  const { anchor, namespace, deadBy } = receipt
  const tokenMayLive = receipt.reached === 'token'
  if (tokenMayLive) evidence.dead_by = deadBy
  if (anchor === undefined)
    return tokenMayLive && options.revocation === 'required' ? notRevoked(deadBy, 'It is bound to nothing.') : undefined
  // Main knows that nothing exists; who comes later, and has only the receipt's word for it, asks.
  if (receipt.reached === 'nothing' && !evidence.finished) return undefined
  const limit = AbortSignal.any([session.hurry, AbortSignal.timeout(tokenMayLive ? options.deadline : NO_TOKEN_MS)])
  let outcome: 'deleted' | 'gone'
  try {
    outcome = await deleteAnchor(client, await session.identity.authInfo(limit), { namespace, ...anchor }, limit)
  } catch (error) {
    if (receipt.reached === 'nothing') return undefined
    if (!tokenMayLive)
      await warn(session, `No token was issued, but the Secret ${anchor.name} may be left in namespace ${namespace}. ${describe(error)}`)
    else if (evidence.revoked === null) return notRevoked(deadBy, error)
    else await warn(session, `It was revoked before, but whether that holds could not be asked. ${describe(error)}`)
    return undefined
  }
  if (outcome === 'deleted') evidence.revoked = tokenMayLive ? { at: new Date().toISOString() } : null
  else if (evidence.revoked === null) {
    evidence.missing = tokenMayLive
    // Where post needs no receipt it may be at work beside a main that was stopped: whoever comes second finds nothing.
    if (platform.runKey !== undefined && (!postFollows || session.signal.aborted)) return undefined
    await warn(
      session,
      `The Secret ${anchor.name} is not there: it was never created, or somebody else deleted it. If a token was issued, it is dead by ${deadBy}.`,
    )
  }
  record(session)
  return undefined
}

function notRevoked(deadBy: string, cause: unknown): KubepassError {
  const hint = cause instanceof KubepassError ? cause.hint : undefined
  return new KubepassError('NOT_REVOKED', `The credential could not be revoked. It is dead by ${deadBy} at the latest.`, { cause, hint })
}

/** Try means: if it cannot be done in the time that is left, post does it. */
function whenToProve({ evidence, options, receipt, signal, token }: Session, postFollows: boolean): 'now' | 'try' | 'later' | 'never' {
  if (receipt.reached !== 'token' || receipt.anchor === undefined || evidence.proven !== null) return 'never'
  // Proven is: accepted before, refused now. Anything less is called what it is.
  if (options.prove === 'off' || token === undefined || evidence.verified === null) return 'never'
  if (!postFollows) return 'now'
  return options.prove === 'post' ? 'later' : signal.aborted ? 'try' : 'now'
}

/** @returns whether nothing is left that should not be */
async function removeFiles(session: Session, keepToken: boolean): Promise<boolean> {
  const { options, platform, receipt } = session
  try {
    if (removeKubeconfig(receipt.directory, options.directory, platform.uid, keepToken)) return !keepToken
  } catch {
    // Said below.
  }
  await warn(session, `The directory ${receipt.directory} was not removed: it does not lie in ${options.directory}, or is not ours.`)
  return false
}

/** @returns the error when the token is seen alive */
async function proveEnd(session: Session, when: 'now' | 'try'): Promise<KubepassError | undefined> {
  const { client, evidence, hurry, options, receipt, token, platform } = session
  if (token === undefined) return undefined
  platform.progress('waiting for the API server to refuse the token')
  const revokedAt = evidence.revoked === null ? Date.now() : Date.parse(evidence.revoked.at)
  const verdict = await prove(client, token, options.proofSamples, revokedAt, hurry)
  if (verdict.is === 'dead') {
    const { samples, seconds } = verdict.proof
    evidence.proven = { dead_at: new Date().toISOString(), samples, seconds_after_revocation: seconds }
  } else if (when === 'try' || hurry.aborted) platform.say('There was no time for the proof.')
  else if (verdict.is === 'unclear')
    await warn(session, 'The API server gave no clear answer to the revoked token: that it is dead is not proven.')
  else {
    evidence.revoked = null
    return new KubepassError(
      'NOT_REVOKED',
      `Its Secret is deleted, but the API server still accepts the token. It is dead by ${receipt.deadBy} at the latest.`,
      {
        hint: 'The API server caches an accepted token for 10 s; is there another cache, or a replica that lags behind?',
      },
    )
  }
  return undefined
}
