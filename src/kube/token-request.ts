import type { AuthenticationV1TokenRequest } from '@kubernetes/client-node'
import { quote } from '../base/quote.ts'
import type { AuthInfo } from '../identity/identity.ts'
import type { Seal } from '../redact/sealed-string.ts'
import { type Credential, type ExpectedToken, readCredential } from '../token/claims.ts'
import type { BoundSecret } from './bound-secret.ts'
import type { KubeClient } from './client.ts'
import { incompleteResponse, refusalOf } from './refusal.ts'

/**
 * Requests a token and seals it before any other code sees it.
 * @returns the credential, not verified yet; what its claims must be; and the API server's warnings, which are foreign text
 */
export async function requestToken(
  client: KubeClient,
  auth: AuthInfo,
  spec: { namespace: string; name: string; duration: number; audiences: readonly string[]; boundSecret: BoundSecret | undefined },
  seal: Seal,
  signal: AbortSignal,
): Promise<{ credential: Credential; expected: ExpectedToken; warnings: string[] }> {
  const boundObjectRef = spec.boundSecret && { apiVersion: 'v1', kind: 'Secret', name: spec.boundSecret.name, uid: spec.boundSecret.uid }
  const body: AuthenticationV1TokenRequest = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { audiences: [...spec.audiences], expirationSeconds: spec.duration, ...(boundObjectRef ? { boundObjectRef } : {}) },
  }
  const path = `/api/v1/namespaces/${spec.namespace}/serviceaccounts/${spec.name}/token`
  const answer = await client.call({ method: 'POST', path, auth, body }, signal)
  if (answer.status !== 201) {
    throw refusalOf(answer, `issue a token for ServiceAccount ${quote(`${spec.namespace}/${spec.name}`)}`, auth)
  }
  const status = (answer.body as { status?: { token?: unknown; expirationTimestamp?: unknown } } | undefined)?.status
  if (typeof status?.token !== 'string' || status.token === '') throw incompleteResponse('token')
  const token = seal(status.token)
  const statedExpiry = typeof status.expirationTimestamp === 'string' ? status.expirationTimestamp : undefined
  return { credential: readCredential(token), expected: { ...spec, statedExpiry }, warnings: answer.warnings }
}
