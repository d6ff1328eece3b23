import { isoTime, jwtOf } from '../credential.ts'
import { KubepassError } from '../errors.ts'
import { quote } from '../quote.ts'
import type { Secret } from '../secret.ts'
import type { Identity } from './identity.ts'

/**
 * The ID token that the job was given at its start; there is no other.
 * https://docs.gitlab.com/ci/secrets/id_token_authentication/
 */
export function gitlabOidcIdentity(token: Secret, audience: string): Identity {
  return {
    kind: 'gitlab-oidc',
    authInfo: () =>
      Promise.try(() => {
        const { aud, exp } = jwtOf(token)?.claims ?? {}
        // One for more than this cluster could be used by it at another.
        if (aud !== audience && !(Array.isArray(aud) && aud.length === 1 && aud[0] === audience)) {
          throw new KubepassError(
            'IDENTITY',
            `The ID token's audience is ${quote(JSON.stringify(aud ?? null))}, not ${quote(audience)} alone.`,
            {
              hint: "Give audience as the template's input: the API server's URL, written as in server, without a slash at its end.",
            },
          )
        }
        if (typeof exp === 'number' && exp <= Date.now() / 1000) {
          throw new KubepassError('IDENTITY', `The ID token expired ${isoTime(exp)}.`, {
            hint: 'It lives as long as the job may run, and cannot be renewed: raise timeout.',
          })
        }
        return { bearer: token }
      }),
  }
}
