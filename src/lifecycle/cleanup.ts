import { existsSync } from 'node:fs'
import { deadlineAfter } from '../base/deadline.ts'
import { describe, errnoOf, KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import type { AuthInfo } from '../identity/identity.ts'
import { prove } from '../kube/revocation-proof.ts'
import { stopOrphans, type StopResult } from '../scan/orphans.ts'
import { currentPath, removePrivateDirectory, removeMovedDirectory } from '../scan/private-directory.ts'
import { credentialOutcome } from '../state/evidence-text.ts'
import { type Evidence, setError } from '../state/evidence.ts'
import { latestDeadBy, tokenId, type CredentialState, trackingIdOf, mayLive } from '../state/run-state.ts'
import { report } from './report.ts'
import { deleteSecretOfRun, updateCredential, saveState, type Run, warn } from './run-context.ts'

/** Where no token can exist, a bound Secret is all there is to lose. */
const UNBOUND_SECRET_TIMEOUT_MS = 5_000
/** How long the end of a run on a CI waits for a runner that does not read the output. */
const DRAIN_TIMEOUT_MS = 10_000

/**
 * The one way a run ends, however it got here: stop the scan, revoke, remove the files, prove. It may run
 * any number of times.
 * @param postFollows a post step comes after this, and can prove what there is no time for now
 * @returns the error when the credential could not be, and had to be, revoked; else that of a scan that spoke in our name
 */
export async function cleanUp(run: Run, postFollows: boolean): Promise<KubepassError | undefined> {
  const { evidence, options, platform } = run
  const before = { ...evidence }
  const stopped = await stopScan(run)
  // The revocation does not wait for a slow reader, nor for a stray process that still writes.
  const drained = run.scan?.drain(
    platform.isCI ? deadlineAfter(DRAIN_TIMEOUT_MS, run.hardDeadline) : AbortSignal.any([run.hardDeadline, run.immediate]),
  )
  const tampered = restoreCommandFiles(run)
  let failure = await revoke(run, postFollows)
  await drained
  await reportStopped(run, stopped)
  const proof = failure === undefined ? whenToProve(run, postFollows) : 'never'
  let clean = await removeFiles(run, proof === 'later' || proof === 'try')
  if (proof === 'now' || proof === 'try') failure = await proveEnd(run, proof)
  if (proof === 'try' && evidence.proven !== null) clean = await removeFiles(run, false)
  if (run.provenance === 'owner' && !postFollows) await retryLateDeletions(run)
  run.client.close()
  evidence.finished = true
  saveState(run)
  if (failure === undefined && clean) platform.deleteState()
  const toldByScript = isAlreadyReported(run, before)
  if (toldByScript || (evidence.missing && platform.runKey !== undefined && evidence.proven === null))
    platform.info(`Nothing of this job is left to revoke.${toldByScript ? ` The script's token: ${credentialOutcome(evidence)}.` : ''}`)
  else if (run.provenance !== 'derived' || evidence.revoked !== null) platform.info(`Credential: ${credentialOutcome(evidence)}.`)
  if (failure === undefined) return tampered
  if (options.revocation === 'best-effort') {
    await warn(run, describe(failure))
    return tampered
  }
  if (tampered !== undefined) await warn(run, describe(tampered))
  setError(evidence, failure)
  const way = platform.retryInstructions()
  if (way !== undefined) platform.info(way)
  return failure
}

/** Returns the function that ends this run if a defect of kubepass leaves the run without a result. */
export function emergencyCleanup(run: Run, postFollows: boolean): Run['emergencyCleanup'] {
  return async (defect) => {
    setError(run.evidence, defect)
    const failure = await cleanUp(run, postFollows)
    await report(run)
    return failure
  }
}

/** Whether main already told the end of the credential in the log of this job. */
function isAlreadyReported({ evidence, provenance, platform }: Run, before: Evidence): boolean {
  const isSame = evidence.revoked?.at === before.revoked?.at && evidence.proven?.dead_at === before.proven?.dead_at
  return platform.isCI && platform.runKey !== undefined && provenance === 'saved' && before.finished && before.revoked !== null && isSame
}

async function stopScan(run: Run): Promise<StopResult> {
  const { used, finished } = run.evidence
  // Where a run state is only a hint, it does not say that there is no scan.
  if (run.platform.runKey === undefined && (finished || used === null)) return { outlived: 0, remaining: 0 }
  return run.scan?.stop() ?? stopOrphans(trackingIdOf(run.state))
}

async function reportStopped(run: Run, { outlived, remaining }: StopResult): Promise<void> {
  if (outlived > 0)
    await warn(run, `${outlived} process(es) outlived the scan and were ended${remaining > 0 ? `; ${remaining} could not be` : ''}.`)
  else if (remaining > 0) await warn(run, 'What is left of the scan could not be ended.')
}

function restoreCommandFiles({ evidence, platform }: Run): KubepassError | undefined {
  const { changed, left, why = [], closed = [] } = platform.restoreCommandFiles()
  const written = [...new Set([...changed, ...left])]
  if (written.length === 0 && closed.length === 0) return undefined
  const facts: string[] = []
  if (written.length > 0) facts.push(`The scan wrote to files by which a step speaks to its runner: ${written.join(', ')}.`)
  if (left.length > 0) facts.push(`What it wrote to ${left.join(', ')} could not be removed: ${[...new Set(why)].join('; ')}.`)
  else if (written.length > 0) facts.push('What it wrote there was removed.')
  if (closed.length > 0) facts.push(`The scan closed what the runner needs: ${[...new Set(closed)].join(', ')}. It was opened again.`)
  const tampered = new KubepassError('TAMPERED', facts.join(' '), {
    hint: 'If it is meant to, name the file in pass_env; or set what later steps need in a step of its own.',
  })
  setError(evidence, tampered)
  return tampered
}

/** Ends each credential that may live, whatever becomes of the others. */
async function revoke(run: Run, postFollows: boolean): Promise<KubepassError | undefined> {
  const { evidence, options } = run
  const tokenMayLive = run.state.credentials.some(isToken)
  const deadline = deadlineAfter(tokenMayLive ? options.deadline : UNBOUND_SECRET_TIMEOUT_MS, run.hardDeadline)
  let auth: Promise<AuthInfo> | undefined
  const authInfo = (): Promise<AuthInfo> => (auth ??= run.identity.authInfo(deadline))
  const failures = await Promise.all(run.state.credentials.map((credential) => revokeOne(run, credential, postFollows, authInfo, deadline)))
  const failure = failures.find((each) => each !== undefined)
  const tokens = run.state.credentials.filter(isToken)
  const last = tokens
    .flatMap(({ revoked }) => revoked ?? [])
    .toSorted()
    .at(-1)
  const over = failure === undefined && tokens.every(({ boundSecret }) => boundSecret !== undefined)
  evidence.dead_by = latestDeadBy(tokens)
  evidence.missing = over && tokens.length > 0 && last === undefined
  if (!over || last === undefined) evidence.revoked = null
  else if (evidence.revoked?.at !== last) evidence.revoked = { at: last }
  saveState(run)
  return failure
}

/** @returns the error when its token may live on, and must not */
async function revokeOne(
  run: Run,
  credential: CredentialState,
  postFollows: boolean,
  authInfo: () => Promise<AuthInfo>,
  deadline: AbortSignal,
): Promise<KubepassError | undefined> {
  const { provenance, options, platform, state } = run
  const { boundSecret, deadBy, phase, revoked } = credential
  if (boundSecret === undefined)
    return phase === 'token' && options.revocation === 'required' ? notRevoked(deadBy, 'It is bound to nothing.') : undefined
  // Who runs it knows what does not exist; who comes later, and has only the run state's word for it, asks.
  if (provenance === 'owner' && (phase === 'nothing' || revoked !== undefined)) return undefined
  let outcome: 'deleted' | 'gone'
  try {
    outcome = await deleteSecretOfRun(run, boundSecret, deadline, authInfo())
  } catch (error) {
    if (phase === 'nothing') return undefined
    if (phase === 'secret')
      await warn(
        run,
        `No token was issued, but the Secret ${boundSecret.name} may be left in namespace ${state.namespace}. ${describe(error)}`,
      )
    else if (revoked === undefined) return notRevoked(deadBy, error)
    else await warn(run, `It was revoked before, but whether that holds could not be asked. ${describe(error)}`)
    return undefined
  }
  if (outcome === 'deleted' && revoked === undefined) updateCredential(run, credential, { revoked: new Date().toISOString() })
  // The answer to its creation never came, and no token was asked for; should it come about late, it is looked for again.
  else if (provenance === 'owner' && phase === 'secret' && boundSecret.uid === undefined) {
    if (postFollows) updateCredential(run, credential, { phase: 'nothing' })
  }
  // Where post needs no run state it may be at work beside a main that was stopped: whoever comes second finds nothing.
  else if (phase !== 'nothing' && revoked === undefined && (platform.runKey === undefined || (postFollows && !run.signal.aborted)))
    await warn(
      run,
      `The Secret ${boundSecret.name} is not there: it was never created, or somebody else deleted it. If a token was issued, it is dead by ${deadBy}.`,
    )
  return undefined
}

/** A creation whose answer was lost may take effect late; who has no post step behind him looks once more. */
async function retryLateDeletions(run: Run): Promise<void> {
  const deadline = deadlineAfter(UNBOUND_SECRET_TIMEOUT_MS, run.hardDeadline)
  for (const { boundSecret, phase, revoked } of run.state.credentials) {
    if (phase === 'nothing' || revoked !== undefined || boundSecret === undefined || boundSecret.uid !== undefined) continue
    await deleteSecretOfRun(run, boundSecret, deadline).catch(() => undefined)
  }
}

function isToken({ phase }: CredentialState): boolean {
  return phase === 'token'
}

function notRevoked(deadBy: string, cause: unknown): KubepassError {
  const hint = cause instanceof KubepassError ? cause.hint : undefined
  return new KubepassError('NOT_REVOKED', `The credential could not be revoked. It is dead by ${deadBy} at the latest.`, { cause, hint })
}

/** Try means: if it cannot be done in the time that is left, post does it. */
function whenToProve({ immediate, evidence, options, signal, tokens }: Run, postFollows: boolean): 'now' | 'try' | 'later' | 'never' {
  // Proven is: accepted before, refused now. Anything less is called what it is.
  if (options.prove === 'off' || tokens.size === 0 || evidence.proven !== null || immediate.aborted) return 'never'
  if (!postFollows) return 'now'
  // Of several tokens post finds one only.
  return options.prove === 'post' && tokens.size === 1 ? 'later' : signal.aborted ? 'try' : 'now'
}

/** @returns whether nothing is left that should not be */
async function removeFiles(run: Run, keepToken: boolean): Promise<boolean> {
  const { options, platform, state } = run
  const moved = whereMoved(run)
  const why = removePrivateDirectory(state.directory, options.directory, platform.ownerUid, keepToken)
  const facts = why === undefined ? moved : [`The directory ${state.directory} was not removed: ${why}.`, ...moved]
  if (facts.length > 0) await warn(run, facts.join(' '))
  return why === undefined && !keepToken
}

/** Removes a private directory that the scan moved. The process that made the directory finds it by its descriptor. */
function whereMoved({ directory: made, evidence, provenance, platform, state }: Run): string[] {
  const { directory } = state
  if (made === undefined) {
    const isMissing = provenance === 'saved' && evidence.verified !== null && !evidence.finished && !existsSync(directory)
    // This is no warning: an earlier post step may have removed the directory.
    if (isMissing)
      platform.info(`The directory ${directory} is not there: a step has removed it, or moved it with the token that is in it.`)
    return []
  }
  try {
    const place = currentPath(directory, made)
    if (place === undefined || place === directory) return []
    const why = removeMovedDirectory(place, made, platform.ownerUid)
    const outcome = why === undefined ? 'It was removed there.' : `It was not removed there: ${why}.`
    return [`The scan moved the directory ${directory} to ${quote(place)}. ${outcome}`]
  } catch (error) {
    return [`The scan moved the directory ${directory}, and it cannot be found (${errnoOf(error)}).`]
  }
}

/** @returns the error when a token is seen alive */
async function proveEnd(run: Run, when: 'now' | 'try'): Promise<KubepassError | undefined> {
  const { immediate, client, evidence, hardDeadline, options, state, signal, tokens, platform } = run
  // After Ctrl-C a person waits, and the API server's cache outlasts the time that is left.
  const isHasty = (): boolean => !platform.isCI && signal.aborted
  const deadline = AbortSignal.any([hardDeadline, immediate])
  platform.progress('waiting for the API server to refuse the token')
  const revokedAt = evidence.revoked === null ? Date.now() : Date.parse(evidence.revoked.at)
  const verdicts = await Promise.all(
    [...tokens].map(async ([id, { token }]) => ({
      id,
      ...(await prove(client, token, options.proofSamples, revokedAt, isHasty, deadline)),
    })),
  )
  const proofs = verdicts.flatMap((verdict) => (verdict.is === 'dead' ? [verdict.proof] : []))
  if (proofs.length === verdicts.length) {
    const untried = state.credentials.filter((credential) => isToken(credential) && !tokens.has(tokenId(credential)))
    const unseen = [...untried.map((credential) => credential.deadBy), ...run.untestedTokens].filter(mayLive)
    if (unseen.length > 0) {
      platform.info(`The newest token is refused; of ${unseen.length} before or behind it that was not seen.`)
      return undefined
    }
    const samples = Math.min(...proofs.map((proof) => proof.samples))
    const seconds = Math.max(...proofs.map((proof) => proof.seconds))
    evidence.proven = { dead_at: new Date().toISOString(), samples, seconds_after_revocation: seconds }
  } else if (when === 'try' || deadline.aborted || isHasty())
    platform.info(`There was no time for the proof.${isHasty() ? ' The API server believes an accepted token for 10 s.' : ''}`)
  else if (verdicts.every(({ is }) => is !== 'alive'))
    await warn(run, 'The API server gave no clear answer to the revoked token: that it is dead is not proven.')
  else {
    const alive = state.credentials.filter((credential) => verdicts.some(({ id, is }) => is === 'alive' && id === tokenId(credential)))
    for (const credential of alive) updateCredential(run, credential, { revoked: undefined })
    evidence.revoked = null
    return new KubepassError(
      'NOT_REVOKED',
      `Its Secret is deleted, but the API server still accepts the token. It is dead by ${latestDeadBy(alive) ?? ''} at the latest.`,
      {
        hint: 'The API server caches an accepted token for 10 s; is there another cache, or a replica that lags behind?',
      },
    )
  }
  return undefined
}
