import { errnoOf, KubepassError } from '../base/errors.ts'
import { version } from '../base/version.ts'
import { deadlineOf, type Options, parseOptions } from '../config/options.ts'
import { readOnce } from '../config/read-once.ts'
import { chooseIdentity } from '../identity/choose.ts'
import type { AuthInfo, Identity } from '../identity/identity.ts'
import { deleteAnchor } from '../kube/bound-secret.ts'
import { KubeClient } from '../kube/client.ts'
import { Http } from '../net/http.ts'
import { proxyFor } from '../net/proxy.ts'
import type { Platform } from '../platform/platform.ts'
import type { Redactor } from '../redact/redactor.ts'
import type { Seal, Secret } from '../redact/secret.ts'
import type { Scan } from '../scan/scan.ts'
import type { Evidence } from '../state/evidence.ts'
import type { Run } from '../state/job.ts'
import { deadBy, type Issued, type Receipt } from '../state/run-state.ts'

/** What the edge gives to a use case. */
export interface Context {
  readonly platform: Platform
  readonly redactor: Redactor
  /** Teaches the redactor, then the platform's mask. */
  readonly seal: Seal
  /** Aborted by SIGINT and SIGTERM, with an INTERRUPTED error as its reason. */
  readonly signal: AbortSignal
  /** Aborted when, after such a signal, there is no more time. */
  readonly hurry: AbortSignal
  /** Aborted when a person asks again: nothing is waited for but the revocation, and that until `hurry`. */
  readonly atOnce: AbortSignal
  /**
   * Ends what the run has begun, if a defect of kubepass leaves the run without a result.
   * Returns the error when the credential could not be revoked.
   */
  rescue: ((defect: KubepassError) => Promise<KubepassError | undefined>) | undefined
}

export interface Held {
  readonly token: Secret
  readonly deadBy: string
}

/** One run's work: what is open, and by which means it can be closed. */
export interface Session extends Context {
  readonly options: Options
  readonly identity: Identity
  readonly client: KubeClient
  readonly evidence: Evidence
  /** Its evidence is ours. */
  receipt: Receipt
  /** Those at hand that the API server has accepted, and can be refused. */
  readonly tokens: Map<string, Held>
  /** When those are dead that were asked for and given up, and that nobody can see refused. */
  readonly unseen: string[]
  /** The names of anchors whose deletion was asked for, and not answered. */
  readonly ending: Set<string>
  scan: Scan | undefined
  /** The private directory that this process has made: a descriptor. */
  directory: number | undefined
  /** What is known of the run: all, by who runs it; what a receipt says; its names, so that it may be as well ended as never begun. */
  readonly knows: 'all' | 'receipt' | 'names'
}

export interface Chosen {
  readonly identity: Identity
  readonly why: string
  /** With the API server, where that came with the identity. */
  readonly options: Options
}

/** All inputs. Pipes are read first, because a pipe can be read only once. */
export async function readOptions({ platform, seal, signal }: Context, purpose: 'start' | 'finish'): Promise<Options> {
  return parseOptions({ ...platform, once: await readOnce(platform, deadlineOf(platform), signal) }, seal, purpose)
}

/**
 * Chooses the identity and the API server. No call has gone to the network yet.
 * @param finishes whether an earlier process began the run and has shown that the hosts exist
 */
export async function choose({ platform, seal }: Context, options: Options, finishes = false): Promise<Chosen> {
  const { identity, why } = await chooseIdentity(options, {
    ...platform,
    idTokenRequest: platform.idTokenRequest(seal),
    idToken: platform.idToken(seal),
    seal,
    isNewHost: !finishes,
  })
  return { identity, why, options: { ...options, ...identity.cluster } }
}

export function openSession(context: Context, { identity, why, options }: Chosen, receipt: Receipt, knows: Session['knows']): Session {
  const { platform } = context
  platform.say(`Identity: ${identity.kind}, because ${why}.`)
  const client = openClient(context, options, undefined, knows === 'all')
  const { evidence } = receipt
  evidence.identity = { kind: identity.kind, why }
  return {
    ...context,
    options,
    identity,
    client,
    evidence,
    receipt,
    tokens: new Map(),
    unseen: [],
    ending: new Set(),
    scan: undefined,
    directory: undefined,
    knows,
  }
}

export function openClient({ platform }: Context, options: Options, connections?: number, isNewHost = true): KubeClient {
  const proxyUrl = options.proxyUrl ?? proxyFor(new URL(options.server), platform.env)
  const http = new Http({ ca: options.certificateAuthority, serverName: options.tlsServerName, proxyUrl }, connections)
  return new KubeClient(http, options.server, userAgent(platform.run), (text) => platform.say(text), isNewHost)
}

/** Deletes an anchor of the run. What is gone, and may be so by a call of ours that was not answered, counts as deleted. */
export async function endAnchor(
  { client, ending, identity, receipt: { namespace } }: Session,
  anchor: NonNullable<Issued['anchor']>,
  limit: AbortSignal,
  auth: Promise<AuthInfo> = identity.authInfo(limit),
): Promise<'deleted' | 'gone'> {
  const credentials = await auth
  const asked = ending.has(anchor.name)
  ending.add(anchor.name)
  try {
    const outcome = await deleteAnchor(client, credentials, { namespace, ...anchor }, limit)
    ending.delete(anchor.name)
    return asked && anchor.uid !== undefined ? 'deleted' : outcome
  } catch (error) {
    if (!asked && error instanceof KubepassError && error.noEffect) ending.delete(anchor.name)
    throw error
  }
}

/** Saves what is known of the run, so that whoever comes next can finish it. What fails here must not stop what is under way. */
export function record(session: Session, news: Partial<Receipt> = {}): void {
  session.receipt = { ...session.receipt, ...news }
  // Main may be at work still, and would take it for the scan's doing; and nobody comes behind the post step of a CI.
  if (session.platform.isCI && session.platform.runKey !== undefined && session.knows !== 'all') return
  try {
    session.platform.saveReceipt(session.receipt)
  } catch (error) {
    const text = `The receipt could not be saved (${errnoOf(error) || 'unknown reason'}).`
    if (!session.evidence.warnings.includes(text)) session.evidence.warnings.push(text)
  }
}

/** Saves what is new of one of its credentials. */
export function note(session: Session, credential: Issued, news: Partial<Issued>, save = record): Issued {
  const changed = { ...credential, ...news }
  const credentials = session.receipt.credentials.map((each) => (each === credential ? changed : each))
  session.evidence.dead_by = deadBy(credentials)
  save(session, { credentials })
  return changed
}

/** As record, before something can exist that without it nobody could end. */
export function recordFirst(session: Session, news: Partial<Receipt> = {}): void {
  const receipt = { ...session.receipt, ...news }
  saveFirst(session, receipt)
  session.receipt = receipt
}

/** Without a receipt nobody could finish the run, so that it does not go on. */
export function saveFirst({ platform }: Context, receipt: Receipt | 'none'): void {
  try {
    platform.saveReceipt(receipt)
  } catch (cause) {
    throw new KubepassError('INPUT', `The receipt, by which this run could be finished, cannot be saved (${errnoOf(cause)}).`, {
      hint: 'Is the disk full, or not to be written to? The receipt lies with the runner, in a terminal in TMPDIR or directory.',
    })
  }
}

export async function warn(session: Session, text: string): Promise<void> {
  session.evidence.warnings.push(session.redactor.redact(text))
  await session.platform.warn(text)
}

/** What is so for each credential of the run is told of the first. */
export async function warnOnce(session: Session, text: string): Promise<void> {
  if (!session.evidence.warnings.includes(session.redactor.redact(text))) await warn(session, text)
}

// The audit log shows it beside every call: who, and why.
function userAgent(run: Run): string {
  const printable = (text: string): string => text.replaceAll(/[^\w./@-]+/g, '_').slice(0, 100)
  return `kubepass/${version} (${run.platform}; run ${printable(run.id)}/${printable(run.attempt)}; ${printable(run.repository)})`
}
