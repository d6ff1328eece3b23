import type { ApiProxy } from '../api-proxy/api-proxy.ts'
import { codeOf, reasonOf, type KubepassError } from '../base/errors.ts'
import { oneLine } from '../base/quote.ts'
import { version } from '../base/version.ts'
import { deadlineOf, type Options, parseOptions } from '../config/options.ts'
import { readPipes } from '../config/read-pipes.ts'
import { chooseIdentity } from '../identity/choose.ts'
import type { AuthInfo, Identity } from '../identity/identity.ts'
import { KubeClient } from '../kube/client.ts'
import { Http } from '../net/http.ts'
import { proxyFor } from '../net/proxy-variables.ts'
import type { Platform } from '../platform/platform.ts'
import type { Redactor } from '../redact/redactor.ts'
import type { Seal, SealedString } from '../redact/sealed-string.ts'
import type { Scan } from '../scan/scan.ts'
import type { JobInfo } from '../state/job-info.ts'
import { reduce, type RunEvent } from '../state/run-events.ts'
import { MAX_REASON, type RunState } from '../state/run-state.ts'
import { Journal, type StateStore } from './journal.ts'

/** What `execute` gives to a command. */
export interface CommandContext {
  readonly platform: Platform
  readonly redactor: Redactor
  /** Teaches the redactor, then the platform's mask. */
  readonly seal: Seal
  /** Aborted by SIGINT and SIGTERM, with an INTERRUPTED error as its reason. */
  readonly signal: AbortSignal
  /** Aborted when, after such a signal, there is no more time. */
  readonly hardDeadline: AbortSignal
  /** Aborted when a person sends a second signal. kubepass then waits only for the revocation, until `hardDeadline`. */
  readonly immediate: AbortSignal
  /**
   * Ends what the run has begun, if a defect of kubepass leaves the run without a result.
   * Returns the error when the credential could not be revoked.
   */
  emergencyCleanup: ((defect: KubepassError) => Promise<KubepassError | undefined>) | undefined
}

/** A token that the API server accepted, so that a later refusal proves something. */
export interface AcceptedToken {
  readonly token: SealedString
  readonly deadBy: string
}

/**
 * The origin of a run state:
 * - `owner`: this process began the run
 * - `saved`: an earlier process saved the state
 * - `derived`: the state follows from the job. The run may have ended, or never begun
 * - `merged`: the saved state fills in the derived one
 */
export type Provenance = 'owner' | 'saved' | 'derived' | 'merged'

/** One run, and the means to end it. */
export interface Run extends CommandContext {
  readonly options: Options
  readonly identity: Identity
  readonly client: KubeClient
  readonly journal: Journal
  readonly provenance: Provenance
  /** By the number of the credential. */
  readonly tokens: Map<number, AcceptedToken>
  scan: Scan | undefined
  /** Undefined where the scan has the token, and in the post step. */
  apiProxy: ApiProxy | undefined
  /** A descriptor of the private directory; undefined where this process did not make it. */
  directoryDescriptor: number | undefined
  /** The authentication that requested the first credential. A later process does not have it. */
  requestedBy: AuthInfo | undefined
  /** The authentication of the latest request. */
  latestAuth: AuthInfo | undefined
  /** Settles when the digest of the program is recorded, or cannot be. */
  programReading: Promise<void>
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
    info: (text) => platform.log.info(text),
    idTokenInstructions: platform.idTokens?.instructions,
    idTokenRequest: platform.idTokens?.request?.(seal),
    idToken: platform.idTokens?.token?.(seal),
    seal,
    isNewHost: !finishes,
  })
  return { identity, why, options: { ...options, ...identity.cluster } }
}

export function openRun(
  context: CommandContext,
  { identity, why, options }: ResolvedIdentity,
  state: RunState,
  provenance: Provenance,
): Run {
  const { platform } = context
  platform.log.info(`Identity: ${identity.kind}, because ${why}.`)
  return {
    ...context,
    options,
    identity,
    client: openClient(context, options, undefined, provenance === 'owner'),
    journal: new Journal(storeOf(platform, provenance), reduce(state, { type: 'IdentityResolved', kind: identity.kind, why })),
    provenance,
    tokens: new Map(),
    scan: undefined,
    apiProxy: undefined,
    directoryDescriptor: undefined,
    requestedBy: undefined,
    latestAuth: undefined,
    programReading: Promise.resolve(),
  }
}

/**
 * With a derived key, the post step of a CI saves nothing. A main that still runs would mistake the write for one of the scan, and no
 * process reads the state after post.
 */
function storeOf(platform: Platform, provenance: Provenance): StateStore {
  const isReadOnly = platform.isCI && platform.runKey !== undefined && provenance !== 'owner'
  const { clear } = platform.savedState
  return {
    save: (state) => (isReadOnly ? undefined : platform.savedState.save(state)),
    ...(clear && { clear }),
  }
}

export function openClient({ platform }: CommandContext, options: Options, connections?: number, isNewHost = true): KubeClient {
  const http = openHttp(platform, options, connections)
  const info = (text: string): void => platform.log.info(text)
  return new KubeClient({ http, server: options.server, userAgent: userAgent(platform.job), info, isNewHost })
}

/** The client of the API server, with its CA certificate and the HTTP proxy before it. */
export function openHttp(platform: Pick<Platform, 'env'>, options: Options, connections?: number): Http {
  const proxyUrl = options.proxyUrl ?? proxyFor(new URL(options.server), platform.env)
  return new Http({ ca: options.certificateAuthority, serverName: options.tlsServerName, proxyUrl }, connections)
}

/** Records a warning and shows it. */
export async function warn({ journal, platform, redactor }: Run, text: string): Promise<void> {
  journal.observe({ type: 'Warned', text: redactor.redact(text) })
  await platform.log.warn(text)
}

/** Records the error that ends the run. It redacts the reason before it cuts it, because the redactor cannot find a part of a secret. */
export function recordFailure({ journal, redactor }: Pick<Run, 'journal' | 'redactor'>, error: unknown): void {
  journal.observe(failedWith(error, redactor))
}

export function failedWith(error: unknown, redactor: Redactor): RunEvent & { type: 'Failed' } {
  const reason = oneLine(redactor.redact(reasonOf(error)), MAX_REASON)
  return { type: 'Failed', code: codeOf(error), reason: reason === '' ? 'unknown reason' : reason }
}

/** For warnings that hold for each credential of a run. */
export async function warnOnce(run: Run, text: string): Promise<void> {
  if (!run.journal.state.warnings.includes(run.redactor.redact(text))) await warn(run, text)
}

// The audit log shows it beside every call: who, and why.
function userAgent(run: JobInfo): string {
  const printable = (text: string): string => text.replaceAll(/[^\w./@-]+/g, '_').slice(0, 100)
  return `kubepass/${version} (${run.platform}; run ${printable(run.id)}/${printable(run.attempt)}; ${printable(run.repository)})`
}
