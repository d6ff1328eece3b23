import { errnoOf, KubepassError } from '../base/errors.ts'
import { version } from '../base/version.ts'
import { deadlineOf, type Options, parseOptions } from '../config/options.ts'
import { readPipes } from '../config/read-pipes.ts'
import { chooseIdentity } from '../identity/choose.ts'
import type { AuthInfo, Identity } from '../identity/identity.ts'
import { deleteBoundSecret } from '../kube/bound-secret.ts'
import { KubeClient } from '../kube/client.ts'
import { Http } from '../net/http.ts'
import { proxyFor } from '../net/proxy-variables.ts'
import type { Platform } from '../platform/platform.ts'
import type { Redactor } from '../redact/redactor.ts'
import type { Seal, SealedString } from '../redact/sealed-string.ts'
import type { Scan } from '../scan/scan.ts'
import type { Evidence } from '../state/evidence.ts'
import type { JobInfo } from '../state/job-info.ts'
import { latestDeadBy, type CredentialState, type RunState } from '../state/run-state.ts'

/** What the edge gives to a use case. */
export interface CommandContext {
  readonly platform: Platform
  readonly redactor: Redactor
  /** Teaches the redactor, then the platform's mask. */
  readonly seal: Seal
  /** Aborted by SIGINT and SIGTERM, with an INTERRUPTED error as its reason. */
  readonly signal: AbortSignal
  /** Aborted when, after such a signal, there is no more time. */
  readonly hardDeadline: AbortSignal
  /** Aborted when a person asks again: nothing is waited for but the revocation, and that until `hurry`. */
  readonly immediate: AbortSignal
  /**
   * Ends what the run has begun, if a defect of kubepass leaves the run without a result.
   * Returns the error when the credential could not be revoked.
   */
  emergencyCleanup: ((defect: KubepassError) => Promise<KubepassError | undefined>) | undefined
}

export interface AcceptedToken {
  readonly token: SealedString
  readonly deadBy: string
}

/** One run's work: what is open, and by which means it can be closed. */
export interface Run extends CommandContext {
  readonly options: Options
  readonly identity: Identity
  readonly client: KubeClient
  readonly evidence: Evidence
  /** Its evidence is ours. */
  state: RunState
  /** Those at hand that the API server has accepted, and can be refused. */
  readonly tokens: Map<string, AcceptedToken>
  /** When those are dead that were asked for and given up, and that nobody can see refused. */
  readonly untestedTokens: string[]
  /** The names of bound Secrets whose deletion was asked for, and not answered. */
  readonly pendingDeletions: Set<string>
  scan: Scan | undefined
  /** The private directory that this process has made: a descriptor. */
  directory: number | undefined
  /** What is known of the run: all, by who runs it; what a run state says; its names, so that it may be as well ended as never begun. */
  readonly provenance: 'owner' | 'saved' | 'derived'
}

export interface ResolvedIdentity {
  readonly identity: Identity
  readonly why: string
  /** With the API server, where that came with the identity. */
  readonly options: Options
}

/** All inputs. Pipes are read first, because a pipe can be read only once. */
export async function readOptions({ platform, seal, signal }: CommandContext, purpose: 'start' | 'finish'): Promise<Options> {
  return parseOptions({ ...platform, pipeTexts: await readPipes(platform, deadlineOf(platform), signal) }, seal, purpose)
}

/**
 * Chooses the identity and the API server. No call has gone to the network yet.
 * @param finishes whether an earlier process began the run and has shown that the hosts exist
 */
export async function resolveIdentity({ platform, seal }: CommandContext, options: Options, finishes = false): Promise<ResolvedIdentity> {
  const { identity, why } = await chooseIdentity(options, {
    ...platform,
    idTokenRequest: platform.idTokenRequest(seal),
    idToken: platform.idToken(seal),
    seal,
    isNewHost: !finishes,
  })
  return { identity, why, options: { ...options, ...identity.cluster } }
}

export function openRun(
  context: CommandContext,
  { identity, why, options }: ResolvedIdentity,
  state: RunState,
  provenance: Run['provenance'],
): Run {
  const { platform } = context
  platform.info(`Identity: ${identity.kind}, because ${why}.`)
  const client = openClient(context, options, undefined, provenance === 'owner')
  const { evidence } = state
  evidence.identity = { kind: identity.kind, why }
  return {
    ...context,
    options,
    identity,
    client,
    evidence,
    state,
    tokens: new Map(),
    untestedTokens: [],
    pendingDeletions: new Set(),
    scan: undefined,
    directory: undefined,
    provenance,
  }
}

export function openClient({ platform }: CommandContext, options: Options, connections?: number, isNewHost = true): KubeClient {
  const proxyUrl = options.proxyUrl ?? proxyFor(new URL(options.server), platform.env)
  const http = new Http({ ca: options.certificateAuthority, serverName: options.tlsServerName, proxyUrl }, connections)
  return new KubeClient(http, options.server, userAgent(platform.job), (text) => platform.info(text), isNewHost)
}

/** Deletes a bound Secret of the run. What is gone, and may be so by a call of ours that was not answered, counts as deleted. */
export async function deleteSecretOfRun(
  { client, pendingDeletions, identity, state: { namespace } }: Run,
  boundSecret: NonNullable<CredentialState['boundSecret']>,
  deadline: AbortSignal,
  auth: Promise<AuthInfo> = identity.authInfo(deadline),
): Promise<'deleted' | 'gone'> {
  const credentials = await auth
  const asked = pendingDeletions.has(boundSecret.name)
  pendingDeletions.add(boundSecret.name)
  try {
    const outcome = await deleteBoundSecret(client, credentials, { namespace, ...boundSecret }, deadline)
    pendingDeletions.delete(boundSecret.name)
    return asked && boundSecret.uid !== undefined ? 'deleted' : outcome
  } catch (error) {
    if (!asked && error instanceof KubepassError && error.noEffect) pendingDeletions.delete(boundSecret.name)
    throw error
  }
}

/** Saves what is known of the run, so that whoever comes next can finish it. What fails here must not stop what is under way. */
export function saveState(run: Run, news: Partial<RunState> = {}): void {
  run.state = { ...run.state, ...news }
  // Main may be at work still, and would take it for the scan's doing; and nobody comes behind the post step of a CI.
  if (run.platform.isCI && run.platform.runKey !== undefined && run.provenance !== 'owner') return
  try {
    run.platform.saveState(run.state)
  } catch (error) {
    const text = `The run state could not be saved (${errnoOf(error) || 'unknown reason'}).`
    if (!run.evidence.warnings.includes(text)) run.evidence.warnings.push(text)
  }
}

/** Saves what is new of one of its credentials. */
export function updateCredential(run: Run, credential: CredentialState, news: Partial<CredentialState>, save = saveState): CredentialState {
  const changed = { ...credential, ...news }
  const credentials = run.state.credentials.map((each) => (each === credential ? changed : each))
  run.evidence.dead_by = latestDeadBy(credentials)
  save(run, { credentials })
  return changed
}

/** As record, before something can exist that without it nobody could end. */
export function saveStateOrThrow(run: Run, news: Partial<RunState> = {}): void {
  const state = { ...run.state, ...news }
  writeStateOrThrow(run, state)
  run.state = state
}

/** Without a run state nobody could finish the run, so that it does not go on. */
export function writeStateOrThrow({ platform }: CommandContext, state: RunState | 'none'): void {
  try {
    platform.saveState(state)
  } catch (cause) {
    throw new KubepassError('INPUT', `The state, by which this run could be finished, cannot be saved (${errnoOf(cause)}).`, {
      hint: 'Is the disk full, or not to be written to? The run state lies with the runner, in a terminal in TMPDIR or directory.',
    })
  }
}

export async function warn(run: Run, text: string): Promise<void> {
  run.evidence.warnings.push(run.redactor.redact(text))
  await run.platform.warn(text)
}

/** What is so for each credential of the run is told of the first. */
export async function warnOnce(run: Run, text: string): Promise<void> {
  if (!run.evidence.warnings.includes(run.redactor.redact(text))) await warn(run, text)
}

// The audit log shows it beside every call: who, and why.
function userAgent(run: JobInfo): string {
  const printable = (text: string): string => text.replaceAll(/[^\w./@-]+/g, '_').slice(0, 100)
  return `kubepass/${version} (${run.platform}; run ${printable(run.id)}/${printable(run.attempt)}; ${printable(run.repository)})`
}
