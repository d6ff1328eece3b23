import { isoTime, type Credential } from './credential.ts'
import { withheldProxies } from './proxy-variables.ts'
import { markerOf } from './receipt.ts'
import { Scan, scanEnvironment } from './scan.ts'
import { record, type Session } from './session.ts'

/**
 * Runs the scan with the credential.
 * @returns the exit code for the host: on a CI an accepted one is 0
 */
export async function runScan(
  session: Session,
  command: readonly [string, ...string[]],
  { token }: Credential,
  kubeconfig: string,
): Promise<number> {
  const { options, platform, redactor, evidence, signal } = session
  signal.throwIfAborted()
  const env = scanEnvironment(platform.env, options, (value) => redactor.redact(value) !== value)
  if (options.env === 'inherit')
    for (const name of withheldProxies(platform.env, env))
      platform.say(`${name} holds a password, so the scan does not get it. Name it in pass_env if the scan needs that proxy.`)
  const delivered = options.delivery === 'env' ? { [options.tokenVariable]: token.reveal() } : {}
  const startedAt = new Date().toISOString()
  evidence.used = { started_at: startedAt, ended_at: null, exit_code: null, signal: null }
  record(session)
  platform.guardCommandFiles(options.passEnv)
  const outputs = platform.scanOutputs()
  session.scan = await Scan.start(
    command,
    { ...env, KUBECONFIG: kubeconfig, KUBE_CONFIG_PATH: kubeconfig, ...delivered },
    markerOf(session.receipt),
    options.isolate,
    {
      ...outputs,
      stdin: platform.readStdin === undefined || options.stdinTaken ? 'ignore' : 'inherit',
      filters: () => [redactor.stream(), ...outputs.filters()],
    },
  )
  evidence.isolation = session.scan.isolation
  if (options.isolate === 'auto' && evidence.isolation.why_not !== null)
    platform.say(`The scan is not isolated: ${evidence.isolation.why_not}.`)
  const { exitCode, signal: by } = await session.scan.ended(signal)
  evidence.used = { started_at: startedAt, ended_at: new Date().toISOString(), exit_code: exitCode, signal: by }
  return platform.isCI && options.acceptExitCodes.includes(exitCode) ? 0 : exitCode
}

/** Leaves the credential to the later steps of the job; the post step takes it back. */
export async function leaveToLaterSteps(session: Session, credential: Credential, kubeconfig: string): Promise<void> {
  const { platform, options, evidence } = session
  await platform.exportVariable('KUBECONFIG', kubeconfig)
  await platform.exportVariable('KUBE_CONFIG_PATH', kubeconfig)
  await platform.setOutput('kubeconfig', kubeconfig)
  await platform.setOutput('expires_at', isoTime(credential.expiresAt))
  await platform.setOutput('credential_id', evidence.granted?.credential_id ?? '')
  if (options.delivery === 'env') await platform.exportVariable(options.tokenVariable, credential.token)
  if (options.delivery === 'output') await platform.setOutput('token', credential.token)
  platform.say('The later steps of this job have the credential; the post step revokes it. It is not renewed.')
}
