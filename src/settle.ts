import { realpathSync } from 'node:fs'
import { dirname } from 'node:path'
import { describe, KubepassError } from './errors.ts'
import { decodeJwt } from './credential.ts'
import { finish } from './finish.ts'
import { readLeftToken, removeKubeconfig } from './kubeconfig.ts'
import { parseOptions, type Options } from './options.ts'
import { anchorPrefix } from './job.ts'
import { parseReceipt, type Receipt } from './receipt.ts'
import type { Platform } from './platform/platform.ts'
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
    platform.say('There is no receipt: main did not come so far as to issue anything.')
    return 0
  }
  const receipt = parseReceipt(text, anchorPrefix(platform.run))
  if (receipt?.nothingIssued) {
    platform.say('Nothing was issued, so there is nothing to revoke.')
    return 0
  }
  let session: Session
  try {
    session = openAgain(context, receipt)
  } catch (error) {
    if (receipt !== undefined) removeKubeconfig(receipt.directory, baseOf(platform), platform.uid)
    if (receipt?.revokedAt === undefined) throw error
    await platform.warn(`It was revoked ${receipt.revokedAt}, but whether that holds could not be asked. ${describe(error)}`)
    return 0
  }
  const failure = await finish(session, false)
  // What main has told already is not told again.
  if (receipt?.revokedAt === undefined || session.receipt.proof !== receipt.proof || failure !== undefined) await report(session)
  if (failure !== undefined) throw failure
  return 0
}

/** The session of the receipt's run; without the inputs and the identity that it needs, nothing can be revoked. */
function openAgain(context: Context, receipt: Receipt | undefined): Session {
  const until = receipt === undefined ? 'at its own expiry' : `by ${receipt.deadBy}`
  try {
    const options = readOptions(context)
    if (receipt?.server !== options.server || receipt.namespace !== options.serviceAccount.namespace) {
      throw new KubepassError('NOT_REVOKED', 'The saved receipt does not belong to this run and these inputs.', {
        hint: "Something changed this step's state or inputs: look at the scan.",
      })
    }
    const session = openSession(context, options, receipt)
    session.exists = 'token'
    session.token = leftToken(session)
    session.evidence.granted = receipt.granted ?? null
    session.evidence.verified = receipt.verified ?? null
    return session
  } catch (cause) {
    const hint = cause instanceof KubepassError ? cause.hint : undefined
    throw new KubepassError('NOT_REVOKED', `The credential, if it was issued, was not revoked here. It is dead ${until}.`, { cause, hint })
  }
}

function readOptions({ platform, seal }: Context): Options {
  // What only a run needs is not asked for: a program or a folder may be gone by now.
  const unused = new Set(['command', 'shell', 'evidence'])
  const evidence = platform.input('evidence')
  const source = {
    ...platform,
    hasLaterSteps: true,
    input: (id: Parameters<typeof platform.input>[0]) => (unused.has(id) ? undefined : platform.input(id)),
  }
  return { ...parseOptions(source, seal), evidence: evidence === '' ? undefined : evidence }
}

function baseOf(platform: Platform): string {
  const directory = platform.input('directory') ?? ''
  return realpathSync(directory === '' ? platform.temp : directory)
}

/** The token in our own directory, if it is the one that the receipt tells of. */
function leftToken({ options, platform, receipt, seal }: Session): Secret | undefined {
  const { directory, jti } = receipt
  if (options.prove === 'off' || receipt.proof !== undefined || jti === undefined || dirname(directory) !== options.directory)
    return undefined
  const token = readLeftToken(directory, platform.uid, seal)
  return token !== undefined && decodeJwt(token.reveal())?.claims['jti'] === jti ? token : undefined
}
