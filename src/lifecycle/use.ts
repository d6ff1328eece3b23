import { errnoOf, KubepassError } from '../base/errors.ts'
import { isoTime } from '../base/time.ts'
import { DEFAULT_MAX_SCAN_S } from '../config/options.ts'
import { withheldProxies } from '../net/proxy-variables.ts'
import { MAX_TIMER_MS } from '../net/retry.ts'
import { scanEnvironment, withheldFromClients, withoutProxyForLoopback } from '../scan/environment.ts'
import { tokenFileIn } from '../scan/kubeconfig-file.ts'
import { openNamedPipes, type Pipes } from '../scan/named-pipes.ts'
import { Scan } from '../scan/scan.ts'
import { podTokenFolder } from '../system/pod.ts'
import { renewAt } from '../token/lifetime.ts'
import type { LiveCredential } from './acquire.ts'
import { tokenFileVariable } from './deliver.ts'
import { recordExecutableDigest } from './read-program.ts'
import { startRenewal } from './renew.ts'
import { type Run, warn } from './run-context.ts'
import { causeOfNoRequest } from './unreached-proxy.ts'

/** What the scan gets. */
export interface ScanAccess {
  readonly credential: LiveCredential
  /** The path of the kubeconfig. */
  readonly kubeconfig: string
  /** Why the named pipes for the outputs could not be made; undefined when they exist. */
  readonly whyNoPipes: Promise<string | undefined>
}

/**
 * Runs the scan with the credential.
 * @returns the exit code for the platform; on a CI, 0 for an accepted code
 */
export async function runScan(run: Run, command: readonly [string, ...string[]], access: ScanAccess): Promise<number> {
  const { options, platform, journal, signal } = run
  const { credential, whyNoPipes } = access
  signal.throwIfAborted()
  const env = environmentOf(run, access)
  const renewal = renewAt(credential, credential.receivedAt)
  const maxScan = options.maxScan === DEFAULT_MAX_SCAN_S ? undefined : options.maxScan
  const announcement = run.apiProxy === undefined ? announceRenewal(run, renewal, maxScan) : undefined
  for (const warning of platform.timeoutWarnings?.(maxScan) ?? []) await warn(run, warning)
  const pipes = outputPipes(run, await whyNoPipes)
  // The scan can change the file of the program.
  await run.programReading
  journal.observe({ type: 'ScanStarting', at: new Date().toISOString() })
  platform.commandFiles?.guard(options.passEnv)
  const scan = await start(run, command, env, pipes)
  run.programReading = recordExecutableDigest(run)
  const overdue = new AbortController()
  const timer = setTimeout(() => overdue.abort(timeoutError(run)), options.maxScan * 1000)
  const ongoingRenewal = startRenewal(run, credential, renewal)
  try {
    const { exitCode, signal: by } = await scan.ended(AbortSignal.any([signal, overdue.signal]), run.immediate)
    const isInTime = !signal.aborted && !overdue.signal.aborted
    const isAccepted = isInTime && options.acceptExitCodes.includes(exitCode)
    journal.observe({ type: 'ScanEnded', at: new Date().toISOString(), exitCode, signal: by, isAccepted })
    if (!signal.aborted) overdue.signal.throwIfAborted()
    return platform.isCI && isAccepted ? 0 : exitCode
  } finally {
    clearTimeout(timer)
    clearTimeout(announcement)
    await ongoingRenewal.stop()
  }
}

/** The environment of the scan. A line in the log names each variable that the scan could miss. */
function environmentOf({ apiProxy, journal, options, platform, redactor }: Run, { credential, kubeconfig }: ScanAccess): NodeJS.ProcessEnv {
  const inherited = scanEnvironment(platform.env, options, (value) => redactor.redact(value) !== value)
  const delivered =
    options.delivery === 'env'
      ? { [options.tokenVariable]: credential.token.reveal(), [tokenFileVariable(options)]: tokenFileIn(journal.state.directory) }
      : {}
  // The preferences in ~/.kube/kuberc can name another kubeconfig or user.
  const preferences = options.passEnv.includes('KUBERC') ? {} : { KUBERC: 'off' }
  const access = { KUBECONFIG: kubeconfig, KUBE_CONFIG_PATH: kubeconfig, ...delivered }
  if (options.env === 'inherit') {
    for (const name of withheldProxies(platform.env, inherited))
      platform.log.info(`${name} holds a password, so the scan does not get it. Name it in pass_env if the scan needs that proxy.`)
    const withheld = withheldFromClients(platform.env, { ...inherited, ...access })
    if (withheld.length > 0)
      platform.log.info(
        `The scan does not get ${withheld.join(', ')}: clients would prefer that to its kubeconfig. Name it in pass_env if the scan needs it.`,
      )
  }
  return { ...inherited, ...preferences, ...access, ...(apiProxy && withoutProxyForLoopback(inherited)) }
}

async function start(run: Run, command: readonly [string, ...string[]], env: NodeJS.ProcessEnv, pipes: Pipes | undefined): Promise<Scan> {
  const { journal, options, platform, redactor } = run
  const podToken = podTokenFolder()
  const outputs = platform.scanOutputs()
  const scan = await Scan.start(
    { command, env, trackingId: journal.state.key },
    options.isolate,
    {
      ...outputs,
      pipes,
      stdin: platform.stdin === undefined || options.stdinTaken ? 'ignore' : 'inherit',
      filters: () => [redactor.filter(), ...outputs.filters(redactor.search)],
    },
    podToken,
  )
  run.scan = scan
  const { isolation, reasonNotHidden } = scan
  journal.observe({ type: 'ScanStarted', isolation })
  if (options.isolate === 'auto' && isolation.why_not !== null) platform.log.info(`The scan is not isolated: ${isolation.why_not}.`)
  if (podToken !== undefined && reasonNotHidden !== undefined)
    platform.log.info(`The scan can read this Pod's own token in ${podToken}: ${reasonNotHidden}.`)
  return scan
}

/** @returns undefined when the scan gets sockets; a line in the log says so */
function outputPipes({ platform, journal }: Run, whyNot: string | undefined): Pipes | undefined {
  let reason = whyNot
  try {
    if (reason === undefined) return openNamedPipes(journal.state.directory)
  } catch (error) {
    reason = `its pipes could not be opened (${errnoOf(error)})`
  }
  platform.log.info(`The scan cannot open /dev/stdout or /dev/stderr: ${reason}.`)
  return undefined
}

/**
 * Announces the renewal for programs that read the token once. If `max_scan` shows that the scan can outlive the token, the message comes
 * first. Otherwise it comes 60 s before the renewal, because most scans end before that.
 * @param from the time of the renewal, ms since 1970
 * @param maxScan seconds; undefined when the input is not set
 * @returns the timer of a message that comes later
 */
function announceRenewal({ options, platform }: Run, from: number, maxScan: number | undefined): NodeJS.Timeout | undefined {
  const tell = (): void => {
    const variable = options.delivery === 'env' ? ` The variable ${options.tokenVariable} keeps the first one.` : ''
    platform.log.info(
      `From ${isoTime(Math.round(from / 1000))} on the credential is renewed. kubectl and other Go programs re-read it; ` +
        `InSpec, Python and JavaScript clients read it once: for them ${platform.nameOf('duration')} must be as long as the scan.${variable}`,
    )
  }
  const wait = announcementDelay(from, Date.now(), maxScan)
  if (wait === 0) tell()
  // The timer alone must not keep the process alive.
  return wait === undefined || wait === 0 ? undefined : setTimeout(tell, wait).unref()
}

/** The time from the announcement to the renewal. */
const ANNOUNCED_BEFORE_MS = 60_000

/** @returns the milliseconds until the announcement; undefined when the scan ends before the renewal */
export function announcementDelay(from: number, now: number, maxScan: number | undefined): number | undefined {
  if (maxScan !== undefined) return now + maxScan * 1000 > from ? 0 : undefined
  return Math.min(Math.max(0, from - ANNOUNCED_BEFORE_MS - now), MAX_TIMER_MS)
}

function timeoutError(run: Run): KubepassError {
  const cause = causeOfNoRequest(run)
  const hint = `Does it hang? If it needs the time, raise max_scan.${cause === undefined ? '' : ` ${cause}`}`
  return new KubepassError('TIMEOUT', `The scan took longer than ${run.options.maxScan} s, so kubepass ended it.`, { hint })
}
