import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { isoTime } from '../base/time.ts'
import { requireValidNow } from '../identity/validity.ts'
import { createBoundSecret, boundSecretMetadata } from '../kube/bound-secret.ts'
import { whoami } from '../kube/self-subject-review.ts'
import { requestToken } from '../kube/token-request.ts'
import { grantRecord } from '../state/evidence.ts'
import { tokenId, type CredentialState, plannedCredential } from '../state/run-state.ts'
import { checkCredential, type Credential } from '../token/claims.ts'
import { ACCEPTED_AFTER_EXPIRY_S } from '../token/lifetime.ts'
import { updateCredential, saveState, saveStateOrThrow, type Run, warnOnce } from './run-context.ts'

/** A credential, and its place in the run state. */
export interface LiveCredential extends Credential {
  readonly state: CredentialState
  /** By our own clock, ms since 1970. */
  readonly receivedAt: number
}

/**
 * Bound Secret, then the token bound to it. The run state is saved before each can exist.
 * @param name of a bound Secret that is not there
 */
export async function acquire(run: Run, name: string, deadline: AbortSignal): Promise<LiveCredential> {
  const { options, client, platform, state, evidence, seal } = run
  const auth = await run.identity.authInfo(deadline)
  requireValidNow(run.identity.kind, auth)
  const where = { namespace: state.namespace, name }
  const acceptable = options.revocation === 'best-effort'
  const planned = plannedCredential(options, name)
  run.state = { ...run.state, credentials: [...run.state.credentials, planned] }
  const marks = boundSecretMetadata(platform.job, planned.deadBy)
  const creation = await intend(run, planned, 'secret', () => createBoundSecret(client, auth, where, marks, acceptable, deadline))
  const boundSecret = creation.answer
  const bound = updateCredential(run, creation.credential, { boundSecret, ...(boundSecret === undefined ? { phase: 'nothing' } : {}) })

  const wanted = { ...options.serviceAccount, duration: options.duration, audiences: options.tokenAudiences, boundSecret }
  const { answer, credential: requested } = await intend(run, bound, 'token', () => requestToken(client, auth, wanted, seal, deadline))
  const receivedAt = Date.now()
  const { credential, expected, warnings } = answer
  const { jti, expiresAt } = credential
  const granted = grantRecord(credential, boundSecret?.name)
  if (evidence.granted === null) evidence.granted = granted
  else evidence.renewed.push(granted)
  const known = updateCredential(run, requested, {
    deadBy: isoTime(expiresAt + ACCEPTED_AFTER_EXPIRY_S),
    ...(jti === undefined ? {} : { jti }),
  })
  const doubts = checkCredential(credential, expected)
  for (const text of warnings) doubts.push(`The API server warns: ${quote(text)}`)
  if (boundSecret === undefined) doubts.push(`The credential is bound to nothing and cannot be revoked. It expires ${isoTime(expiresAt)}.`)
  for (const doubt of doubts) await warnOnce(run, doubt)
  return { ...credential, state: known, receivedAt }
}

/** What is asked for may exist as soon as it is asked for, unless it surely does not. */
async function intend<T>(
  run: Run,
  before: CredentialState,
  what: CredentialState['phase'],
  ask: () => Promise<T>,
): Promise<{ answer: T; credential: CredentialState }> {
  const credential = updateCredential(run, before, { phase: what }, saveStateOrThrow)
  try {
    return { answer: await ask(), credential }
  } catch (error) {
    if (error instanceof KubepassError && error.noEffect) updateCredential(run, credential, { phase: before.phase })
    throw error
  }
}

/** The server takes the token for the ServiceAccount that was asked for. */
export async function verify(run: Run, { token, state }: LiveCredential, deadline: AbortSignal): Promise<void> {
  const { client, options, evidence, tokens } = run
  const standing = await whoami(client, token, deadline)
  const expected = `system:serviceaccount:${options.serviceAccount.namespace}:${options.serviceAccount.name}`
  if (standing.is === 'accepted' && (standing.username ?? expected) === expected) {
    if (state.boundSecret !== undefined) tokens.set(tokenId(state), { token, deadBy: state.deadBy })
    evidence.verified ??= { username: standing.username ?? null, at: new Date().toISOString() }
    saveState(run)
    if (standing.username === undefined) await warnOnce(run, 'The API server accepts the token, but does not let it ask who it is.')
    return
  }
  if (standing.is === 'refused' && options.tokenAudiences.length > 0) {
    await warnOnce(run, 'The API server is not among token_audiences: what needs the API server, also the proof of the end, is skipped.')
    return
  }
  const taken =
    standing.is === 'accepted'
      ? `takes it for ${quote(standing.username ?? '')}`
      : standing.is === 'refused'
        ? 'refuses it'
        : `answers ${standing.status}`
  throw new KubepassError('RIGHTS', `The API server issued a token, but ${taken}.`, {
    hint: 'Is there a gateway in between that changes requests?',
  })
}
