import { dirname } from 'node:path'
import { describe, KubepassError } from '../base/errors.ts'
import { baseDirectory } from '../config/paths.ts'
import { cleanUp, emergencyCleanup } from '../lifecycle/cleanup.ts'
import { report } from '../lifecycle/report.ts'
import { resolveIdentity, type ResolvedIdentity, type CommandContext, openRun, readOptions, type Run } from '../lifecycle/run-context.ts'
import { readSavedToken } from '../scan/kubeconfig-file.ts'
import { removePrivateDirectory } from '../scan/private-directory.ts'
import { boundSecretPrefix } from '../state/job-info.ts'
import { parseRunState } from '../state/run-state-codec.ts'
import {
  boundSecretNames,
  latestDeadBy,
  tokenId,
  isTokenOf,
  isEmpty,
  plannedCredential,
  newRunState,
  type RunState,
} from '../state/run-state.ts'
import { reexecWithoutNodeOptions } from '../system/node-runtime.ts'
import { jwtOf } from '../token/jwt.ts'

/**
 * The net: finishes the run that came before, however far it got. It asks for a fresh identity, and believes
 * what it was handed nothing that the inputs do not confirm.
 * @returns the exit code
 */
export function recoverCommand(context: CommandContext): Promise<number> {
  const { env, runKey } = context.platform
  reexecWithoutNodeOptions(env)
  return runKey === undefined ? recoverFromState(context) : recoverByNames(context, runKey)
}

async function recoverFromState(context: CommandContext): Promise<number> {
  const { platform } = context
  const text = platform.readState()
  if (text === 'none') {
    platform.info(NOTHING_ASKED)
    platform.deleteState()
    return 0
  }
  if (text === undefined) {
    await platform.warn('There is no state. If main issued a credential, it is not revoked here, and dies at its own expiry.')
    return 0
  }
  const state = parseRunState(text, boundSecretPrefix(platform.job))
  let run: Run
  try {
    run = await reopenRun(context, state)
  } catch (cause) {
    return reportUnrecoverable(context, state, cause)
  }
  context.emergencyCleanup = emergencyCleanup(run, false)
  const { proven, revoked } = run.evidence
  const failure = await cleanUp(run, false)
  // What main has told already is not told again.
  if (revoked === null || run.evidence.proven !== proven || failure !== undefined) await report(run)
  if (failure !== undefined) throw failure
  return 0
}

const NOTHING_ASKED = 'Main asked for nothing, so there is nothing to revoke.'

async function reopenRun(context: CommandContext, state: RunState | undefined): Promise<Run> {
  const resolved = await resolveIdentity(context, await readOptions(context, 'finish'), true)
  const { options } = resolved
  if (state?.server !== options.server || state.namespace !== options.serviceAccount.namespace) {
    throw new KubepassError(
      'NOT_REVOKED',
      'The run state is not of this run, or its server and service_account are not those of the inputs.',
      {
        hint: 'Was it changed, by the scan perhaps, or are the inputs others than those of the run?',
      },
    )
  }
  const run = openRun(context, resolved, state, 'saved')
  loadTokenForProof(run)
  return run
}

async function reportUnrecoverable({ platform }: CommandContext, state: RunState | undefined, cause: unknown): Promise<number> {
  const why = state && removePrivateDirectory(state.directory, baseDirectory(platform), platform.ownerUid)
  if (why !== undefined) await platform.warn(`The directory ${state?.directory ?? ''} was not removed: ${why}.`)
  if (state !== undefined && isEmpty(state)) return 0
  if (state !== undefined && state.evidence.revoked !== null) {
    await platform.warn(`It was revoked ${state.evidence.revoked.at}, but whether that holds could not be asked. ${describe(cause)}`)
    return 0
  }
  const latest = state === undefined ? null : latestDeadBy(state.credentials)
  const until = latest === null ? 'at its own expiry' : `by ${latest}`
  const hint = cause instanceof KubepassError ? cause.hint : undefined
  throw new KubepassError('NOT_REVOKED', `The credential, if it was issued, was not revoked here. It is dead ${until}.`, { cause, hint })
}

/** Where all names follow from the job a run state is a hint, for the proof and the record; main may be at work still. */
async function recoverByNames(context: CommandContext, runKey: string): Promise<number> {
  const { platform } = context
  const text = platform.readState()
  const hint = parseRunState(text ?? '', boundSecretPrefix(platform.job))
  // The scan can have emptied it, or the run was killed before it had asked for anything: only the API server knows.
  if (!platform.isCI) platform.info('The run state says nothing: its name is believed, and the flags, which must be those of the run.')
  let resolved: ResolvedIdentity
  try {
    resolved = await resolveIdentity(context, await readOptions(context, 'finish'), true)
  } catch (cause) {
    // A person can call again, with the right flags.
    if (!platform.isCI) throw cause
    if (hint !== undefined) return reportUnrecoverable(context, hint, cause)
    // With these inputs main got no further, if they were its own.
    if (text === 'none') platform.info(NOTHING_ASKED)
    else await platform.warn(`Nothing could be asked. If it was so when the job began, nothing was issued. ${describe(cause)}`)
    return 0
  }
  const derived = deriveState(context, resolved, runKey)
  const unbound = resolved.options.revocation === 'best-effort'
  const known = hint !== undefined && isSameRun(hint, derived, unbound)
  const run = openRun(context, resolved, known ? mergeStates(hint, derived) : derived, known ? 'saved' : 'derived')
  loadTokenForProof(run)
  context.emergencyCleanup = emergencyCleanup(run, false)
  const { proven, revoked } = run.evidence
  const failure = await cleanUp(run, false)
  // The record is main's, unless there is more to tell than main can know.
  if (run.evidence.revoked !== revoked || run.evidence.proven !== proven) await report(run)
  if (failure === undefined) return 0
  if (known) throw failure
  throw new KubepassError(
    'NOT_REVOKED',
    `If main has not revoked its credential, that lives until ${latestDeadBy(derived.credentials)} at the latest.`,
    { cause: failure, hint: failure.hint },
  )
}

/** Under each name that the run's bound Secrets can have, the most that can be. */
function deriveState({ platform }: CommandContext, { options }: ResolvedIdentity, runKey: string): RunState {
  const state = newRunState(options, platform.job, runKey)
  return {
    ...state,
    credentials: boundSecretNames(platform.job, state).map((name) => ({ ...plannedCredential(options, name), phase: 'token' })),
  }
}

/**
 * All names are asked for, whatever the hint says: that nothing exists is a reason only not to be sorry when there is no
 * answer. Where no bound Secret could be made there is none.
 */
function mergeStates(hint: RunState, derived: RunState): RunState {
  const unbound = hint.credentials.filter(({ boundSecret }) => boundSecret === undefined)
  if (unbound.length > 0 && unbound.length === hint.credentials.length) return hint
  const told = derived.credentials.map((credential) => {
    const same = hint.credentials.find(({ boundSecret }) => boundSecret?.name === credential.boundSecret?.name)
    return { ...credential, phase: 'nothing' as const, ...same, boundSecret: credential.boundSecret }
  })
  return { ...hint, credentials: [...unbound, ...told] }
}

/** @param unbound without a bound Secret, too: only who accepts that may be told so */
function isSameRun(state: RunState, { server, namespace, credentials, directory }: RunState, unbound: boolean): boolean {
  const names = credentials.map(({ boundSecret }) => boundSecret?.name)
  const anchored = state.credentials.every(({ boundSecret }) => (boundSecret === undefined ? unbound : names.includes(boundSecret.name)))
  return anchored && state.server === server && state.namespace === namespace && state.directory === directory
}

/** Takes up the token in our own directory, if the run state tells of it. It was put there when the API server had accepted it. */
function loadTokenForProof({ evidence, options, platform, state, seal, tokens }: Run): void {
  const { credentials, directory } = state
  const unneeded = options.prove === 'off' || evidence.proven !== null || evidence.verified === null
  if (unneeded || dirname(directory) !== options.directory) return
  const token = readSavedToken(directory, platform.ownerUid, seal)
  const claims = token === undefined ? undefined : jwtOf(token)?.claims
  const its = claims === undefined ? undefined : credentials.find((credential) => isTokenOf(credential, claims))
  if (token !== undefined && its !== undefined) tokens.set(tokenId(its), { token, deadBy: its.deadBy })
}
