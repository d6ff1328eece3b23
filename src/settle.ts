import { dirname } from 'node:path'
import { jwtOf } from './credential.ts'
import { describe, KubepassError } from './errors.ts'
import { finish } from './finish.ts'
import { anchorPrefix } from './job.ts'
import { readLeftToken, removeKubeconfig } from './kubeconfig.ts'
import { baseDirectory, parseOptions } from './options.ts'
import { newReceipt, parseReceipt, type Receipt } from './receipt.ts'
import type { Secret } from './secret.ts'
import { choose, openSession, report, type Context, type Session } from './session.ts'

/**
 * The net: finishes the run that a receipt tells of, however far it came. It asks for a fresh identity,
 * and believes the receipt nothing that the inputs do not confirm.
 * @returns the exit code
 */
export async function settle(context: Context): Promise<number> {
  const { platform } = context
  const text = platform.readReceipt()
  if (text === 'none') {
    platform.say('Main asked for nothing, so there is nothing to revoke.')
    return 0
  }
  if (text === undefined && platform.runKey === undefined) {
    await platform.warn('There is no receipt. If main issued a credential, it is not revoked here, and dies at its own expiry.')
    return 0
  }
  const receipt = parseReceipt(text ?? '', anchorPrefix(platform.run))
  let session: Session
  try {
    session = await openAgain(context, receipt)
  } catch (cause) {
    if (receipt !== undefined) removeKubeconfig(receipt.directory, baseDirectory(platform), platform.uid)
    if (receipt?.reached === 'nothing') return 0
    if (receipt !== undefined && receipt.evidence.revoked !== null) {
      await platform.warn(`It was revoked ${receipt.evidence.revoked.at}, but whether that holds could not be asked. ${describe(cause)}`)
      return 0
    }
    const until = receipt === undefined ? 'at its own expiry' : `by ${receipt.deadBy}`
    const hint = cause instanceof KubepassError ? cause.hint : undefined
    throw new KubepassError('NOT_REVOKED', `The credential, if it was issued, was not revoked here. It is dead ${until}.`, { cause, hint })
  }
  const { proven, revoked } = session.evidence
  const failure = await finish(session, false)
  // What main has told already is not told again; and of a run of which nothing is known, nothing is.
  const news = session.blind ? session.evidence.revoked !== null : revoked === null || session.evidence.proven !== proven
  if (news || failure !== undefined) await report(session)
  if (failure !== undefined) throw failure
  return 0
}

async function openAgain(context: Context, receipt: Receipt | undefined): Promise<Session> {
  const { platform, seal } = context
  const chosen = await choose(context, parseOptions(platform, seal, 'finish'))
  const { options } = chosen
  if (platform.runKey !== undefined) {
    // The names can be derived: no receipt is needed, and none is believed that says otherwise.
    const derived = newReceipt(options, platform.run, platform.runKey)
    const known = receipt !== undefined && tellsOf(receipt, derived, options.revocation === 'best-effort')
    const anchor = receipt?.anchor && derived.anchor
    const session = openSession(context, chosen, known ? { ...receipt, anchor } : { ...derived, reached: 'token' }, !known)
    session.token = leftToken(session)
    return session
  }
  if (receipt?.server !== options.server || receipt.namespace !== options.serviceAccount.namespace) {
    throw new KubepassError(
      'NOT_REVOKED',
      'The receipt is not of this run, or its server and service_account are not those of the inputs.',
      {
        hint: 'Was it changed, by the scan perhaps, or are the inputs others than those of the run?',
      },
    )
  }
  const session = openSession(context, chosen, receipt)
  session.token = leftToken(session)
  return session
}

/** @param unbound without an anchor, too: only who accepts that may be told so */
function tellsOf(receipt: Receipt, { server, namespace, anchor, directory }: Receipt, unbound: boolean): boolean {
  const anchored = receipt.anchor === undefined ? unbound : receipt.anchor.name === anchor?.name
  return anchored && receipt.server === server && receipt.namespace === namespace && receipt.directory === directory
}

/** The token in our own directory, if it is the one that the receipt tells of. */
function leftToken({ evidence, options, platform, receipt, seal }: Session): Secret | undefined {
  const { directory, jti } = receipt
  if (options.prove === 'off' || evidence.proven !== null || jti === undefined || dirname(directory) !== options.directory) return undefined
  const token = readLeftToken(directory, platform.uid, seal)
  return token !== undefined && jwtOf(token)?.claims['jti'] === jti ? token : undefined
}
