import { setTimeout as sleep } from 'node:timers/promises'
import { deadlineAfter } from '../base/deadline.ts'
import type { AuthInfo } from '../identity/identity.ts'
import { reviewIssuer } from '../kube/self-subject-review.ts'
import { serverVersion } from '../kube/server-version.ts'
import type { Run } from './run-context.ts'

/** Time limit for both answers. */
const ANSWERS_MS = 5_000
/** How long a scan that has ended waits for the answers. A revocation waits with it. */
const GRACE_MS = 500

export interface Inquiry {
  /** Ends the inquiry: waits a moment for the answers, then cuts off a request that is under way. */
  settle(): Promise<void>
}

/**
 * Asks the API server for facts that only the evidence needs: the user name of the job's own identity, and the version. The caller starts
 * the inquiry after the scan, so that no scan waits for an answer. The requests use the open, idle connection. A failed request changes
 * nothing.
 */
export function startInquiry(run: Run, auth: AuthInfo): Inquiry {
  const over = new AbortController()
  const inquiry = inquire(run, auth, deadlineAfter(ANSWERS_MS, run.signal, over.signal))
  return {
    async settle() {
      await Promise.race([inquiry, sleep(GRACE_MS, undefined, { ref: false, signal: run.signal }).catch(() => undefined)])
      over.abort()
      await inquiry
    },
  }
}

async function inquire({ client, journal, redactor }: Run, auth: AuthInfo, signal: AbortSignal): Promise<void> {
  const issuer = await reviewIssuer(client, auth, signal)
  if (issuer !== undefined) {
    const { username, credential_id } = issuer
    // A gateway can answer with the token that it got.
    const redacted = { username: redactor.redact(username), credential_id: credential_id && redactor.redact(credential_id) }
    journal.observe({ type: 'IssuerSeen', issuer: redacted })
  }
  const version = await serverVersion(client, auth, signal)
  const caSha256 = client.caSha256()
  if (version === undefined && caSha256 === undefined) return
  journal.observe({ type: 'ApiServerSeen', apiServer: { version: version ?? null, ca_sha256: caSha256 ?? null } })
}
