import { dirname } from 'node:path'
import { decodeJwt } from './credential.ts'
import { describe, KubepassError } from './errors.ts'
import { finish } from './finish.ts'
import { anchorPrefix } from './job.ts'
import { readLeftToken, removeKubeconfig } from './kubeconfig.ts'
import { baseDirectory, parseOptions } from './options.ts'
import { parseReceipt, type Receipt } from './receipt.ts'
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
  if (text === undefined) {
    await platform.warn('There is no receipt. If main issued a credential, it is not revoked here, and dies at its own expiry.')
    return 0
  }
  const receipt = parseReceipt(text, anchorPrefix(platform.run))
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
  // What main has told already is not told again.
  if (revoked === null || session.evidence.proven !== proven || failure !== undefined) await report(session)
  if (failure !== undefined) throw failure
  return 0
}

async function openAgain(context: Context, receipt: Receipt | undefined): Promise<Session> {
  const chosen = await choose(context, parseOptions(context.platform, context.seal, 'finish'))
  const { options } = chosen
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

/** The token in our own directory, if it is the one that the receipt tells of. */
function leftToken({ evidence, options, platform, receipt, seal }: Session): Secret | undefined {
  const { directory, jti } = receipt
  if (options.prove === 'off' || evidence.proven !== null || jti === undefined || dirname(directory) !== options.directory) return undefined
  const token = readLeftToken(directory, platform.uid, seal)
  return token !== undefined && decodeJwt(token.reveal())?.claims['jti'] === jti ? token : undefined
}
