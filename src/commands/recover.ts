import { dirname } from 'node:path'
import { describe, KubepassError } from '../base/errors.ts'
import type { Options } from '../config/options.ts'
import { baseDirectory } from '../config/paths.ts'
import { cleanUp, emergencyCleanup } from '../lifecycle/cleanup.ts'
import { knownRun, withPossibleCredentials } from '../lifecycle/provenance.ts'
import { report, reportState } from '../lifecycle/report.ts'
import { planReport } from '../lifecycle/report-plan.ts'
import {
  failedWith,
  openRun,
  readOptions,
  resolveIdentity,
  type CommandContext,
  type ResolvedIdentity,
  type Run,
} from '../lifecycle/run-context.ts'
import { readSavedToken } from '../scan/kubeconfig-file.ts'
import { removePrivateDirectory } from '../scan/private-directory.ts'
import { acceptanceOf, latestDeadBy, neverExisted } from '../state/credential-state.ts'
import { toEvidence, type Evidence } from '../state/evidence.ts'
import { mayLiveOn } from '../state/outcome.ts'
import { reduce, type RunEvent } from '../state/run-events.ts'
import { isTokenOf, newRunState, type RunState } from '../state/run-state.ts'
import { parseRunState } from '../state/run-state-codec.ts'
import { reexecWithoutNodeOptions } from '../system/node-runtime.ts'
import { jwtOf } from '../token/jwt.ts'

const NOTHING_ASKED = 'Main requested nothing, so there is nothing to revoke.'

/** The run state that an earlier process saved. */
interface Saved {
  /** `none`: main had not requested anything yet. */
  readonly text: string | undefined
  /** Undefined when the text is no run state. */
  readonly state: RunState | undefined
}

/**
 * Finishes the run of an earlier process, however far it got. It asks for an identity of its own, and trusts nothing in the saved state
 * unless the inputs confirm it.
 * @returns the exit code
 */
export async function recoverCommand(context: CommandContext): Promise<number> {
  const { platform } = context
  reexecWithoutNodeOptions(platform.env)
  const text = platform.savedState.load()
  const saved: Saved = { text, state: parseRunState(text ?? '', platform.job) }
  if (platform.runKey === undefined && (text === undefined || text === 'none')) return reportNoState(context, text)
  if (platform.runKey !== undefined && !platform.isCI)
    platform.log.info('The state file is unreadable. Using its name and your flags, which must be those of the run.')
  const run = await reopenOrReport(context, saved)
  if (run === undefined) return 0
  loadTokenForProof(run)
  await finish(context, run)
  return 0
}

async function finish(context: CommandContext, run: Run): Promise<void> {
  const { journal, provenance } = run
  context.emergencyCleanup = emergencyCleanup(run, false)
  const before = journal.state
  if (provenance !== 'derived' && isCutOff(before)) journal.observe({ type: 'RecoveryBegun' })
  const failure = await cleanUp(run, false)
  await report(run, before, false)
  if (failure === undefined) return
  if (provenance !== 'derived') throw failure
  const deadBy = latestDeadBy(journal.state.credentials)
  throw new KubepassError('NOT_REVOKED', `The credential lives until ${deadBy} at the latest, unless main has revoked it.`, {
    cause: failure,
    hint: failure.hint,
  })
}

/** @returns undefined when no credential can be revoked here, and none needs to be */
async function reopenOrReport(context: CommandContext, saved: Saved): Promise<Run | undefined> {
  let options: Options | undefined
  try {
    options = await readOptions(context, 'finish')
    return reopenRun(context, await resolveIdentity(context, options, true), saved.state)
  } catch (cause) {
    const { isCI, runKey } = context.platform
    // A person can call again, with the right flags.
    if (runKey !== undefined && !isCI) throw cause
    if (saved.state !== undefined) await reportUnrecoverable(context, saved.state, cause, options)
    else if (runKey !== undefined) await reportUnknown(context, saved.text, cause)
    else throw notRevoked(null, cause)
    return undefined
  }
}

async function reportNoState({ platform }: CommandContext, text: 'none' | undefined): Promise<number> {
  if (text === 'none') {
    platform.log.info(NOTHING_ASKED)
    platform.savedState.clear?.()
  } else await platform.log.warn('There is no run state. If main issued a credential, it is not revoked here and lives until its expiry.')
  return 0
}

function reopenRun(context: CommandContext, resolved: ResolvedIdentity, saved: RunState | undefined): Run {
  const { platform } = context
  const { options } = resolved
  const derived =
    platform.runKey === undefined ? undefined : withPossibleCredentials(newRunState(options, platform.job, platform.runKey), options)
  const known = knownRun(saved, derived, options)
  if (known === undefined) {
    throw new KubepassError(
      'NOT_REVOKED',
      'The run state is not of this run, or its server and service_account are not those of the inputs.',
      { hint: 'Do the inputs differ from those of the run? Or did the scan change the saved state?' },
    )
  }
  return openRun(context, resolved, known.state, known.provenance)
}

/** Main had the same inputs, so it failed at the same point. */
async function reportUnknown({ platform }: CommandContext, text: string | undefined, cause: unknown): Promise<void> {
  if (text === 'none') platform.log.info(NOTHING_ASKED)
  else await platform.log.warn(`No request could be sent. If main had the same problem, it issued no token. ${describe(cause)}`)
}

/** @throws NOT_REVOKED when a credential of the saved state may live */
async function reportUnrecoverable(context: CommandContext, saved: RunState, cause: unknown, options: Options | undefined): Promise<void> {
  const { platform, redactor } = context
  const why = removePrivateDirectory(saved.directory, baseDirectory(platform), platform.ownerUid)
  if (why !== undefined) await platform.log.warn(`The directory ${saved.directory} was not removed: ${why}.`)
  const events: RunEvent[] = isCutOff(saved) ? [{ type: 'RecoveryBegun' }] : []
  events.push({ type: 'CleanedUp', proofLeftToPost: false })
  const evidence = toEvidence(events.reduce(reduce, saved))
  const error = mayLiveOn(evidence) ? notRevoked(evidence.dead_by, cause) : undefined
  if (error !== undefined) events.push(failedWith(error, redactor))
  else if (!saved.credentials.every(neverExisted)) {
    const text = `${unconfirmedEnd(evidence, saved.requested.namespace)} ${describe(cause)}`
    await platform.log.warn(text)
    events.push({ type: 'Warned', text: redactor.redact(text) })
  }
  if (platform.isCI) {
    const now = events.reduce(reduce, saved)
    const provenance = platform.runKey === undefined ? 'saved' : 'merged'
    await reportState({ platform, redactor, options }, now, planReport({ before: saved, now, provenance, postFollows: false }))
  }
  if (error !== undefined) throw error
}

/** Whether main ended before its own cleanup. If later steps use the credential, the post step alone does the cleanup, so main has skipped nothing. */
function isCutOff({ cleanupAttempted, deliveredToLaterSteps }: RunState): boolean {
  return !cleanupAttempted && !deliveredToLaterSteps
}

function unconfirmedEnd({ dead_by, revoked }: Evidence, namespace: string): string {
  if (dead_by === null) return `No token was issued, but a Secret of this run may be left in namespace ${namespace}.`
  const end = revoked === null ? 'The Secret of the credential did not exist' : `The credential was revoked ${revoked.at}`
  return `${end}, but kubepass could not confirm that with the API server.`
}

function notRevoked(deadBy: string | null, cause: unknown): KubepassError {
  const until = deadBy === null ? 'at its own expiry' : `by ${deadBy}`
  const hint = cause instanceof KubepassError ? cause.hint : undefined
  return new KubepassError('NOT_REVOKED', `The credential, if it was issued, was not revoked here. It is dead ${until}.`, { cause, hint })
}

/** Reads the token in the private directory, for the proof. Main wrote it there after the API server had accepted it. */
function loadTokenForProof({ journal, options, platform, seal, tokens }: Run): void {
  const { state } = journal
  const accepted = state.credentials.filter((each) => acceptanceOf(each) !== undefined)
  const isUnneeded = options.prove === 'off' || accepted.length === 0
  if (isUnneeded || dirname(state.directory) !== options.directory) return
  const token = readSavedToken(state.directory, platform.ownerUid, seal)
  const claims = token === undefined ? undefined : jwtOf(token)?.claims
  const credential = claims && accepted.find((each) => isTokenOf(state, each, claims))
  if (token !== undefined && credential !== undefined) tokens.set(credential.number, { token, deadBy: credential.deadBy })
}
