import { isoTime } from '../base/time.ts'
import type { Options } from '../config/options.ts'
import type { StepOutputs } from '../platform/platform.ts'
import { withheldFromClients } from '../scan/environment.ts'
import { podTokenFolder } from '../system/pod.ts'
import { credentialId } from '../token/claims.ts'
import type { LiveCredential } from './acquire.ts'
import { recordExecutableDigest } from './read-program.ts'
import type { Run } from './run-context.ts'

/** Gives the credential to the later steps of the job. The post step revokes it. */
export async function deliverToLaterSteps(run: Run, credential: LiveCredential, kubeconfig: string): Promise<void> {
  const { env, log, stepOutputs } = run.platform
  run.journal.observe({ type: 'DeliveredToLaterSteps' })
  run.programReading = recordExecutableDigest(run)
  if (stepOutputs !== undefined) await writeOutputs(stepOutputs, run.options, credential, kubeconfig)
  const preferred = withheldFromClients(env, { KUBECONFIG: kubeconfig, KUBE_CONFIG_PATH: kubeconfig })
  if (preferred.length > 0)
    log.info(`Clients prefer ${preferred.join(', ')} to the kubeconfig: unset each of these in the steps of the scan.`)
  const podToken = podTokenFolder()
  if (podToken !== undefined) log.info(`The later steps can read this Pod's own token in ${podToken}.`)
  log.info('The later steps of this job have the credential; the post step revokes it. It is not renewed.')
}

async function writeOutputs(outputs: StepOutputs, options: Options, credential: LiveCredential, kubeconfig: string): Promise<void> {
  const { token, jti, expiresAt } = credential
  await outputs.exportVariable('KUBECONFIG', kubeconfig)
  await outputs.exportVariable('KUBE_CONFIG_PATH', kubeconfig)
  await outputs.setOutput('kubeconfig', kubeconfig)
  await outputs.setOutput('expires_at', isoTime(expiresAt))
  await outputs.setOutput('credential_id', jti === undefined ? '' : credentialId(jti))
  if (options.delivery === 'env') await outputs.exportVariable(options.tokenVariable, token)
  if (options.delivery === 'output') await outputs.setOutput('token', token)
}
