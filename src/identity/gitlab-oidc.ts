import { KubepassError } from '../base/errors.ts'
import { quote, quoteValue } from '../base/quote.ts'
import type { SealedString } from '../redact/sealed-string.ts'
import { jwtOf } from '../token/jwt.ts'
import type { Identity } from './identity.ts'

/**
 * The ID token that GitLab gives the job at its start. A job cannot request another one.
 * https://docs.gitlab.com/ci/secrets/id_token_authentication/
 */
export function gitlabOidcIdentity(token: SealedString, audience: string): Identity {
  return {
    kind: 'gitlab-oidc',
    authInfo: () =>
      Promise.try(() => {
        const claims = jwtOf(token)?.claims
        if (claims === undefined) {
          throw new KubepassError('IDENTITY', 'The variable KUBEPASS_ID_TOKEN is set, but holds no JWT.', {
            hint: 'GitLab sets this variable because of id_tokens in the job. Check that variables does not set the same name.',
          })
        }
        const { aud } = claims
        // With a second audience, this cluster could use the token at another server.
        if (aud !== audience && !(Array.isArray(aud) && aud.length === 1 && aud[0] === audience)) {
          throw new KubepassError('IDENTITY', `The ID token's audience is ${quoteValue(aud)}, not ${quote(audience)} alone.`, {
            hint: "Give audience as the template's input: the API server's URL, written as in server, without a slash at its end.",
          })
        }
        return { bearer: token }
      }),
  }
}
