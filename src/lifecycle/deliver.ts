import { isoTime } from '../base/time.ts'
import { withheldFromClients } from '../scan/environment.ts'
import { podTokenFolder } from '../system/pod.ts'
import type { Received } from './acquire.ts'
import type { Session } from './session.ts'

/** Leaves the credential to the later steps of the job; the post step takes it back. */
export async function leaveToLaterSteps(session: Session, credential: Received, kubeconfig: string): Promise<void> {
  const { platform, options, evidence } = session
  await platform.exportVariable('KUBECONFIG', kubeconfig)
  await platform.exportVariable('KUBE_CONFIG_PATH', kubeconfig)
  await platform.setOutput('kubeconfig', kubeconfig)
  await platform.setOutput('expires_at', isoTime(credential.expiresAt))
  await platform.setOutput('credential_id', evidence.granted?.credential_id ?? '')
  if (options.delivery === 'env') await platform.exportVariable(options.tokenVariable, credential.token)
  if (options.delivery === 'output') await platform.setOutput('token', credential.token)
  const outranking = withheldFromClients(platform.env, { KUBECONFIG: kubeconfig, KUBE_CONFIG_PATH: kubeconfig })
  if (outranking.length > 0)
    platform.say(`Clients prefer ${outranking.join(', ')} to the kubeconfig: unset that for the steps of the scan.`)
  const podToken = podTokenFolder()
  if (podToken !== undefined) platform.say(`The later steps can read this Pod's own token in ${podToken}.`)
  platform.say('The later steps of this job have the credential; the post step revokes it. It is not renewed.')
}
