import { stopCarriers } from './carriers.ts'
import { ending, failWith } from './evidence.ts'
import { describe, KubepassError } from './errors.ts'
import { removeKubeconfig } from './kubeconfig.ts'
import { deleteAnchor, prove } from './kube/revoke.ts'
import { markerOf } from './receipt.ts'
import { record, warn, type Session } from './session.ts'

/** Where no token can exist, an anchor is all there is to lose. */
const NO_TOKEN_MS = 5_000

/**
 * The one way a run ends, however it got here: stop the scan, revoke, remove the files, prove. It may run
 * any number of times.
 * @param postFollows a post step comes after this, and can prove what there is no time for now
 * @returns the error when the credential could not be, and had to be, revoked
 */
export async function finish(session: Session, postFollows: boolean): Promise<KubepassError | undefined> {
  const { evidence, options, platform, signal } = session
  await stopScan(session)
  let failure = await revoke(session)
  const toBeRevoked = session.exists === 'token' && session.receipt.anchor !== undefined && failure === undefined
  const leaveProof = postFollows && toBeRevoked && (options.prove === 'post' || (options.prove === 'wait' && signal.aborted))
  await removeFiles(session, leaveProof)
  if (toBeRevoked && !(leaveProof && options.prove === 'post')) failure = await proveEnd(session, leaveProof)
  if (leaveProof && session.receipt.proof !== undefined) await removeFiles(session, false)
  session.client.close()
  evidence.finished = true
  if (failure === undefined) record(session, { over: true })
  platform.say(`Credential: ${ending(evidence)}.`)
  if (failure === undefined) return undefined
  if (options.revocation === 'best-effort') {
    await warn(session, describe(failure))
    return undefined
  }
  failWith(evidence, failure)
  return failure
}

async function stopScan(session: Session): Promise<void> {
  const { scanning, over } = session.receipt
  if (!scanning || over) return
  const { outlived, left } = await (session.scan?.stop() ?? stopCarriers(markerOf(session.receipt)))
  if (outlived > 0)
    await warn(session, `${outlived} process(es) outlived the scan and were ended${left > 0 ? `; ${left} could not be` : ''}.`)
}

async function revoke(session: Session): Promise<KubepassError | undefined> {
  const { client, evidence, options, receipt } = session
  const { anchor, namespace, revokedAt, deadBy } = receipt
  if (session.exists === 'nothing') {
    record(session, { nothingIssued: true })
    return undefined
  }
  const tokenMayLive = session.exists === 'token'
  if (tokenMayLive) evidence.dead_by = deadBy
  if (anchor === undefined) return undefined
  const limit = AbortSignal.any([session.hurry, AbortSignal.timeout(tokenMayLive ? options.deadline : NO_TOKEN_MS)])
  try {
    const outcome = await deleteAnchor(client, await session.identity.bearer(limit), { namespace, ...anchor }, limit)
    if (outcome === 'deleted') record(session, { revokedAt: new Date().toISOString() })
    else if (revokedAt === undefined && tokenMayLive) {
      await warn(
        session,
        `The Secret ${anchor.name} is not there: it was never created, or somebody else deleted it. If a token was issued, it is dead by ${deadBy}.`,
      )
    }
  } catch (error) {
    if (!tokenMayLive) {
      await warn(session, `No token was issued, but the Secret ${anchor.name} may be left in namespace ${namespace}. ${describe(error)}`)
    } else if (revokedAt === undefined) {
      const hint = error instanceof KubepassError ? error.hint : undefined
      return new KubepassError('NOT_REVOKED', `The credential could not be revoked. It is dead by ${deadBy} at the latest.`, {
        cause: error,
        hint,
      })
    } else await warn(session, `It was revoked before, but whether that holds could not be asked. ${describe(error)}`)
  }
  if (session.receipt.revokedAt !== undefined && tokenMayLive) evidence.revoked = { at: session.receipt.revokedAt }
  return undefined
}

async function removeFiles(session: Session, keepToken: boolean): Promise<void> {
  const { options, platform, receipt } = session
  try {
    removeKubeconfig(receipt.directory, options.directory, platform.uid, keepToken)
  } catch {
    await warn(session, `The files in ${receipt.directory} could not all be removed.`)
  }
}

/**
 * Proven is: accepted before, refused now. Anything less is called what it is.
 * @param mayWait the proof can be made later
 * @returns the error when the token is seen alive
 */
async function proveEnd(session: Session, mayWait: boolean): Promise<KubepassError | undefined> {
  const { client, evidence, hurry, options, receipt, token, platform } = session
  if (receipt.proof !== undefined) {
    evidence.proven = receipt.proof
    return undefined
  }
  if (options.prove === 'off' || token === undefined || receipt.verified === undefined) return undefined
  platform.progress('waiting for the API server to refuse the token')
  const revokedAt = receipt.revokedAt === undefined ? Date.now() : Date.parse(receipt.revokedAt)
  const verdict = await prove(client, token, options.proofSamples, revokedAt, hurry)
  if (verdict.is === 'dead') {
    const { samples, seconds } = verdict.proof
    evidence.proven = { dead_at: new Date().toISOString(), samples, seconds_after_revocation: seconds }
    record(session, { proof: evidence.proven })
  } else if (mayWait || hurry.aborted) platform.say('There was no time for the proof.')
  else if (verdict.is === 'unclear')
    await warn(session, 'The API server gave no clear answer to the revoked token: that it is dead is not proven.')
  else {
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
