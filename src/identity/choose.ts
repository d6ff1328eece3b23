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
  /** Why it is a candidate, for a message. */
  reason: string
  /** True if the author of the job gave it as an input. It then takes precedence over an ID token, which every job has. */
  isExplicit: boolean
  /** True if another person than the author of the job may have given it. kubepass uses it only if `identity` names it. */
  mustBeNamed?: boolean
  make: () => Identity | Promise<Identity>
}

/**
 * Returns the identity that the options name, or the only candidate. It sends no request.
 * @returns the identity, and why it was chosen
 */
export async function chooseIdentity(options: Options, context: IdentityContext): Promise<{ identity: Identity; why: string }> {
  const { idTokenInstructions, nameOf, job } = context
  const candidates = candidatesOf(options, context)
  const list = (those: readonly Candidate[]): string => those.map(({ kind, reason }) => `${kind} (${reason})`).join(' and ')
  if (options.identity !== 'auto') {
    const requested = candidates.find(({ kind }) => kind === options.identity)
    if (requested !== undefined) return chosen(requested, 'it was asked for')
    // Other identities need an input; parseOptions() has already reported a missing one.
    if (options.identity === `${job.platform}-oidc`)
      throw new KubepassError('IDENTITY', 'The job has no ID token and must not request one.', { hint: idTokenInstructions })
    const where = { github: 'on GitHub', gitlab: 'on GitLab', terminal: 'in a terminal' }[job.platform]
    throw new KubepassError('IDENTITY', `The identity ${options.identity} is not available ${where}.`, {
      hint: candidates.length === 0 ? howToGetOne() : `Available: ${list(candidates)}. Set ${nameOf('identity')} to that, or leave it out.`,
    })
  }
  const explicit = candidates.filter(({ isExplicit }) => isExplicit)
  const [only, ...others] = explicit.length > 0 ? explicit : candidates
  if (only === undefined) {
    const also = idTokenInstructions === undefined ? '' : ', and it has no ID token'
    throw new KubepassError('IDENTITY', `The job has no identity: no token was given${also}.`, { hint: howToGetOne() })
  }
  if (others.length > 0) {
    throw new KubepassError('IDENTITY', `The job has more than one identity: ${list([only, ...others])}.`, {
      hint: `Set ${nameOf('identity')} to one of them.`,
    })
  }
  if (only.mustBeNamed === true) {
    throw new KubepassError('IDENTITY', `On GitLab the identity ${list([only])} is used only if ${nameOf('identity')} names it.`, {
      hint: `Set ${nameOf('identity')} to ${only.kind}. The reason: everybody who may run a pipeline can set a variable.${idTokenInstructions === undefined ? '' : `\nOr: ${idTokenInstructions}`}`,
    })
  }
  const overruled = candidates.filter((candidate) => candidate !== only).map(({ reason }) => reason)
  return chosen(only, [only.reason, ...overruled.map((reason) => `which takes precedence, although ${reason}`)].join(', '))

  async function chosen(candidate: Candidate, why: string): Promise<{ identity: Identity; why: string }> {
    const identity = await make(candidate)
    return { identity, why: [why, ...(identity.remark === undefined ? [] : [identity.remark])].join('; ') }
  }

  async function make(candidate: Candidate): Promise<Identity> {
    const identity = await candidate.make()
    if (options.server !== '' || identity.cluster !== undefined) return identity
    const missing = `${nameOf('server')} and ${nameOf('certificate_authority')} are missing`
    throw new KubepassError('INPUT', `${missing}: the identity ${identity.kind} does not provide them.`, {
      hint:
        `Give both, for example ${inputs.server.example} and ${inputs.certificate_authority.example}; ` +
        `or set ${nameOf('identity')} to in-cluster for the API server of this Pod.`,
    })
  }

  function howToGetOne(): string {
    const inputsForIt = `${nameOf('token_file')}${idTokenInstructions === undefined ? ' or' : `, ${nameOf('token')} or`} ${nameOf('kubeconfig')}`
    return idTokenInstructions === undefined ? `Give ${inputsForIt}.` : `${idTokenInstructions}\nOr: give ${inputsForIt}.`
  }
}

function candidatesOf(options: Options, context: IdentityContext): Candidate[] {
  const { idToken, idTokenRequest, seal, env } = context
  const { audience, kubeconfig, token } = options
  const candidates: Candidate[] = []
  // On GitLab these inputs are variables, and everybody who may run a pipeline can set variables.
  const mustBeNamed = context.job.platform === 'gitlab'
  const isExplicit = !mustBeNamed
  if (token !== undefined)
    candidates.push({ kind: 'token', reason: 'a token was given', isExplicit, mustBeNamed, make: () => tokenIdentity(token) })
  if (kubeconfig !== undefined) {
    // Imported only here, because most jobs use no kubeconfig and the module is large.
    const make = async (): Promise<Identity> => (await import('./kubeconfig.ts')).kubeconfigIdentity(kubeconfig, context)
    const reason = context.whyKubeconfig ?? 'a kubeconfig was given'
    candidates.push({ kind: 'kubeconfig', reason, isExplicit, mustBeNamed, make })
  }
  if (idTokenRequest !== undefined) {
    const make = (): Identity => githubOidcIdentity(idTokenRequest, audience, context)
    candidates.push({ kind: 'github-oidc', reason: 'the job may request ID tokens', isExplicit: false, make })
  }
  if (idToken !== undefined) {
    candidates.push({
      kind: 'gitlab-oidc',
      reason: 'the job has an ID token',
      isExplicit: false,
      make: () => gitlabOidcIdentity(idToken, audience),
    })
  }
  // The last resort, because a runner in a Pod may serve jobs for other clusters.
  const lastResort = options.identity === 'auto' && candidates.length === 0 && options.server === ''
  if (options.identity === 'in-cluster' || lastResort) {
    const reason = 'nothing else was given, and the job runs in a Pod'
    candidates.push({ kind: 'in-cluster', reason, isExplicit: false, mustBeNamed, make: () => inClusterIdentity(env, seal) })
  }
  return candidates
}
