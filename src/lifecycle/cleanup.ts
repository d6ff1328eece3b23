import { deadlineAfter } from '../base/deadline.ts'
import { describe, type KubepassError } from '../base/errors.ts'
import { isProven } from '../state/credential-state.ts'
import { toEvidence, type Evidence } from '../state/evidence.ts'
import { credentialOutcome } from '../state/evidence-text.ts'
import { whenToProve, type CleanupView } from './cleanup-plan.ts'
import { endAccess, reportRequestLog } from './end-access.ts'
import { recordServerFacts } from './server-facts.ts'
import { proveEnd } from './prove.ts'
import { removeFiles } from './remove-files.ts'
import { report } from './report.ts'
import { retryLateDeletions, revokeAll } from './revoke.ts'
import { recordFailure, warn, type Run } from './run-context.ts'
import { reportStopped, restoreCommandFiles, stopScan } from './stop-scan.ts'

/** How long the end of a run on a CI waits for a runner that does not read the output. */
const DRAIN_TIMEOUT_MS = 10_000

/**
 * Ends a run: stops the scan, revokes the credentials, removes the files, proves that the tokens are dead. Main, a signal handler and
 * the post step all call it, any number of times.
 * @param postFollows a post step comes after this process, and can prove what this process has no time for
 * @returns NOT_REVOKED if a required revocation failed; else TAMPERED if the scan wrote to the runner's command files; else undefined
 */
export async function cleanUp(run: Run, postFollows: boolean): Promise<KubepassError | undefined> {
  const { journal, options, platform } = run
  const before = toEvidence(journal.state)
  // The processes of the scan have access until their end, so that a scan can delete what it made.
  const stopped = await stopScan(run).finally(() => endAccess(run))
  // The revocation waits neither for a slow reader of the output nor for a process that still writes.
  const drained = run.scan?.drain(
    platform.isCI ? deadlineAfter(DRAIN_TIMEOUT_MS, run.hardDeadline) : AbortSignal.any([run.hardDeadline, run.immediate]),
  )
  const tampered = restoreCommandFiles(run)
  const revocation = await revokeAll(run, () => viewOf(run, postFollows))
  await drained
  await reportStopped(run, stopped)
  await reportRequestLog(run)
  const { failure, isClean } = await removeAndProve(run, revocation, postFollows)
  if (run.provenance === 'owner' && !postFollows) await retryLateDeletions(run)
  run.client.close()
  // Post proves with the token that main kept, or could not remove.
  const proofLeftToPost = postFollows && !isClean && options.prove !== 'off' && !isProven(journal.state.credentials)
  journal.observe({ type: 'CleanedUp', proofLeftToPost })
  if (failure === undefined && isClean) journal.clear()
  tellOutcome(run, before)
  return conclude(run, failure, tampered)
}

function viewOf({ options, platform, provenance, signal }: Run, postFollows: boolean): CleanupView {
  return {
    isOwner: provenance === 'owner',
    requireRevocation: options.revocation === 'required',
    // On GitLab, after_script can run while main still cleans up after a signal.
    mayHaveConcurrentCleanup: platform.runKey !== undefined && (!postFollows || signal.aborted),
  }
}

/** Removes the private directory. The token in it stays for a proof in the post step. */
async function removeAndProve(
  run: Run,
  revocation: KubepassError | undefined,
  postFollows: boolean,
): Promise<{ failure: KubepassError | undefined; isClean: boolean }> {
  const { immediate, journal, options, signal, tokens } = run
  const view = {
    prove: options.prove,
    isProven: isProven(journal.state.credentials),
    heldTokens: tokens.size,
    // With the API proxy no file has the token, so that post could prove nothing.
    postFollows: postFollows && run.apiProxy === undefined,
    isStopping: signal.aborted,
  }
  const proof = revocation === undefined ? whenToProve({ ...view, hasSecondSignal: immediate.aborted }) : 'never'
  const isClean = await removeFiles(run, proof === 'later' || proof === 'try')
  await recordServerFacts(run, revocation === undefined)
  if (proof !== 'now' && proof !== 'try') return { failure: revocation, isClean }
  const failure = await proveEnd(run, proof)
  return { failure, isClean: proof === 'try' && isProven(journal.state.credentials) ? await removeFiles(run, false) : isClean }
}

function tellOutcome({ journal, platform, provenance }: Run, before: Evidence): void {
  const evidence = toEvidence(journal.state)
  const outcome = credentialOutcome(evidence)
  // Main has already shown this end in the log of the job.
  const isUnchanged =
    platform.isCI && provenance === 'merged' && before.finished && before.revoked !== null && credentialOutcome(before) === outcome
  if (isUnchanged || (evidence.missing && platform.runKey !== undefined && evidence.proven === null))
    platform.log.info(`Nothing of this job is left to revoke.${isUnchanged ? ` The script's token: ${outcome}.` : ''}`)
  else if (provenance !== 'derived' || evidence.revoked !== null) platform.log.info(`Credential: ${outcome}.`)
}

async function conclude(
  run: Run,
  failure: KubepassError | undefined,
  tampered: KubepassError | undefined,
): Promise<KubepassError | undefined> {
  const { options, platform } = run
  if (failure === undefined) return tampered
  if (options.revocation === 'best-effort') {
    await warn(run, describe(failure))
    return tampered
  }
  if (tampered !== undefined) await warn(run, describe(tampered))
  recordFailure(run, failure)
  const instructions = platform.savedState.retryInstructions?.()
  if (instructions !== undefined) platform.log.info(instructions)
  return failure
}

/** Returns the function that ends this run if a defect of kubepass leaves the run without a result. */
export function emergencyCleanup(run: Run, postFollows: boolean): Run['emergencyCleanup'] {
  return async (defect) => {
    const before = run.journal.state
    recordFailure(run, defect)
    const failure = await cleanUp(run, postFollows)
    await report(run, before, postFollows)
    return failure
  }
}
