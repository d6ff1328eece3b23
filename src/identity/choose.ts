import { KubepassError } from '../errors.ts'
import type { InputId } from '../inputs.ts'
import type { IdentityKind, Options } from '../options.ts'
import type { Seal, Secret } from '../secret.ts'
import { githubOidcIdentity, type IdTokenRequest } from './github-oidc.ts'
import { gitlabOidcIdentity } from './gitlab-oidc.ts'
import type { Identity } from './identity.ts'
import { inClusterIdentity } from './in-cluster.ts'
import { tokenIdentity } from './token.ts'

export interface Surroundings {
  /** What is missing where the job cannot request ID tokens; undefined where no job ever can. */
  idTokensNeed: string | undefined
  nameOf: (id: InputId) => string
  idTokenRequest: IdTokenRequest | undefined
  idToken: Secret | undefined
  seal: Seal
  env: NodeJS.ProcessEnv
  /** The directories of PATH, and whether a post step will need the identity again. */
  path: string
  hasPost: boolean
}

interface Candidate {
  kind: IdentityKind
  there: string
  make: () => Identity | Promise<Identity>
}

/**
 * The identity that the options name, or the only one that is there. No network yet.
 * @returns it, and why it was taken
 */
export async function chooseIdentity(options: Options, surroundings: Surroundings): Promise<{ identity: Identity; why: string }> {
  const { idTokensNeed, nameOf } = surroundings
  const candidates = candidatesOf(options, surroundings)
  if (options.identity !== 'auto') {
    const named = candidates.find(({ kind }) => kind === options.identity)
    if (named !== undefined) return { identity: await make(named), why: 'it was asked for' }
    throw new KubepassError('IDENTITY', 'The job has no ID token, and may not request one.', { hint: idTokensNeed })
  }
  const [only, ...others] = candidates
  if (only === undefined) {
    const given = `${nameOf('token_file')}${idTokensNeed === undefined ? ' or' : `, ${nameOf('token')} or`} ${nameOf('kubeconfig')}`
    const token = `Give ${given}.`
    const [also, hint] = idTokensNeed === undefined ? ['', token] : [', and the job has no ID token', `${idTokensNeed}\nOr: ${token}`]
    throw new KubepassError('IDENTITY', `There is no identity: no token was given${also}.`, { hint })
  }
  if (others.length > 0) {
    const names = candidates.map(({ kind, there }) => `${kind} (${there})`).join(' and ')
    throw new KubepassError('IDENTITY', `More than one identity could be meant: ${names}.`, {
      hint: `Set ${nameOf('identity')} to one of them.`,
    })
  }
  return { identity: await make(only), why: only.there }

  async function make(candidate: Candidate): Promise<Identity> {
    const identity = await candidate.make()
    if (options.server !== '' || identity.cluster !== undefined) return identity
    throw new KubepassError('INPUT', `${nameOf('server')} is missing: it does not come with the identity ${identity.kind}.`)
  }
}

function candidatesOf(options: Options, surroundings: Surroundings): Candidate[] {
  const { idToken, idTokenRequest, seal, env } = surroundings
  const { audience, kubeconfig, token } = options
  const candidates: Candidate[] = []
  if (token !== undefined) candidates.push({ kind: 'token', there: 'a token was given', make: () => tokenIdentity(token) })
  if (kubeconfig !== undefined) {
    // What most jobs have no use for is not loaded for them.
    const make = async (): Promise<Identity> => (await import('./kubeconfig.ts')).kubeconfigIdentity(kubeconfig, surroundings)
    candidates.push({ kind: 'kubeconfig', there: 'a kubeconfig was given', make })
  }
  if (idTokenRequest !== undefined) {
    const make = (): Identity => githubOidcIdentity(idTokenRequest, audience, seal, env)
    candidates.push({ kind: 'github-oidc', there: 'the job may request ID tokens', make })
  }
  if (idToken !== undefined) {
    candidates.push({ kind: 'gitlab-oidc', there: 'the job has an ID token', make: () => gitlabOidcIdentity(idToken, audience) })
  }
  // The last resort: a runner in a Pod serves jobs that mean another cluster.
  const lastResort = options.identity === 'auto' && candidates.length === 0 && options.server === ''
  if (options.identity === 'in-cluster' || lastResort) {
    const there = 'nothing else was given, and the job runs in a Pod'
    candidates.push({ kind: 'in-cluster', there, make: () => inClusterIdentity(env, seal) })
  }
  return candidates
}
