import type { AuthenticationV1TokenRequest } from '@kubernetes/client-node'
import { quote } from '../base/quote.ts'
import type { AuthInfo } from '../identity/identity.ts'
import type { Seal } from '../redact/sealed-string.ts'
import { type Credential, type ExpectedToken, readCredential } from '../token/claims.ts'
import type { BoundSecret } from './bound-secret.ts'
import type { KubeClient } from './client.ts'
import { incompleteResponse, refusalOf } from './refusal.ts'

/** The token to request, of the ServiceAccount `name`. */
export interface TokenSpec {
  readonly namespace: string
  readonly name: string
  /** Seconds. */
  readonly duration: number
  /** Where it is empty, the API server chooses. */
  readonly audiences: readonly string[]
  /** undefined for a token that is bound to nothing. */
  readonly boundSecret: BoundSecret | undefined
}

/** Who requests the token, and what keeps it secret. */
export interface TokenRequester {
  readonly auth: AuthInfo
  readonly seal: Seal
}

/** A token as the API server issued it. */
export interface IssuedToken {
  /** Not verified yet. */
  readonly credential: Credential
  /** What its claims must be. */
  readonly expected: ExpectedToken
  /** The API server's warnings, which are foreign text. */
  readonly warnings: string[]
}

/**
 * Requests a token and seals it before any other code sees it.
 * @throws KubepassError REFUSED or UNREACHABLE when no token was issued, RIGHTS when the token is no JWT
 */
export async function requestToken(
  client: KubeClient,
  { auth, seal }: TokenRequester,
  spec: TokenSpec,
  signal: AbortSignal,
): Promise<IssuedToken> {
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
