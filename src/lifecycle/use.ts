import { errnoOf, KubepassError } from '../base/errors.ts'
import { isoTime } from '../base/time.ts'
import { DEFAULT_MAX_SCAN_S } from '../config/options.ts'
import { withheldProxies } from '../net/proxy-variables.ts'
import { MAX_TIMER_MS } from '../net/retry.ts'
import { scanEnvironment, withheldFromClients } from '../scan/environment.ts'
import { openNamedPipes, type Pipes } from '../scan/named-pipes.ts'
import { Scan } from '../scan/scan.ts'
import { trackingIdOf } from '../state/run-state.ts'
import { podTokenFolder } from '../system/pod.ts'
import { renewAt } from '../token/lifetime.ts'
import type { LiveCredential } from './acquire.ts'
import { startRenewal } from './renew.ts'
import { saveState, type Run, warn } from './run-context.ts'

/**
 * Runs the scan with the credential.
 * @param whyNoPipes why its named pipes could not be made; undefined when they are there
 * @returns the exit code for the host: on a CI an accepted one is 0
 */
export async function runScan(
  run: Run,
  command: readonly [string, ...string[]],
  credential: LiveCredential,
  kubeconfig: string,
  whyNoPipes: Promise<string | undefined>,
): Promise<number> {
  const { options, platform, redactor, evidence, signal } = run
  signal.throwIfAborted()
  const env = scanEnvironment(platform.env, options, (value) => redactor.redact(value) !== value)
  if (options.env === 'inherit')
    for (const name of withheldProxies(platform.env, env))
      platform.info(`${name} holds a password, so the scan does not get it. Name it in pass_env if the scan needs that proxy.`)
  const delivered = options.delivery === 'env' ? { [options.tokenVariable]: credential.token.reveal() } : {}
  // The preferences in ~/.kube/kuberc can name another kubeconfig or user.
  const preferences = options.passEnv.includes('KUBERC') ? {} : { KUBERC: 'off' }
  const access = { KUBECONFIG: kubeconfig, KUBE_CONFIG_PATH: kubeconfig, ...delivered }
  const withheld = options.env === 'inherit' ? withheldFromClients(platform.env, { ...env, ...access }) : []
  if (withheld.length > 0)
    platform.info(
      `The scan does not get ${withheld.join(', ')}: clients would prefer that to its kubeconfig. Name it in pass_env if the scan needs it.`,
    )
  const renewal = renewAt(credential, credential.receivedAt)
  const isOwn = options.maxScan !== DEFAULT_MAX_SCAN_S
  const telling = announceRenewal(run, renewal, isOwn ? options.maxScan : undefined)
  for (const doubt of platform.timeoutWarnings(isOwn ? options.maxScan : undefined)) await warn(run, doubt)
  const pipes = outputPipes(run, await whyNoPipes)
  const podToken = podTokenFolder()
  const startedAt = new Date().toISOString()
  evidence.used = { started_at: startedAt, ended_at: null, exit_code: null, signal: null }
  saveState(run)
  platform.guardCommandFiles(options.passEnv)
  const outputs = platform.scanOutputs()
  run.scan = await Scan.start(
    command,
    { ...env, ...preferences, ...access },
    trackingIdOf(run.state),
    options.isolate,
    {
      ...outputs,
      pipes,
      stdin: platform.stdin === undefined || options.stdinTaken ? 'ignore' : 'inherit',
      filters: () => [redactor.filter(), ...outputs.filters(redactor.search)],
    },
    podToken,
  )
  evidence.isolation = run.scan.isolation
  saveState(run)
  if (options.isolate === 'auto' && evidence.isolation.why_not !== null)
    platform.info(`The scan is not isolated: ${evidence.isolation.why_not}.`)
  if (podToken !== undefined && run.scan.reasonNotHidden !== undefined)
    platform.info(`The scan can read this Pod's own token in ${podToken}: ${run.scan.reasonNotHidden}.`)
  const overdue = new AbortController()
  const timer = setTimeout(() => overdue.abort(timeoutError(options.maxScan)), options.maxScan * 1000)
  const rotation = startRenewal(run, credential, renewal)
  try {
    const { exitCode, signal: by } = await run.scan.ended(AbortSignal.any([signal, overdue.signal]), run.immediate)
    evidence.used = { started_at: startedAt, ended_at: new Date().toISOString(), exit_code: exitCode, signal: by }
    if (!signal.aborted) overdue.signal.throwIfAborted()
    return platform.isCI && options.acceptExitCodes.includes(exitCode) ? 0 : exitCode
  } finally {
    clearTimeout(timer)
    clearTimeout(telling)
    await rotation.stop()
  }
}

/** @returns undefined when the scan gets sockets; a line in the log says so */
function outputPipes({ platform, state }: Run, whyNot: string | undefined): Pipes | undefined {
  let reason = whyNot
  try {
    if (reason === undefined) return openNamedPipes(state.directory)
  } catch (error) {
    reason = `its pipes could not be opened (${errnoOf(error)})`
  }
  platform.info(`The scan cannot open /dev/stdout or /dev/stderr: ${reason}.`)
  return undefined
}

/**
 * Warns programs that read a token once. The line comes before a scan that may outlive the token, else shortly before the
 * renewal: most scans end earlier.
 * @param from ms since 1970
 * @param maxScan seconds; undefined when nobody has set it
 * @returns the timer of a line that comes later
 */
function announceRenewal({ options, platform }: Run, from: number, maxScan: number | undefined): NodeJS.Timeout | undefined {
  const tell = (): void => {
    const variable = options.delivery === 'env' ? ` The variable ${options.tokenVariable} keeps the first one.` : ''
    platform.info(
      `From ${isoTime(Math.round(from / 1000))} on the credential is renewed. kubectl and other Go programs re-read it; ` +
        `InSpec, Python and JavaScript clients read it once: for them ${platform.nameOf('duration')} must be as long as the scan.${variable}`,
    )
  }
  const wait = announcementDelay(from, Date.now(), maxScan)
  if (wait === 0) tell()
  // The timer alone must not keep the process alive.
  return wait === undefined || wait === 0 ? undefined : setTimeout(tell, wait).unref()
}

/** How long before the renewal the line about it comes. */
const ANNOUNCED_BEFORE_MS = 60_000

/** @returns how long the sentence about the renewal can wait, in milliseconds; undefined when the scan ends before that */
export function announcementDelay(from: number, now: number, maxScan: number | undefined): number | undefined {
  if (maxScan !== undefined) return now + maxScan * 1000 > from ? 0 : undefined
  return Math.min(Math.max(0, from - ANNOUNCED_BEFORE_MS - now), MAX_TIMER_MS)
}

function timeoutError(maxScan: number): KubepassError {
  return new KubepassError('TIMEOUT', `The scan took longer than ${maxScan} s, and was ended.`, {
    hint: 'Does it hang? If it needs the time, raise max_scan.',
  })
}
