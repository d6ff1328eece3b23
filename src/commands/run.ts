import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { limitOf } from '../base/deadline.ts'
import { describe } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { isoTime } from '../base/time.ts'
import { issue, verify } from '../lifecycle/acquire.ts'
import { finish, rescueOf } from '../lifecycle/cleanup.ts'
import { leaveToLaterSteps } from '../lifecycle/deliver.ts'
import { report } from '../lifecycle/report.ts'
import { choose, type Context, openSession, readOptions, saveFirst } from '../lifecycle/session.ts'
import { runScan } from '../lifecycle/use.ts'
import { scanFailure } from '../scan/failure.ts'
import { requireIsolation } from '../scan/isolation.ts'
import { writeKubeconfig } from '../scan/kubeconfig-file.ts'
import { makeNamedPipes } from '../scan/named-pipes.ts'
import { makeDirectory } from '../scan/private-directory.ts'
import { failWith } from '../state/evidence.ts'
import { anchorNames, newReceipt } from '../state/run-state.ts'
import { refuseOptions } from '../system/node-runtime.ts'
import { podTokenFolder } from '../system/pod.ts'

/**
 * The whole story: a credential is issued, verified, handed to one command, taken back and proven dead.
 * Without a command it is left for the later steps, and the post step takes it back.
 * @returns the exit code
 */
export async function start(context: Context): Promise<number> {
  saveFirst(context, 'none')
  refuseOptions(context.platform.env)
  const asked = await readOptions(context, 'start')
  if (asked.isolate === 'required') await requireIsolation(podTokenFolder())
  const chosen = await choose(context, asked)
  const { options } = chosen
  const session = openSession(context, chosen, newReceipt(options, context.platform.run, context.platform.runKey), 'all')
  context.rescue = rescueOf(session, context.platform.hasPost)
  const beforeScan = limitOf(options.deadline, context.signal)
  saveFirst(context, session.receipt)
  try {
    session.directory = makeDirectory(session.receipt.directory, context.platform.uid, options.certificateAuthority)
  } catch (error) {
    context.platform.forgetReceipt()
    throw error
  }
  let exitCode = 0
  let failure: unknown
  let whyNoPipes: Promise<string | undefined> = Promise.resolve(undefined)
  try {
    const [name] = anchorNames(context.platform.run, session.receipt)
    context.platform.progress('asking for a token')
    const issuing = issue(session, name, beforeScan)
    // Begun while the API server is waited for.
    if (options.command !== undefined) whyNoPipes = makeNamedPipes(session.receipt.directory)
    const credential = await issuing
    context.platform.say(`Issued a credential for ${quote(session.evidence.asked.service_account)} until ${isoTime(credential.expiresAt)}.`)
    await verify(session, credential, beforeScan)
    const kubeconfig = writeKubeconfig(session.receipt.directory, options, credential.token, context.platform.uid)
    if (options.command === undefined) await leaveToLaterSteps(session, credential, kubeconfig)
    else exitCode = await runScan(session, options.command, credential, kubeconfig, whyNoPipes)
    // A signal that has come is seen when the event loop turns.
    await setImmediate()
    context.signal.throwIfAborted()
  } catch (error) {
    failure = error
    failWith(session.evidence, error)
  }
  // The program that makes the pipes must not be at work while the directory is removed.
  await Promise.race([whyNoPipes, aborted(context.hurry)])
  if (options.command !== undefined || failure !== undefined) {
    const worse = await finish(session, context.platform.hasPost)
    if (worse !== undefined && failure !== undefined) await context.platform.fail(describe(failure))
    failure = worse ?? failure ?? context.signal.reason
  }
  await report(session)
  if (failure !== undefined) throw failure as Error
  const { used } = session.evidence
  if (context.platform.isCI && exitCode !== 0 && used !== null)
    await context.platform.fail(scanFailure(used, options.acceptExitCodes, context.platform.nameOf('accept_exit_codes')))
  return exitCode
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}
