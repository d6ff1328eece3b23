import { dirname } from 'node:path'
import { jwtOf } from './credential.ts'
import { describe, KubepassError } from './errors.ts'
import { finish } from './finish.ts'
import { anchorPrefix } from './job.ts'
import { readLeftToken, removeKubeconfig } from './kubeconfig.ts'
import { baseDirectory, parseOptions } from './options.ts'
import { newReceipt, parseReceipt, type Receipt } from './receipt.ts'
import { putAsideOptions } from './runtime.ts'
import type { Secret } from './secret.ts'
import { choose, openSession, report, type Chosen, type Context, type Session } from './session.ts'

/**
 * The net: finishes the run that came before, however far it got. It asks for a fresh identity, and believes
 * what it was handed nothing that the inputs do not confirm.
 * @returns the exit code
 */
export function settle(context: Context): Promise<number> {
  const { env, runKey } = context.platform
  putAsideOptions(env)
  return runKey === undefined ? settleByReceipt(context) : settleByNames(context, runKey)
}

async function settleByReceipt(context: Context): Promise<number> {
  const { platform } = context
  const text = platform.readReceipt()
  if (text === 'none') {
    platform.say(NOTHING_ASKED)
    platform.forgetReceipt()
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
    return cannotOpen(context, receipt, cause)
  }
  const { proven, revoked } = session.evidence
  const failure = await finish(session, false)
  // What main has told already is not told again.
  if (revoked === null || session.evidence.proven !== proven || failure !== undefined) await report(session)
  if (failure !== undefined) throw failure
  return 0
}

const NOTHING_ASKED = 'Main asked for nothing, so there is nothing to revoke.'

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

async function cannotOpen({ platform }: Context, receipt: Receipt | undefined, cause: unknown): Promise<number> {
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

/** Where all names follow from the job a receipt is a hint, for the proof and the record; main may be at work still. */
async function settleByNames(context: Context, runKey: string): Promise<number> {
  const { platform, seal } = context
  const text = platform.readReceipt()
  const hint = parseReceipt(text ?? '', anchorPrefix(platform.run))
  // The scan can have emptied it, or the run was killed before it had asked for anything: only the API server knows.
  if (!platform.isCI) platform.say('The receipt says nothing: its name is believed, and the flags, which must be those of the run.')
  let chosen: Chosen
  try {
    chosen = await choose(context, parseOptions(platform, seal, 'finish'))
  } catch (cause) {
    // A person can call again, with the right flags.
    if (!platform.isCI) throw cause
    if (hint !== undefined) return cannotOpen(context, hint, cause)
    // With these inputs main got no further, if they were its own.
    if (text === 'none') platform.say(NOTHING_ASKED)
    else await platform.warn(`Nothing could be asked. If it was so when the job began, nothing was issued. ${describe(cause)}`)
    return 0
  }
  const derived: Receipt = { ...newReceipt(chosen.options, platform.run, runKey), reached: 'token' }
  const unbound = chosen.options.revocation === 'best-effort'
  const known = hint !== undefined && tellsOf(hint, derived, unbound)
  const session = openSession(context, chosen, known ? asked(hint, derived.anchor) : derived, !known)
  session.token = leftToken(session)
  const { proven, revoked } = session.evidence
  const failure = await finish(session, false)
  // The record is main's, unless there is more to tell than main can know.
  if (session.evidence.revoked !== revoked || session.evidence.proven !== proven) await report(session)
  if (failure === undefined) return 0
  if (known) throw failure
  throw new KubepassError('NOT_REVOKED', `If main has not revoked its credential, that lives until ${derived.deadBy} at the latest.`, {
    cause: failure,
    hint: failure.hint,
  })
}

/** That nothing exists is no reason not to ask: only not to be sorry when there is no answer. */
function asked(hint: Receipt, anchor: Receipt['anchor']): Receipt {
  const evidence = { ...hint.evidence, finished: hint.evidence.finished || hint.reached === 'nothing' }
  return { ...hint, anchor: hint.anchor && anchor, evidence }
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
