import { dirname } from 'node:path'
import { decodeJwt } from './credential.ts'
import { KubepassError } from './errors.ts'
import { finish } from './finish.ts'
import { readLeftToken } from './kubeconfig.ts'
import { parseOptions, type Options } from './options.ts'
import { anchorPrefix, parseReceipt } from './receipt.ts'
import type { Secret } from './secret.ts'
import { openSession, report, type Context, type Session } from './session.ts'

/**
 * The net: finishes the run that a receipt tells of, however far it came. It asks for a fresh identity,
 * and believes the receipt nothing that the inputs do not confirm.
 * @returns the exit code
 */
export async function settle(context: Context): Promise<number> {
  const { platform } = context
  const text = platform.readReceipt()
  if (text === undefined) {
    platform.say('Nothing was issued, so there is nothing to revoke.')
    return 0
  }
  const options = readOptions(context)
  const receipt = parseReceipt(text, anchorPrefix(platform.run))
  if (receipt?.server !== options.server.href || receipt.namespace !== options.serviceAccount.namespace) {
    throw new KubepassError(
      'NOT_REVOKED',
      'The saved receipt does not belong to this run and these inputs, so nothing was revoked by it.',
      {
        hint: 'Something changed the state of this step, or its inputs: look at the scan. The credential dies at its own expiry.',
      },
    )
  }
  if (receipt.nothingIssued) {
    platform.say('Nothing was issued, so there is nothing to revoke.')
    return 0
  }
  const session = openSession(context, options, receipt)
  session.exists = 'token'
  session.token = leftToken(session)
  const failure = await finish(session, false)
  // What main has told already is not told again.
  if (receipt.revokedAt === undefined || session.receipt.provenAt !== receipt.provenAt || failure !== undefined) await report(session)
  if (failure !== undefined) throw failure
  return 0
}

function readOptions({ platform, seal }: Context): Options {
  try {
    return parseOptions(platform, seal)
  } catch (error) {
    throw new KubepassError('NOT_REVOKED', 'The inputs that were good enough to issue a credential are not so now: it was not revoked.', {
      cause: error,
    })
  }
}

/** The token in our own directory, if it is the one that the receipt tells of. */
function leftToken({ options, platform, receipt, seal }: Session): Secret | undefined {
  const { directory, jti } = receipt
  if (jti === undefined || dirname(directory) !== options.directory) return undefined
  const token = readLeftToken(directory, platform.uid, seal)
  return token !== undefined && decodeJwt(token.reveal())?.claims['jti'] === jti ? token : undefined
}
