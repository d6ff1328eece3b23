import { deadlineAfter } from '../base/deadline.ts'
import { KubepassError } from '../base/errors.ts'
import { isLoopback } from '../net/http.ts'
import { isUnknownHost, isCertificateError, reasonOf, retry } from '../net/retry.ts'
import { openWebExchange } from '../net/web-exchange.ts'
import type { SealedString } from '../redact/sealed-string.ts'
import { decodeJwt } from '../token/jwt.ts'
import type { Identity, IdTokenRequest, IdentityContext } from './identity.ts'

const ID_TOKEN_TIMEOUT_MS = 20_000
/** An ID token lives five minutes, but a scan may take longer. kubepass requests a new one when less than this is left. */
const FRESH_S = 60

/** The job's ID token. https://docs.github.com/en/actions/reference/security/oidc */
export function githubOidcIdentity(
  request: IdTokenRequest,
  audience: string,
  context: Pick<IdentityContext, 'env' | 'isNewHost' | 'info' | 'seal'>,
): Identity {
  let current: { token: SealedString; expiresAt: number } | undefined
  return {
    kind: 'github-oidc',
    async authInfo(signal) {
      const isNewHost = context.isNewHost && current === undefined
      if (current === undefined || current.expiresAt - Date.now() / 1000 < FRESH_S)
        current = await fetchIdToken(request, audience, { ...context, isNewHost }, signal)
      return { bearer: current.token }
    },
  }
}

async function fetchIdToken(
  request: IdTokenRequest,
  audience: string,
  { env, isNewHost, info, seal }: Parameters<typeof githubOidcIdentity>[2],
  signal: AbortSignal,
): Promise<{ token: SealedString; expiresAt: number }> {
  const url = new URL(request.url)
  url.searchParams.set('audience', audience)
  const headers = { accept: 'application/json', authorization: `Bearer ${request.bearer.reveal()}` }
  if (url.protocol !== 'https:' && !isLoopback(url)) throw noIdToken('the URL of its service is not https')
  const exchange = openWebExchange(url, env)
  try {
    const { last: outcome } = await retry(
      (attempt) => exchange.send({ url, method: 'GET', headers, signal: attempt }),
      deadlineAfter(ID_TOKEN_TIMEOUT_MS, signal),
      { info: (text) => info(`The ID token service ${url.host} ${text}`), isNewHost },
    )
    if ('failure' in outcome) {
      throw outcome.failure instanceof KubepassError ? outcome.failure : noIdToken(reasonOf(outcome.failure), hintFor(outcome.failure, url))
    }
    const value = outcome.status === 200 ? idTokenIn(outcome.body) : undefined
    if (value === undefined) throw noIdToken(`its service answered ${outcome.status}${outcome.status === 200 ? ' without one' : ''}`)
    const token = seal(value)
    const expiry = decodeJwt(value)?.claims['exp']
    return { token, expiresAt: typeof expiry === 'number' ? expiry : 0 }
  } finally {
    exchange.close()
  }
}

function hintFor(failure: unknown, { host }: URL): string | undefined {
  if (isCertificateError(failure)) {
    return (
      `The certificate of the ID token service ${host} is not from a CA that Node.js trusts. If it is from an internal CA, or from a proxy that inspects TLS: ` +
      'set NODE_EXTRA_CA_CERTS to the path of that CA as PEM, in the environment of the runner or of this step (env:). certificate_authority is for the API server alone.'
    )
  }
  return isUnknownHost(failure)
    ? `The host of the ID token service, ${host}, has no address here: does the runner need a proxy (HTTPS_PROXY)?`
    : undefined
}

function idTokenIn(body: string): string | undefined {
  try {
    const { value } = JSON.parse(body) as { value?: unknown }
    return typeof value === 'string' && decodeJwt(value) !== undefined ? value : undefined
  } catch {
    return undefined
  }
}

function noIdToken(
  reason: string,
  hint = 'Run the job again. If the error stays, check whether the runner reaches the ID token service (HTTPS_PROXY, NO_PROXY).',
): KubepassError {
  return new KubepassError('IDENTITY', `GitHub gave no ID token: ${reason}.`, { hint })
}
