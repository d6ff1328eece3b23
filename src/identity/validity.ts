import { KubepassError } from '../base/errors.ts'
import type { IdentityKind } from '../config/cluster-access.ts'
import { validityProblem } from '../token/claims.ts'
import type { AuthInfo } from './identity.ts'

const HOW_TO_RENEW: Partial<Record<IdentityKind, string>> = {
  token: 'Give a new one, such as: kubectl create token issuer --namespace kubepass-issuer --duration 24h',
  kubeconfig: 'Write the kubeconfig anew, or have its program (exec) give a new one.',
  'gitlab-oidc': 'It lives as long as the job may run, and cannot be renewed: raise timeout.',
  'in-cluster': 'The kubelet renews it in the file long before: does the Pod still run as it should?',
}

/**
 * Refuses a token whose own times show that the API server cannot accept it, before any call. A revocation does not come
 * here: if this machine's clock is wrong, the API server accepts the token.
 * @throws IDENTITY
 */
export function requireValidNow(kind: IdentityKind, auth: AuthInfo, now = Date.now() / 1000): void {
  // GitHub has just made its token, so that only a clock can be wrong.
  if (kind === 'github-oidc' || !('bearer' in auth)) return
  const why = validityProblem(auth.bearer, now)
  if (why === undefined) return
  const name = kind === 'gitlab-oidc' ? 'The ID token' : 'The token that shows who the job is'
  throw new KubepassError('IDENTITY', `${name} ${why}.`, {
    hint: `${HOW_TO_RENEW[kind] ?? ''} If the times are right, set this machine's clock.`,
  })
}
