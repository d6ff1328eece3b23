import { KubepassError } from '../errors.ts'
import type { IdentityKind, Options } from '../options.ts'
import type { Seal } from '../secret.ts'
import { githubOidcIdentity, type IdTokenRequest } from './github-oidc.ts'
import type { Identity } from './identity.ts'
import { tokenIdentity } from './token.ts'

export interface Surroundings {
  idTokenRequest: IdTokenRequest | undefined
  seal: Seal
  env: NodeJS.ProcessEnv
}

const ADD_PERMISSION = 'Add to the job:\n  permissions:\n    id-token: write'

/**
 * The identity that the options name, or the only one that is there.
 * @returns it, and why it was taken
 */
export function chooseIdentity(options: Options, { idTokenRequest, seal, env }: Surroundings): { identity: Identity; why: string } {
  const candidates: { kind: IdentityKind; there: string; make: () => Identity }[] = []
  const { token } = options
  if (token !== undefined) candidates.push({ kind: 'token', there: 'a token was given', make: () => tokenIdentity(token) })
  if (idTokenRequest !== undefined) {
    const make = (): Identity => githubOidcIdentity(idTokenRequest, options.audience, seal, env)
    candidates.push({ kind: 'github-oidc', there: 'the job may request ID tokens', make })
  }

  if (options.identity !== 'auto') {
    const named = candidates.find(({ kind }) => kind === options.identity)
    if (named !== undefined) return { identity: named.make(), why: 'it was asked for' }
    throw new KubepassError('IDENTITY', 'The job may not request ID tokens.', { hint: ADD_PERMISSION })
  }
  const [only, ...others] = candidates
  if (only === undefined)
    throw new KubepassError('IDENTITY', 'There is no identity: no token was given, and the job may not request ID tokens.', {
      hint: `${ADD_PERMISSION}\nor give token or token_file.`,
    })
  if (others.length > 0) {
    const names = candidates.map(({ kind, there }) => `${kind} (${there})`).join(' and ')
    throw new KubepassError('IDENTITY', `Two identities could be meant: ${names}.`, { hint: 'Set identity to one of them.' })
  }
  return { identity: only.make(), why: only.there }
}
