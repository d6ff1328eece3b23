import { checkCredential, isoTime, OVERRUN_S, type Credential } from './credential.ts'
import { grantedBy } from './evidence.ts'
import { KubepassError } from './errors.ts'
import { createAnchor, marksOf, requestToken } from './kube/issue.ts'
import { whoami } from './kube/verify.ts'
import { quote } from './quote.ts'
import type { Receipt } from './receipt.ts'
import type { Seal } from './secret.ts'
import { record, warn, type Session } from './session.ts'

/** Anchor, then the token bound to it. The receipt is saved before each can exist. */
export async function issue(session: Session, limit: AbortSignal): Promise<Credential> {
  const { options, client, platform, receipt, evidence } = session
  platform.progress('asking for a token')
  const auth = await session.identity.authInfo(limit)
  const where = { namespace: receipt.namespace, name: receipt.anchor?.name ?? '' }
  const acceptable = options.revocation === 'best-effort'
  const marks = marksOf(platform.run, receipt.deadBy)
  const anchor = await mayExist(session, 'anchor', () => createAnchor(client, auth, where, marks, acceptable, limit))
  record(session, { anchor, ...(anchor === undefined ? { reached: 'nothing' } : {}) })

  const asked = { ...options.serviceAccount, duration: options.duration, audiences: options.tokenAudiences, anchor }
  const keep: Seal = (value) => (session.token = session.seal(value))
  const { credential, expected, warnings } = await mayExist(session, 'token', () => requestToken(client, auth, asked, keep, limit))
  const { jti, expiresAt } = credential
  evidence.granted = grantedBy(credential, anchor?.name)
  evidence.dead_by = isoTime(expiresAt + OVERRUN_S)
  record(session, { deadBy: evidence.dead_by, ...(jti === undefined ? {} : { jti }) })
  const doubts = checkCredential(credential, expected)
  for (const text of warnings) doubts.push(`The API server warns: ${quote(text)}`)
  if (anchor === undefined) doubts.push(`The credential is bound to nothing and cannot be revoked. It expires ${isoTime(expiresAt)}.`)
  for (const doubt of doubts) await warn(session, doubt)
  platform.say(`Issued a credential for ${quote(evidence.asked.service_account)} until ${isoTime(expiresAt)}.`)
  return credential
}

/** What is asked for may exist as soon as it is asked for, unless it surely does not. */
async function mayExist<T>(session: Session, what: Receipt['reached'], ask: () => Promise<T>): Promise<T> {
  const before = session.receipt.reached
  record(session, { reached: what })
  try {
    return await ask()
  } catch (error) {
    if (error instanceof KubepassError && error.noEffect) record(session, { reached: before })
    throw error
  }
}

/** The server takes the token for the ServiceAccount that was asked for. */
export async function verify(session: Session, { token }: Credential, limit: AbortSignal): Promise<void> {
  const { client, options, evidence } = session
  const standing = await whoami(client, token, limit)
  const expected = `system:serviceaccount:${options.serviceAccount.namespace}:${options.serviceAccount.name}`
  if (standing.is === 'accepted' && (standing.username ?? expected) === expected) {
    evidence.verified = { username: standing.username ?? null, at: new Date().toISOString() }
    record(session)
    if (standing.username === undefined) await warn(session, 'The API server accepts the token, but does not let it ask who it is.')
    return
  }
  if (standing.is === 'refused' && options.tokenAudiences.length > 0) {
    await warn(session, 'The API server is not among token_audiences: what needs the API server, also the proof of the end, is skipped.')
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
