import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { deadlineAfter } from '../base/deadline.ts'
import { describe } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { isoTime } from '../base/time.ts'
import { acquire, verify } from '../lifecycle/acquire.ts'
import { cleanUp, emergencyCleanup } from '../lifecycle/cleanup.ts'
import { deliverToLaterSteps } from '../lifecycle/deliver.ts'
import { report } from '../lifecycle/report.ts'
import { resolveIdentity, type CommandContext, openRun, readOptions, writeStateOrThrow } from '../lifecycle/run-context.ts'
import { runScan } from '../lifecycle/use.ts'
import { scanFailure } from '../scan/failure.ts'
import { requireIsolation } from '../scan/isolation.ts'
import { writeKubeconfig } from '../scan/kubeconfig-file.ts'
import { makeNamedPipes } from '../scan/named-pipes.ts'
import { createPrivateDirectory } from '../scan/private-directory.ts'
import { setError } from '../state/evidence.ts'
import { boundSecretNames, newRunState } from '../state/run-state.ts'
import { rejectUnsafeNodeOptions } from '../system/node-runtime.ts'
import { podTokenFolder } from '../system/pod.ts'

/**
 * The whole story: a credential is issued, verified, handed to one command, taken back and proven dead.
 * Without a command it is left for the later steps, and the post step takes it back.
 * @returns the exit code
 */
export async function runCommand(context: CommandContext): Promise<number> {
  writeStateOrThrow(context, 'none')
  rejectUnsafeNodeOptions(context.platform.env)
  const asked = await readOptions(context, 'start')
  if (asked.isolate === 'required') await requireIsolation(podTokenFolder())
  const resolved = await resolveIdentity(context, asked)
  const { options } = resolved
  const run = openRun(context, resolved, newRunState(options, context.platform.job, context.platform.runKey), 'owner')
  context.emergencyCleanup = emergencyCleanup(run, context.platform.hasPost)
  const beforeScan = deadlineAfter(options.deadline, context.signal)
  writeStateOrThrow(context, run.state)
  try {
    run.directory = createPrivateDirectory(run.state.directory, context.platform.ownerUid, options.certificateAuthority)
  } catch (error) {
    context.platform.deleteState()
    throw error
  }
  let exitCode = 0
  let failure: unknown
  let whyNoPipes: Promise<string | undefined> = Promise.resolve(undefined)
  try {
    const [name] = boundSecretNames(context.platform.job, run.state)
    context.platform.progress('asking for a token')
    const issuing = acquire(run, name, beforeScan)
    // Begun while the API server is waited for.
    if (options.command !== undefined) whyNoPipes = makeNamedPipes(run.state.directory)
    const credential = await issuing
    context.platform.info(
      `Issued a credential for ${quote(run.evidence.requested.service_account)} until ${isoTime(credential.expiresAt)}.`,
    )
    await verify(run, credential, beforeScan)
    const kubeconfig = writeKubeconfig(run.state.directory, options, credential.token, context.platform.ownerUid)
    if (options.command === undefined) await deliverToLaterSteps(run, credential, kubeconfig)
    else exitCode = await runScan(run, options.command, credential, kubeconfig, whyNoPipes)
    // A signal that has come is seen when the event loop turns.
    await setImmediate()
    context.signal.throwIfAborted()
  } catch (error) {
    failure = error
    setError(run.evidence, error)
  }
  // The program that makes the pipes must not be at work while the directory is removed.
  await Promise.race([whyNoPipes, aborted(context.hardDeadline)])
  if (options.command !== undefined || failure !== undefined) {
    const worse = await cleanUp(run, context.platform.hasPost)
    if (worse !== undefined && failure !== undefined) await context.platform.error(describe(failure))
    failure = worse ?? failure ?? context.signal.reason
  }
  await report(run)
  if (failure !== undefined) throw failure as Error
  const { used } = run.evidence
  if (context.platform.isCI && exitCode !== 0 && used !== null)
    await context.platform.error(scanFailure(used, options.acceptExitCodes, context.platform.nameOf('accept_exit_codes')))
  return exitCode
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}
