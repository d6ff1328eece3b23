import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { isoTime } from '../base/time.ts'
import { requireTimely } from '../identity/timely.ts'
import { createAnchor, marksOf } from '../kube/bound-secret.ts'
import { whoami } from '../kube/self-subject-review.ts'
import { requestToken } from '../kube/token-request.ts'
import { grantedBy } from '../state/evidence.ts'
import { idOf, type Issued, newCredential } from '../state/run-state.ts'
import { checkCredential, type Credential } from '../token/claims.ts'
import { OVERRUN_S } from '../token/lifetime.ts'
import { note, record, recordFirst, type Session, warnOnce } from './session.ts'

/** A credential, and its place in the receipt. */
export interface Received extends Credential {
  readonly issued: Issued
  /** By our own clock, ms since 1970. */
  readonly receivedAt: number
}

/**
 * Anchor, then the token bound to it. The receipt is saved before each can exist.
 * @param name of an anchor that is not there
 */
export async function issue(session: Session, name: string, limit: AbortSignal): Promise<Received> {
  const { options, client, platform, receipt, evidence, seal } = session
  const auth = await session.identity.authInfo(limit)
  requireTimely(session.identity.kind, auth)
  const where = { namespace: receipt.namespace, name }
  const acceptable = options.revocation === 'best-effort'
  const planned = newCredential(options, name)
  session.receipt = { ...session.receipt, credentials: [...session.receipt.credentials, planned] }
  const marks = marksOf(platform.run, planned.deadBy)
  const asked = await mayExist(session, planned, 'anchor', () => createAnchor(client, auth, where, marks, acceptable, limit))
  const anchor = asked.answer
  const bound = note(session, asked.issued, { anchor, ...(anchor === undefined ? { reached: 'nothing' } : {}) })

  const wanted = { ...options.serviceAccount, duration: options.duration, audiences: options.tokenAudiences, anchor }
  const { answer, issued } = await mayExist(session, bound, 'token', () => requestToken(client, auth, wanted, seal, limit))
  const receivedAt = Date.now()
  const { credential, expected, warnings } = answer
  const { jti, expiresAt } = credential
  const granted = grantedBy(credential, anchor?.name)
  if (evidence.granted === null) evidence.granted = granted
  else evidence.renewed.push(granted)
  const known = note(session, issued, { deadBy: isoTime(expiresAt + OVERRUN_S), ...(jti === undefined ? {} : { jti }) })
  const doubts = checkCredential(credential, expected)
  for (const text of warnings) doubts.push(`The API server warns: ${quote(text)}`)
  if (anchor === undefined) doubts.push(`The credential is bound to nothing and cannot be revoked. It expires ${isoTime(expiresAt)}.`)
  for (const doubt of doubts) await warnOnce(session, doubt)
  return { ...credential, issued: known, receivedAt }
}

/** What is asked for may exist as soon as it is asked for, unless it surely does not. */
async function mayExist<T>(
  session: Session,
  before: Issued,
  what: Issued['reached'],
  ask: () => Promise<T>,
): Promise<{ answer: T; issued: Issued }> {
  const issued = note(session, before, { reached: what }, recordFirst)
  try {
    return { answer: await ask(), issued }
  } catch (error) {
    if (error instanceof KubepassError && error.noEffect) note(session, issued, { reached: before.reached })
    throw error
  }
}

/** The server takes the token for the ServiceAccount that was asked for. */
export async function verify(session: Session, { token, issued }: Received, limit: AbortSignal): Promise<void> {
  const { client, options, evidence, tokens } = session
  const standing = await whoami(client, token, limit)
  const expected = `system:serviceaccount:${options.serviceAccount.namespace}:${options.serviceAccount.name}`
  if (standing.is === 'accepted' && (standing.username ?? expected) === expected) {
    if (issued.anchor !== undefined) tokens.set(idOf(issued), { token, deadBy: issued.deadBy })
    evidence.verified ??= { username: standing.username ?? null, at: new Date().toISOString() }
    record(session)
    if (standing.username === undefined) await warnOnce(session, 'The API server accepts the token, but does not let it ask who it is.')
    return
  }
  if (standing.is === 'refused' && options.tokenAudiences.length > 0) {
    await warnOnce(
      session,
      'The API server is not among token_audiences: what needs the API server, also the proof of the end, is skipped.',
    )
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
