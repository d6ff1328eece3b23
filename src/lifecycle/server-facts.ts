import { deadlineAfter } from '../base/deadline.ts'
import type { AuthInfo } from '../identity/identity.ts'
import { reviewIssuer } from '../kube/self-subject-review.ts'
import { serverVersion } from '../kube/server-version.ts'
import { hasToken } from '../state/credential-state.ts'
import { isCredentialIdOfIssuer, isUsername } from '../state/run-state.ts'
import { credentialId, validityProblem } from '../token/claims.ts'
import { jwtOf } from '../token/jwt.ts'
import type { Run } from './run-context.ts'

/** Time limit for both answers. */
const ANSWERS_MS = 2_000

/**
 * Records facts that only the evidence needs: the user name of the job's own identity, and the version and the CA of the API server.
 * The caller has finished the revocation, so that neither a scan nor a revocation waits for an answer. A failure changes nothing.
 * @param isReachable whether the API server has just answered
 */
export async function recordServerFacts(run: Run, isReachable: boolean): Promise<void> {
  const { journal, provenance, signal } = run
  // A report that an earlier process has written does not change any more.
  if (provenance === 'derived' || signal.aborted || journal.state.reported) return
  const { credentials, forgotten } = journal.state
  const wasIssued = credentials.some(hasToken) || forgotten.length > 0
  const auth = isReachable && wasIssued ? usableAuth(run) : undefined
  const deadline = deadlineAfter(ANSWERS_MS, signal)
  try {
    if (auth !== undefined && journal.state.issuer === null) await recordIssuer(run, auth, deadline)
    if (journal.state.apiServer === null) await recordApiServer(run, auth, deadline)
  } catch {
    // The fields stay null in the evidence, because a failure here must not change how the run ends.
  }
}

/** Without an identity it records the CA alone, which needs no request. */
async function recordApiServer({ client, journal }: Run, auth: AuthInfo | undefined, deadline: AbortSignal): Promise<void> {
  const version = auth === undefined ? undefined : await serverVersion(client, auth, deadline)
  const caSha256 = client.caSha256()
  if (version !== undefined || caSha256 !== undefined)
    journal.observe({ type: 'ApiServerSeen', apiServer: { version: version ?? null, ca_sha256: caSha256 ?? null } })
}

/** The identity that requested the credential. If the token of that identity has expired, the identity of the latest request. */
function usableAuth({ latestAuth, requestedBy }: Run): AuthInfo | undefined {
  const isExpired = requestedBy !== undefined && 'bearer' in requestedBy && validityProblem(requestedBy.bearer) !== undefined
  return isExpired ? latestAuth : (requestedBy ?? latestAuth)
}

/** Redacts the answer before the check of its form, because a gateway can return the token of the request. */
async function recordIssuer({ client, journal, redactor, requestedBy }: Run, auth: AuthInfo, deadline: AbortSignal): Promise<void> {
  const answer = await reviewIssuer(client, auth, deadline)
  if (answer === undefined) return
  const username = redactor.redact(answer.username)
  const id = auth === requestedBy ? answer.credential_id : ownIdLike(answer.credential_id, requestedBy)
  const credential_id = id === null ? null : redactor.redact(id)
  if (isUsername(username))
    journal.observe({
      type: 'IssuerSeen',
      issuer: { username, credential_id: isCredentialIdOfIssuer(credential_id) ? credential_id : null },
    })
}

/** The id of the token that requested the credential, if the API server makes ids from the claim `jti`. */
function ownIdLike(id: string | null, requestedBy: AuthInfo | undefined): string | null {
  if (requestedBy === undefined || !('bearer' in requestedBy) || id?.startsWith(credentialId('')) !== true) return null
  const jti = jwtOf(requestedBy.bearer)?.claims['jti']
  return typeof jti === 'string' ? credentialId(jti) : null
}
