import type { AuthenticationV1TokenRequest } from '@kubernetes/client-node'
import { quote } from '../base/quote.ts'
import type { AuthInfo } from '../identity/identity.ts'
import type { Seal } from '../redact/secret.ts'
import { type Credential, type Expected, readCredential } from '../token/claims.ts'
import type { Anchor } from './bound-secret.ts'
import type { KubeClient } from './client.ts'
import { incomplete, refusalOf } from './refusal.ts'

/**
 * Asks for a token and seals it before anything else sees it.
 * @returns it, not judged yet; what it must say; and the server's own warnings, which are foreign text
 */
export async function requestToken(
  client: KubeClient,
  auth: AuthInfo,
  asked: { namespace: string; name: string; duration: number; audiences: readonly string[]; anchor: Anchor | undefined },
  seal: Seal,
  signal: AbortSignal,
): Promise<{ credential: Credential; expected: Expected; warnings: string[] }> {
  const boundObjectRef = asked.anchor && { apiVersion: 'v1', kind: 'Secret', name: asked.anchor.name, uid: asked.anchor.uid }
  const body: AuthenticationV1TokenRequest = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { audiences: [...asked.audiences], expirationSeconds: asked.duration, ...(boundObjectRef ? { boundObjectRef } : {}) },
  }
  const path = `/api/v1/namespaces/${asked.namespace}/serviceaccounts/${asked.name}/token`
  const answer = await client.call({ method: 'POST', path, auth, body }, signal)
  if (answer.status !== 201) {
    throw refusalOf(answer, `issue a token for ServiceAccount ${quote(`${asked.namespace}/${asked.name}`)}`, auth)
  }
  const status = (answer.body as { status?: { token?: unknown; expirationTimestamp?: unknown } } | undefined)?.status
  if (typeof status?.token !== 'string' || status.token === '') throw incomplete('token')
  const token = seal(status.token)
  const stated = typeof status.expirationTimestamp === 'string' ? status.expirationTimestamp : undefined
  return { credential: readCredential(token), expected: { ...asked, stated }, warnings: answer.warnings }
}
