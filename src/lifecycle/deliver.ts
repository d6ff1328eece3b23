import { isoTime } from '../base/time.ts'
import { withheldFromClients } from '../scan/environment.ts'
import { podTokenFolder } from '../system/pod.ts'
import { credentialId } from '../token/claims.ts'
import type { LiveCredential } from './acquire.ts'
import type { Run } from './run-context.ts'

/** Leaves the credential to the later steps of the job; the post step takes it back. */
export async function deliverToLaterSteps(run: Run, credential: LiveCredential, kubeconfig: string): Promise<void> {
  const { platform, options } = run
  await platform.exportVariable('KUBECONFIG', kubeconfig)
  await platform.exportVariable('KUBE_CONFIG_PATH', kubeconfig)
  await platform.setOutput('kubeconfig', kubeconfig)
  await platform.setOutput('expires_at', isoTime(credential.expiresAt))
  await platform.setOutput('credential_id', credential.jti === undefined ? '' : credentialId(credential.jti))
  if (options.delivery === 'env') await platform.exportVariable(options.tokenVariable, credential.token)
  if (options.delivery === 'output') await platform.setOutput('token', credential.token)
  const outranking = withheldFromClients(platform.env, { KUBECONFIG: kubeconfig, KUBE_CONFIG_PATH: kubeconfig })
  if (outranking.length > 0)
    platform.info(`Clients prefer ${outranking.join(', ')} to the kubeconfig: unset that for the steps of the scan.`)
  const podToken = podTokenFolder()
  if (podToken !== undefined) platform.info(`The later steps can read this Pod's own token in ${podToken}.`)
  platform.info('The later steps of this job have the credential; the post step revokes it. It is not renewed.')
}
