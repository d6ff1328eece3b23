import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { isoTime } from '../base/time.ts'
import { requireValidNow } from '../identity/validity.ts'
import { boundSecretMetadata, createBoundSecret } from '../kube/bound-secret.ts'
import { whoami, type ReviewResult } from '../kube/self-subject-review.ts'
import { requestToken } from '../kube/token-request.ts'
import type { CredentialEvent } from '../state/run-events.ts'
import { boundSecretNames, latestDeadByOfRequest } from '../state/run-state.ts'
import { checkCredential, type Credential } from '../token/claims.ts'
import { ACCEPTED_AFTER_EXPIRY_S } from '../token/lifetime.ts'
import { warnOnce, type Run } from './run-context.ts'

/** A credential that this process got from the API server. */
export interface LiveCredential extends Credential {
  /** In the run state. */
  readonly number: number
  /** By the clock of this machine, ms since 1970. */
  readonly receivedAt: number
}

/**
 * Creates a bound Secret, then requests a token that is bound to it. The run state is saved before each request.
 * @param slot in which no credential is
 */
export async function acquire(run: Run, slot: 0 | 1 | 2, deadline: AbortSignal): Promise<LiveCredential> {
  const { options, client, platform, journal, seal } = run
  const auth = await run.identity.authInfo(deadline)
  requireValidNow(run.identity.kind, auth)
  run.requestedBy ??= auth
  run.latestAuth = auth
  const { namespace } = options.serviceAccount
  const name = boundSecretNames(journal.state)[slot]
  const number = journal.state.lastNumber + 1
  const deadBy = latestDeadByOfRequest(options)
  const metadata = boundSecretMetadata(platform.job, deadBy)
  const mayBeForbidden = options.revocation === 'best-effort'
  const boundSecret = await request(run, { type: 'SecretRequested', number, slot, deadBy }, () =>
    createBoundSecret(client, { auth, namespace, name, metadata, mayBeForbidden }, deadline),
  )
  journal.observe(boundSecret === undefined ? { type: 'SecretForbidden', number } : { type: 'SecretCreated', number, uid: boundSecret.uid })

  const spec = { ...options.serviceAccount, duration: options.duration, audiences: options.tokenAudiences, boundSecret }
  const { credential, expected, warnings } = await request(run, { type: 'TokenRequested', number }, () =>
    requestToken(client, { auth, seal }, spec, deadline),
  )
  const receivedAt = Date.now()
  const { jti, issuedAt, expiresAt } = credential
  journal.observe({
    type: 'TokenIssued',
    number,
    token: { ...(jti === undefined ? {} : { jti }), issuedAt: isoTime(issuedAt), expiresAt: isoTime(expiresAt) },
    deadBy: isoTime(expiresAt + ACCEPTED_AFTER_EXPIRY_S),
  })
  const notes = checkCredential(credential, expected)
  for (const text of warnings) notes.push(`The API server warns: ${quote(text)}`)
  if (boundSecret === undefined) notes.push(`The credential is bound to nothing and cannot be revoked. It expires ${isoTime(expiresAt)}.`)
  for (const note of notes) await warnOnce(run, note)
  return { ...credential, number, receivedAt }
}

/**
 * Records the request before sending it. Undoes the record if the request certainly had no effect. If the cleanup has begun meanwhile,
 * only the cleanup changes the credential.
 */
async function request<T>({ journal }: Run, event: CredentialEvent, send: () => Promise<T>): Promise<T> {
  const { number } = event
  const phase = event.type === 'SecretRequested' ? 'secret-requested' : 'token-requested'
  const isWaiting = (): boolean => journal.credential(number)?.phase === phase
  try {
    const response = await journal.intend(event, send)
    if (!isWaiting()) throw runEnded()
    return response
  } catch (error) {
    if (isWaiting() && error instanceof KubepassError && error.noEffect) journal.observe({ type: 'RequestHadNoEffect', number })
    throw error
  }
}

/**
 * Asks the API server whether it accepts the token as the requested ServiceAccount.
 * @returns false if the token is for other audiences, so that it is of no use at the API server
 */
export async function verify(run: Run, { token, number }: LiveCredential, deadline: AbortSignal): Promise<boolean> {
  const { client, options, journal, tokens } = run
  const result = await whoami(client, token, deadline)
  const expected = `system:serviceaccount:${options.serviceAccount.namespace}:${options.serviceAccount.name}`
  if (result.is === 'accepted' && (result.username ?? expected) === expected) {
    const credential = journal.credential(number)
    if (credential?.phase !== 'issued') throw runEnded()
    if (credential.slot !== 'unbound') tokens.set(number, { token, deadBy: credential.deadBy })
    journal.observe({ type: 'TokenAccepted', number, acceptance: { at: new Date().toISOString(), username: result.username ?? null } })
    if (result.username === undefined) await warnOnce(run, 'The API server accepts the token, but forbids its SelfSubjectReview.')
    return true
  }
  if (result.is === 'refused' && options.tokenAudiences.length > 0) {
    await warnOnce(run, 'The API server is not among token_audiences: kubepass skips what needs the API server, also the proof of the end.')
    return false
  }
  throw new KubepassError('RIGHTS', `The API server issued a token, but ${whatItDoes(result)}.`, {
    hint: 'Does a gateway before the API server change requests?',
  })
}

function whatItDoes(result: ReviewResult): string {
  if (result.is === 'accepted') return `takes it for ${quote(result.username ?? '')}`
  return result.is === 'refused' ? 'refuses it' : `answers ${result.status}`
}

function runEnded(): Error {
  return new Error('the run ended while a request was under way')
}
