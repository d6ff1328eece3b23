import { KubepassError } from '../base/errors.ts'
import type { IdentityKind } from '../config/cluster-access.ts'
import { validityProblem } from '../token/claims.ts'
import type { AuthInfo } from './identity.ts'

const HOW_TO_RENEW: Partial<Record<IdentityKind, string>> = {
  token: 'Give a new one, such as: kubectl create token issuer --namespace kubepass-issuer --duration 24h',
  kubeconfig: 'Put a new token into the kubeconfig, or use a program (exec) that gives one.',
  'gitlab-oidc': 'It lives as long as the job may run, and cannot be renewed: raise timeout.',
  'in-cluster': 'The kubelet renews the file long before the token expires: check whether the Pod still runs properly.',
}

/**
 * Refuses, before any request, a token that is expired or not valid yet by its own times. The revocation does not call this
 * function: if this machine's clock is wrong, the API server still accepts the token.
 * @throws IDENTITY
 */
export function requireValidNow(kind: IdentityKind, auth: AuthInfo, now = Date.now() / 1000): void {
  // GitHub has just issued its token, so that only this machine's clock can be wrong.
  if (kind === 'github-oidc' || !('bearer' in auth)) return
  const why = validityProblem(auth.bearer, now)
  if (why === undefined) return
  const name = kind === 'gitlab-oidc' ? 'The ID token' : "The identity's token"
  throw new KubepassError('IDENTITY', `${name} ${why}.`, {
    hint: `${HOW_TO_RENEW[kind] ?? ''} If the times are right, set this machine's clock.`,
  })
}
