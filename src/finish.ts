import { ending, failWith } from './evidence.ts'
import { describe, KubepassError } from './errors.ts'
import { removeKubeconfig } from './kubeconfig.ts'
import { deleteAnchor, prove } from './kube/revoke.ts'
import { markerOf } from './receipt.ts'
import { stopCarriers } from './scan.ts'
import { record, warn, type Session } from './session.ts'

/** Where no token can exist, an anchor is all there is to lose. */
const NO_TOKEN_MS = 5_000

/**
 * The one way a run ends, however it got here: stop the scan, revoke, remove the files, prove. It may run
 * any number of times.
 * @param postFollows a post step comes after this, and can prove
 * @returns the error when the credential could not be, and had to be, revoked
 */
export async function finish(session: Session, postFollows: boolean): Promise<KubepassError | undefined> {
  const { evidence, options, platform } = session
  await stopScan(session)
  const failure = await revoke(session)
  const leaveProof = postFollows && options.prove === 'post' && session.receipt.revokedAt !== undefined
  await removeFiles(session, leaveProof)
  if (failure === undefined && !leaveProof) await proveEnd(session)
  session.client.close()
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
  if (session.exists === 'token') evidence.dead_by = deadBy
  if (anchor === undefined) return undefined
  const limit = AbortSignal.any([session.hurry, AbortSignal.timeout(session.exists === 'token' ? options.deadline : NO_TOKEN_MS)])
  try {
    const outcome = await deleteAnchor(client, await session.identity.bearer(limit), { namespace, ...anchor }, limit)
    if (outcome === 'deleted') record(session, { revokedAt: new Date().toISOString() })
    else if (revokedAt === undefined && session.exists === 'token') {
      await warn(
        session,
        `The Secret ${anchor.name} is not there: it was never created, or somebody else deleted it. If a token was issued, it is dead by ${deadBy}.`,
      )
    }
    if (session.receipt.revokedAt !== undefined && session.exists === 'token') evidence.revoked = { at: session.receipt.revokedAt }
    return undefined
  } catch (error) {
    if (session.exists === 'anchor') {
      await warn(session, `No token was issued, but the Secret ${anchor.name} may be left in namespace ${namespace}. ${describe(error)}`)
      return undefined
    }
    const hint = error instanceof KubepassError ? error.hint : undefined
    return new KubepassError('NOT_REVOKED', `The credential could not be revoked. It is dead by ${deadBy} at the latest.`, {
      cause: error,
      hint,
    })
  }
}

async function removeFiles(session: Session, keepToken: boolean): Promise<void> {
  const { options, platform, receipt } = session
  try {
    removeKubeconfig(receipt.directory, options.directory, platform.uid, keepToken)
  } catch {
    await warn(session, `The files in ${receipt.directory} could not all be removed.`)
  }
}

/** Proven is: accepted before, refused now. Anything less is called what it is. */
async function proveEnd(session: Session): Promise<void> {
  const { client, evidence, hurry, options, receipt, token, platform } = session
  if (options.prove === 'off' || receipt.provenAt !== undefined || token === undefined || !receipt.accepted || receipt.anchor === undefined)
    return
  platform.progress('waiting for the API server to refuse the token')
  const revokedAt = receipt.revokedAt === undefined ? Date.now() : Date.parse(receipt.revokedAt)
  const proof = await prove(client, token, options.proofSamples, revokedAt, AbortSignal.any([session.signal, hurry]))
  if (proof !== undefined) {
    const provenAt = new Date().toISOString()
    record(session, { provenAt })
    evidence.proven = { dead_at: provenAt, samples: proof.samples, seconds_after_revocation: proof.seconds }
  } else await warn(session, 'The API server was not seen to refuse the token in time: it is revoked, but that is not proven.')
}
