import { readFileSync } from 'node:fs'
import { KubepassError } from '../base/errors.ts'

/** The command could not be isolated, and was not started. */
export class NotIsolated extends Error {}

export function isolationError({ message }: NotIsolated): KubepassError {
  return new KubepassError('INPUT', `isolate is required, but the scan cannot be isolated here: ${message}.`, { hint: howToAllow(message) })
}

function howToAllow(reason: string): string {
  const is = (setting: string, value: string): boolean => {
    try {
      return readFileSync(`/proc/sys/${setting}`, 'utf8').trim() === value
    } catch {
      return false
    }
  }
  if (reason.includes(NOT_FOUND) || reason.includes('unrecognized option')) return 'Install util-linux.'
  if (is('user/max_user_namespaces', '0')) return 'Allow user namespaces on this machine: sysctl -w user.max_user_namespaces=15000'
  if (is('kernel/unprivileged_userns_clone', '0'))
    return 'Allow user namespaces on this machine: sysctl -w kernel.unprivileged_userns_clone=1'
  if (is('kernel/apparmor_restrict_unprivileged_userns', '1'))
    return 'AppArmor restricts user namespaces on this machine. Allow them: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0'
  return 'In a container, isolation needs: docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined'
}

export const NOT_FOUND = 'is not in'
