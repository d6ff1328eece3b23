import { setImmediate } from 'node:timers/promises'
import { ApiProxy } from '../api-proxy/api-proxy.ts'
import { RequestLog } from '../api-proxy/request-log.ts'
import { errnoOf, KubepassError } from '../base/errors.ts'
import { isoTime } from '../base/time.ts'
import { wantsProxy } from '../config/delivery.ts'
import type { Options } from '../config/options.ts'
import type { StepOutputs } from '../platform/platform.ts'
import { withheldFromClients } from '../scan/environment.ts'
import { directAccess, proxiedAccess, tokenFileIn, writeKubeconfig } from '../scan/kubeconfig-file.ts'
import { podTokenFolder } from '../system/pod.ts'
import { credentialId } from '../token/claims.ts'
import type { LiveCredential } from './acquire.ts'
import { recordExecutableDigest } from './read-program.ts'
import { openHttp, type Run } from './run-context.ts'

/** The credential of a scan can be renewed, and its cleanup takes time, so the certificate outlives `max_scan`. */
const CERTIFICATE_RESERVE_MS = 3_600_000

/** Starts the API proxy if the scan is to use it. Without a token it passes nothing on. */
export async function startApiProxy(run: Run): Promise<void> {
  const { options, platform, seal } = run
  if (!wantsProxy(options)) return
  // The first request to the API server leaves before this process makes a key.
  await setImmediate()
  const { allow, maxScan, requests, server } = options
  run.apiProxy = await ApiProxy.start({
    server,
    http: openHttp(platform, options),
    allow,
    validUntil: Date.now() + options.deadline + maxScan * 1000 + CERTIFICATE_RESERVE_MS,
    seal,
    log: requests === undefined ? undefined : openRequestLog(run, requests),
  })
}

function openRequestLog({ platform, redactor }: Run, path: string): RequestLog {
  try {
    return RequestLog.open(path, (text) => redactor.redact(text))
  } catch (cause) {
    throw new KubepassError('INPUT', `The file that ${platform.nameOf('requests')} names cannot be written (${errnoOf(cause)}).`, {
      hint: 'Is the disk full? Name a file in a folder of this user.',
    })
  }
}

/**
 * Writes the kubeconfig of the scan.
 * @param isAccepted whether the API server accepts the token
 * @returns the path of the kubeconfig
 */
export function deliver(run: Run, credential: LiveCredential, isAccepted: boolean): string {
  if (!isAccepted) leaveProxy(run)
  const { apiProxy, journal, options, platform } = run
  if (apiProxy === undefined) return giveToken(run, credential)
  apiProxy.token = credential.token
  journal.observe({ type: 'AccessOpened' })
  return writeKubeconfig(journal.state.directory, proxiedAccess(options, apiProxy), platform.ownerUid)
}

function giveToken({ journal, options, platform }: Run, { token }: LiveCredential): string {
  return writeKubeconfig(journal.state.directory, directAccess(options, token), platform.ownerUid)
}

/** Gives the scan the token, because the API server would refuse each request of the proxy. */
function leaveProxy(run: Run): void {
  const { apiProxy, options, platform } = run
  if (apiProxy === undefined) return
  apiProxy.close()
  run.apiProxy = undefined
  const reasons = { delivery: options.delivery === 'proxy', allow: options.allow !== 'granted', requests: options.requests !== undefined }
  const needed = (['delivery', 'allow', 'requests'] as const).find((id) => reasons[id])
  if (needed !== undefined)
    throw new KubepassError('INPUT', `${platform.nameOf(needed)} needs the API proxy, but the API server refuses the token.`, {
      hint: `Add an audience of the API server to ${platform.nameOf('token_audiences')}, or leave ${platform.nameOf(needed)} out.`,
    })
  platform.log.info('The API proxy is of no use to a token for other audiences, so the scan gets the token in its kubeconfig.')
}

/** Gives the scan the renewed credential. */
export function deliverRenewed(run: Run, renewed: LiveCredential): void {
  if (run.apiProxy === undefined) giveToken(run, renewed)
  else run.apiProxy.token = renewed.token
}

/** Gives the credential to the later steps of the job. The post step revokes it. */
export async function deliverToLaterSteps(run: Run, credential: LiveCredential, kubeconfig: string): Promise<void> {
  const { env, log, stepOutputs } = run.platform
  run.journal.observe({ type: 'DeliveredToLaterSteps' })
  run.programReading = recordExecutableDigest(run)
  if (stepOutputs !== undefined) await writeOutputs(stepOutputs, run, credential, kubeconfig)
  const preferred = withheldFromClients(env, { KUBECONFIG: kubeconfig, KUBE_CONFIG_PATH: kubeconfig })
  if (preferred.length > 0)
    log.info(`Clients prefer ${preferred.join(', ')} to the kubeconfig: unset each of these in the steps of the scan.`)
  const podToken = podTokenFolder()
  if (podToken !== undefined) log.info(`The later steps can read this Pod's own token in ${podToken}.`)
  log.info('The later steps of this job have the credential; the post step revokes it. It is not renewed.')
}

async function writeOutputs(outputs: StepOutputs, run: Run, credential: LiveCredential, kubeconfig: string): Promise<void> {
  const { delivery, tokenVariable } = run.options
  const { token, jti, expiresAt } = credential
  await outputs.exportVariable('KUBECONFIG', kubeconfig)
  await outputs.exportVariable('KUBE_CONFIG_PATH', kubeconfig)
  await outputs.setOutput('kubeconfig', kubeconfig)
  await outputs.setOutput('expires_at', isoTime(expiresAt))
  await outputs.setOutput('credential_id', jti === undefined ? '' : credentialId(jti))
  const tokenFile = tokenFileIn(run.journal.state.directory)
  if (delivery === 'env') {
    await outputs.exportVariable(tokenVariable, token)
    await outputs.exportVariable(tokenFileVariable(run.options), tokenFile)
  }
  if (delivery === 'output') {
    await outputs.setOutput('token', token)
    await outputs.setOutput('token_file', tokenFile)
  }
}

/** The variable that names the file of the token, for scripts that re-read it. */
export function tokenFileVariable({ tokenVariable }: Pick<Options, 'tokenVariable'>): string {
  return `${tokenVariable}_FILE`
}
