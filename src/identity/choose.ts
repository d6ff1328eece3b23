import { KubepassError } from '../base/errors.ts'
import type { IdentityKind } from '../config/cluster-access.ts'
import { inputs } from '../config/inputs.ts'
import type { Options } from '../config/options.ts'
import { githubOidcIdentity } from './github-oidc.ts'
import { gitlabOidcIdentity } from './gitlab-oidc.ts'
import type { Identity, IdentityContext } from './identity.ts'
import { inClusterIdentity } from './in-cluster.ts'
import { tokenIdentity } from './token.ts'

interface Candidate {
  kind: IdentityKind
  there: string
  /** The author of the job gave it as an input, so that it goes before an ID token that the job has anyway. */
  isExplicit: boolean
  /** Another person than the author of the job may have given it: it counts only if the input `identity` names it. */
  mustBeNamed?: boolean
  make: () => Identity | Promise<Identity>
}

/**
 * The identity that the options name, or the only one that is there. No network yet.
 * @returns it, and why it was taken
 */
export async function chooseIdentity(options: Options, context: IdentityContext): Promise<{ identity: Identity; why: string }> {
  const { idTokenInstructions, nameOf, job } = context
  const candidates = candidatesOf(options, context)
  const named = (them: readonly Candidate[]): string => them.map(({ kind, there }) => `${kind} (${there})`).join(' and ')
  if (options.identity !== 'auto') {
    const wanted = candidates.find(({ kind }) => kind === options.identity)
    if (wanted !== undefined) return chosen(wanted, 'it was asked for')
    // What else is not there was given by no input, which is told before.
    if (options.identity === `${job.platform}-oidc`)
      throw new KubepassError('IDENTITY', 'The job has no ID token, and may not request one.', { hint: idTokenInstructions })
    const where = { github: 'on GitHub', gitlab: 'on GitLab', terminal: 'in a terminal' }[job.platform]
    throw new KubepassError('IDENTITY', `The identity ${options.identity} is not to be had ${where}.`, {
      hint: candidates.length === 0 ? howToGetOne() : `Here is ${named(candidates)}: set ${nameOf('identity')} to that, or leave it out.`,
    })
  }
  const explicit = candidates.filter(({ isExplicit }) => isExplicit)
  const [only, ...others] = explicit.length > 0 ? explicit : candidates
  if (only === undefined) {
    const also = idTokenInstructions === undefined ? '' : ', and the job has no ID token'
    throw new KubepassError('IDENTITY', `There is no identity: no token was given${also}.`, { hint: howToGetOne() })
  }
  if (others.length > 0) {
    throw new KubepassError('IDENTITY', `More than one identity could be meant: ${named([only, ...others])}.`, {
      hint: `Set ${nameOf('identity')} to one of them.`,
    })
  }
  if (only.mustBeNamed === true) {
    throw new KubepassError('IDENTITY', `The identity ${named([only])} counts on GitLab only if ${nameOf('identity')} names it.`, {
      hint: `Set ${nameOf('identity')} to ${only.kind}: anybody who may run a pipeline can set a variable.${idTokenInstructions === undefined ? '' : `\nOr: ${idTokenInstructions}`}`,
    })
  }
  const merelyThere = candidates.filter((candidate) => candidate !== only).map(({ there }) => there)
  return chosen(only, [only.there, ...merelyThere.map((there) => `which goes before what the job has anyway: ${there}`)].join(', '))

  async function chosen(candidate: Candidate, why: string): Promise<{ identity: Identity; why: string }> {
    const identity = await make(candidate)
    return { identity, why: [why, ...(identity.remark === undefined ? [] : [identity.remark])].join('; ') }
  }

  async function make(candidate: Candidate): Promise<Identity> {
    const identity = await candidate.make()
    if (options.server !== '' || identity.cluster !== undefined) return identity
    const missing = `${nameOf('server')} and ${nameOf('certificate_authority')} are missing`
    throw new KubepassError('INPUT', `${missing}: they do not come with the identity ${identity.kind}.`, {
      hint:
        `Give both, for example ${inputs.server.example} and ${inputs.certificate_authority.example}; ` +
        `or set ${nameOf('identity')} to in-cluster, if the API server of this Pod is meant.`,
    })
  }

  function howToGetOne(): string {
    const inputsForIt = `${nameOf('token_file')}${idTokenInstructions === undefined ? ' or' : `, ${nameOf('token')} or`} ${nameOf('kubeconfig')}`
    return idTokenInstructions === undefined ? `Give ${inputsForIt}.` : `${idTokenInstructions}\nOr: Give ${inputsForIt}.`
  }
}

function candidatesOf(options: Options, context: IdentityContext): Candidate[] {
  const { idToken, idTokenRequest, seal, env } = context
  const { audience, kubeconfig, token } = options
  const candidates: Candidate[] = []
  // On GitLab these inputs are variables, and anybody who may run a pipeline can set variables.
  const mustBeNamed = context.job.platform === 'gitlab'
  const isExplicit = !mustBeNamed
  if (token !== undefined)
    candidates.push({ kind: 'token', there: 'a token was given', isExplicit, mustBeNamed, make: () => tokenIdentity(token) })
  if (kubeconfig !== undefined) {
    // What most jobs have no use for is not loaded for them.
    const make = async (): Promise<Identity> => (await import('./kubeconfig.ts')).kubeconfigIdentity(kubeconfig, context)
    candidates.push({ kind: 'kubeconfig', there: 'a kubeconfig was given', isExplicit, mustBeNamed, make })
  }
  if (idTokenRequest !== undefined) {
    const make = (): Identity => githubOidcIdentity(idTokenRequest, audience, context)
    candidates.push({ kind: 'github-oidc', there: 'the job may request ID tokens', isExplicit: false, make })
  }
  if (idToken !== undefined) {
    candidates.push({
      kind: 'gitlab-oidc',
      there: 'the job has an ID token',
      isExplicit: false,
      make: () => gitlabOidcIdentity(idToken, audience),
    })
  }
  // The last resort: a runner in a Pod serves jobs that mean another cluster.
  const lastResort = options.identity === 'auto' && candidates.length === 0 && options.server === ''
  if (options.identity === 'in-cluster' || lastResort) {
    const there = 'nothing else was given, and the job runs in a Pod'
    candidates.push({ kind: 'in-cluster', there, isExplicit: false, mustBeNamed, make: () => inClusterIdentity(env, seal) })
  }
  return candidates
}
