import { once } from 'node:events'
import { setImmediate } from 'node:timers/promises'
import { deadlineAfter } from '../base/deadline.ts'
import { describe } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { isoTime } from '../base/time.ts'
import { acquire, verify } from '../lifecycle/acquire.ts'
import { cleanUp, emergencyCleanup } from '../lifecycle/cleanup.ts'
import { deliver, deliverToLaterSteps, startApiProxy } from '../lifecycle/deliver.ts'
import { report } from '../lifecycle/report.ts'
import { saveOrThrow } from '../lifecycle/journal.ts'
import { nextSlot } from '../lifecycle/renewal-plan.ts'
import { recordScriptDigest } from '../lifecycle/read-program.ts'
import { openRun, readOptions, recordFailure, resolveIdentity, type CommandContext, type Run } from '../lifecycle/run-context.ts'
import { causeOfNoRequest } from '../lifecycle/unreached-proxy.ts'
import { runScan } from '../lifecycle/use.ts'
import { scanFailure } from '../scan/failure.ts'
import { requireIsolation } from '../scan/isolation.ts'
import { makeNamedPipes } from '../scan/named-pipes.ts'
import { createPrivateDirectory } from '../scan/private-directory.ts'
import { toEvidence } from '../state/evidence.ts'
import { newRunState } from '../state/run-state.ts'
import { rejectUnsafeNodeOptions } from '../system/node-runtime.ts'
import { podTokenFolder } from '../system/pod.ts'

/**
 * Acquires a credential, runs the command with it, revokes it and proves that it is dead. Without a command, later steps of the job use
 * the credential, and the post step revokes it.
 * @returns the exit code
 */
export async function runCommand(context: CommandContext): Promise<number> {
  const { platform } = context
  saveOrThrow(() => platform.savedState.save('none'))
  rejectUnsafeNodeOptions(platform.env)
  const requested = await readOptions(context, 'start')
  if (requested.isolate === 'required') await requireIsolation(podTokenFolder())
  const resolved = await resolveIdentity(context, requested)
  const run = openRun(context, resolved, newRunState(resolved.options, platform.job, platform.runKey), 'owner')
  context.emergencyCleanup = emergencyCleanup(run, platform.hasPost)
  const beforeScan = deadlineAfter(run.options.deadline, context.signal)
  prepare(run)
  const begun = run.journal.state
  const pipes: NamedPipes = { whyNot: Promise.resolve(undefined) }
  let exitCode = 0
  let failure: unknown
  try {
    exitCode = await acquireAndUse(run, beforeScan, pipes)
  } catch (error) {
    failure = error
    recordFailure(run, error)
  }
  // The program that makes the pipes must not run while kubepass removes their directory.
  await Promise.race([pipes.whyNot, untilAborted(context.hardDeadline)])
  if (run.options.command !== undefined || failure !== undefined) failure = await endAfter(run, failure)
  await run.programReading
  await report(run, begun, platform.hasPost)
  if (failure !== undefined) throw failure as Error
  await reportScanFailure(run, exitCode)
  return exitCode
}

/** The named pipes for the outputs of the scan, made while the API server works. */
interface NamedPipes {
  /** Undefined when they exist. */
  whyNot: Promise<string | undefined>
}

/** Saves the state and makes the private directory, before anything exists on the cluster. */
function prepare(run: Run): void {
  const { journal, options, platform } = run
  journal.begin()
  try {
    run.directoryDescriptor = createPrivateDirectory(journal.state.directory, platform.ownerUid, options.certificateAuthority)
  } catch (error) {
    journal.clear()
    throw error
  }
}

async function acquireAndUse(run: Run, beforeScan: AbortSignal, pipes: NamedPipes): Promise<number> {
  const { journal, options, platform, signal } = run
  const { directory } = journal.state
  platform.log.progress?.('asking for a token')
  const acquiring = acquire(run, nextSlot([], undefined), beforeScan)
  if (options.command !== undefined) pipes.whyNot = makeNamedPipes(directory)
  run.programReading = recordScriptDigest(run)
  const proxyStart = startApiProxy(run)
  // If both fail, the error of the request is the result. The cleanup must find a proxy that has started.
  const credential = await acquiring.finally(() => proxyStart.catch(() => undefined))
  const { namespace, name } = options.serviceAccount
  platform.log.info(`Issued a credential for ${quote(`${namespace}/${name}`)} until ${isoTime(credential.expiresAt)}.`)
  const isAccepted = await verify(run, credential, beforeScan)
  await proxyStart
  const kubeconfig = deliver(run, credential, isAccepted)
  let exitCode = 0
  if (options.command === undefined) await deliverToLaterSteps(run, credential, kubeconfig)
  else exitCode = await runScan(run, options.command, { credential, kubeconfig, whyNoPipes: pipes.whyNot })
  // Node.js delivers a pending signal only when the event loop turns.
  await setImmediate()
  signal.throwIfAborted()
  return exitCode
}

/** @returns the error of the whole run */
async function endAfter(run: Run, failure: unknown): Promise<unknown> {
  const { platform, signal } = run
  const worse = await cleanUp(run, platform.hasPost)
  if (worse !== undefined && failure !== undefined) await platform.log.error(describe(failure))
  const error = worse ?? failure ?? (signal.reason as unknown)
  if (worse === undefined && failure === undefined && error !== undefined) recordFailure(run, error)
  return error
}

/** Says as the last line of a job why its exit code fails the job. In a terminal it only says what the exit code does not tell. */
async function reportScanFailure(run: Run, exitCode: number): Promise<void> {
  const { journal, options, platform } = run
  const { used } = toEvidence(journal.state)
  if (exitCode === 0 || used === null) return
  const unreached = causeOfNoRequest(run)
  if (!platform.isCI) return unreached === undefined ? undefined : platform.log.warn(unreached)
  const failure = scanFailure(used, options.acceptExitCodes, platform.nameOf('accept_exit_codes'))
  await platform.log.error(unreached === undefined ? failure : `${failure} ${unreached}`)
}

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}
