import { KubepassError } from '../errors.ts'
import type { InputId } from '../inputs.ts'
import type { IdentityKind, Options } from '../options.ts'
import type { Seal, Secret } from '../secret.ts'
import { githubOidcIdentity, type IdTokenRequest } from './github-oidc.ts'
import { gitlabOidcIdentity } from './gitlab-oidc.ts'
import type { Identity } from './identity.ts'
import { tokenIdentity } from './token.ts'

export interface Surroundings {
  /** What is missing where the job cannot request ID tokens; undefined where no job ever can. */
  idTokensNeed: string | undefined
  nameOf: (id: InputId) => string
  idTokenRequest: IdTokenRequest | undefined
  idToken: Secret | undefined
  seal: Seal
  env: NodeJS.ProcessEnv
}

/**
 * The identity that the options name, or the only one that is there.
 * @returns it, and why it was taken
 */
export function chooseIdentity(
  options: Options,
  { idToken, idTokenRequest, idTokensNeed, nameOf, seal, env }: Surroundings,
): { identity: Identity; why: string } {
  const candidates: { kind: IdentityKind; there: string; make: () => Identity }[] = []
  const { token } = options
  if (token !== undefined) candidates.push({ kind: 'token', there: 'a token was given', make: () => tokenIdentity(token) })
  if (idTokenRequest !== undefined) {
    const make = (): Identity => githubOidcIdentity(idTokenRequest, options.audience, seal, env)
    candidates.push({ kind: 'github-oidc', there: 'the job may request ID tokens', make })
  }
  if (idToken !== undefined) {
    candidates.push({ kind: 'gitlab-oidc', there: 'the job has an ID token', make: () => gitlabOidcIdentity(idToken, options.audience) })
  }

  if (options.identity !== 'auto') {
    const named = candidates.find(({ kind }) => kind === options.identity)
    if (named !== undefined) return { identity: named.make(), why: 'it was asked for' }
    throw new KubepassError('IDENTITY', 'The job has no ID token, and may not request one.', { hint: idTokensNeed })
  }
  const [only, ...others] = candidates
  if (only === undefined) {
    const token = `Give ${nameOf('token_file')}${idTokensNeed === undefined ? '' : ` or ${nameOf('token')}`}.`
    const [also, hint] = idTokensNeed === undefined ? ['', token] : [', and the job has no ID token', `${idTokensNeed}\nOr: ${token}`]
    throw new KubepassError('IDENTITY', `There is no identity: no token was given${also}.`, { hint })
  }
  if (others.length > 0) {
    const names = candidates.map(({ kind, there }) => `${kind} (${there})`).join(' and ')
    throw new KubepassError('IDENTITY', `Two identities could be meant: ${names}.`, { hint: `Set ${nameOf('identity')} to one of them.` })
  }
  return { identity: only.make(), why: only.there }
}
