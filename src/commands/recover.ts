import { dirname } from 'node:path'
import { describe, KubepassError } from '../base/errors.ts'
import { baseDirectory } from '../config/paths.ts'
import { finish, rescueOf } from '../lifecycle/cleanup.ts'
import { report } from '../lifecycle/report.ts'
import { choose, type Chosen, type Context, openSession, readOptions, type Session } from '../lifecycle/session.ts'
import { readLeftToken } from '../scan/kubeconfig-file.ts'
import { removeKubeconfig } from '../scan/private-directory.ts'
import { anchorPrefix } from '../state/job.ts'
import { parseReceipt } from '../state/run-state-codec.ts'
import { anchorNames, deadBy, idOf, isTokenOf, isVoid, newCredential, newReceipt, type Receipt } from '../state/run-state.ts'
import { putAsideOptions } from '../system/node-runtime.ts'
import { jwtOf } from '../token/jwt.ts'

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
  context.rescue = rescueOf(session, false)
  const { proven, revoked } = session.evidence
  const failure = await finish(session, false)
  // What main has told already is not told again.
  if (revoked === null || session.evidence.proven !== proven || failure !== undefined) await report(session)
  if (failure !== undefined) throw failure
  return 0
}

const NOTHING_ASKED = 'Main asked for nothing, so there is nothing to revoke.'

async function openAgain(context: Context, receipt: Receipt | undefined): Promise<Session> {
  const chosen = await choose(context, await readOptions(context, 'finish'), true)
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
  const session = openSession(context, chosen, receipt, 'receipt')
  findLeftToken(session)
  return session
}

async function cannotOpen({ platform }: Context, receipt: Receipt | undefined, cause: unknown): Promise<number> {
  const why = receipt && removeKubeconfig(receipt.directory, baseDirectory(platform), platform.uid)
  if (why !== undefined) await platform.warn(`The directory ${receipt?.directory ?? ''} was not removed: ${why}.`)
  if (receipt !== undefined && isVoid(receipt)) return 0
  if (receipt !== undefined && receipt.evidence.revoked !== null) {
    await platform.warn(`It was revoked ${receipt.evidence.revoked.at}, but whether that holds could not be asked. ${describe(cause)}`)
    return 0
  }
  const latest = receipt === undefined ? null : deadBy(receipt.credentials)
  const until = latest === null ? 'at its own expiry' : `by ${latest}`
  const hint = cause instanceof KubepassError ? cause.hint : undefined
  throw new KubepassError('NOT_REVOKED', `The credential, if it was issued, was not revoked here. It is dead ${until}.`, { cause, hint })
}

/** Where all names follow from the job a receipt is a hint, for the proof and the record; main may be at work still. */
async function settleByNames(context: Context, runKey: string): Promise<number> {
  const { platform } = context
  const text = platform.readReceipt()
  const hint = parseReceipt(text ?? '', anchorPrefix(platform.run))
  // The scan can have emptied it, or the run was killed before it had asked for anything: only the API server knows.
  if (!platform.isCI) platform.say('The receipt says nothing: its name is believed, and the flags, which must be those of the run.')
  let chosen: Chosen
  try {
    chosen = await choose(context, await readOptions(context, 'finish'), true)
  } catch (cause) {
    // A person can call again, with the right flags.
    if (!platform.isCI) throw cause
    if (hint !== undefined) return cannotOpen(context, hint, cause)
    // With these inputs main got no further, if they were its own.
    if (text === 'none') platform.say(NOTHING_ASKED)
    else await platform.warn(`Nothing could be asked. If it was so when the job began, nothing was issued. ${describe(cause)}`)
    return 0
  }
  const derived = derivedReceipt(context, chosen, runKey)
  const unbound = chosen.options.revocation === 'best-effort'
  const known = hint !== undefined && tellsOf(hint, derived, unbound)
  const session = openSession(context, chosen, known ? asked(hint, derived) : derived, known ? 'receipt' : 'names')
  findLeftToken(session)
  context.rescue = rescueOf(session, false)
  const { proven, revoked } = session.evidence
  const failure = await finish(session, false)
  // The record is main's, unless there is more to tell than main can know.
  if (session.evidence.revoked !== revoked || session.evidence.proven !== proven) await report(session)
  if (failure === undefined) return 0
  if (known) throw failure
  throw new KubepassError(
    'NOT_REVOKED',
    `If main has not revoked its credential, that lives until ${deadBy(derived.credentials)} at the latest.`,
    { cause: failure, hint: failure.hint },
  )
}

/** Under each name that the run's anchors can have, the most that can be. */
function derivedReceipt({ platform }: Context, { options }: Chosen, runKey: string): Receipt {
  const receipt = newReceipt(options, platform.run, runKey)
  return {
    ...receipt,
    credentials: anchorNames(platform.run, receipt).map((name) => ({ ...newCredential(options, name), reached: 'token' })),
  }
}

/**
 * All names are asked for, whatever the hint says: that nothing exists is a reason only not to be sorry when there is no
 * answer. Where no anchor could be made there is none.
 */
function asked(hint: Receipt, derived: Receipt): Receipt {
  const unbound = hint.credentials.filter(({ anchor }) => anchor === undefined)
  if (unbound.length > 0 && unbound.length === hint.credentials.length) return hint
  const told = derived.credentials.map((credential) => {
    const same = hint.credentials.find(({ anchor }) => anchor?.name === credential.anchor?.name)
    return { ...credential, reached: 'nothing' as const, ...same, anchor: credential.anchor }
  })
  return { ...hint, credentials: [...unbound, ...told] }
}

/** @param unbound without an anchor, too: only who accepts that may be told so */
function tellsOf(receipt: Receipt, { server, namespace, credentials, directory }: Receipt, unbound: boolean): boolean {
  const names = credentials.map(({ anchor }) => anchor?.name)
  const anchored = receipt.credentials.every(({ anchor }) => (anchor === undefined ? unbound : names.includes(anchor.name)))
  return anchored && receipt.server === server && receipt.namespace === namespace && receipt.directory === directory
}

/** Takes up the token in our own directory, if the receipt tells of it. It was put there when the API server had accepted it. */
function findLeftToken({ evidence, options, platform, receipt, seal, tokens }: Session): void {
  const { credentials, directory } = receipt
  const unneeded = options.prove === 'off' || evidence.proven !== null || evidence.verified === null
  if (unneeded || dirname(directory) !== options.directory) return
  const token = readLeftToken(directory, platform.uid, seal)
  const claims = token === undefined ? undefined : jwtOf(token)?.claims
  const its = claims === undefined ? undefined : credentials.find((credential) => isTokenOf(credential, claims))
  if (token !== undefined && its !== undefined) tokens.set(idOf(its), { token, deadBy: its.deadBy })
}
