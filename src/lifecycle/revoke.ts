import { deadlineAfter } from '../base/deadline.ts'
import { describe, KubepassError } from '../base/errors.ts'
import type { AuthInfo } from '../identity/identity.ts'
import { hasToken, livePhaseOf, uidOf, type CredentialState } from '../state/credential-state.ts'
import { secretNameOf } from '../state/run-state.ts'
import { concludeDeletion, planFor, type CleanupView } from './cleanup-plan.ts'
import { deleteSecretOf } from './delete-secret.ts'
import { warn, type Run } from './run-context.ts'

/** The deadline where no token can exist, so that only an empty Secret could be left. */
const UNBOUND_SECRET_TIMEOUT_MS = 5_000

/** Revokes each credential that may live, whatever the outcome for the others. */
export async function revokeAll(run: Run, viewNow: () => CleanupView): Promise<KubepassError | undefined> {
  const { credentials } = run.journal.state
  const deadline = deadlineAfter(credentials.some(hasToken) ? run.options.deadline : UNBOUND_SECRET_TIMEOUT_MS, run.hardDeadline)
  let auth: Promise<AuthInfo> | undefined
  const authInfo = (): Promise<AuthInfo> => (auth ??= run.identity.authInfo(deadline))
  const failures = await Promise.all(
    credentials.map((credential) => revoke(run, credential, viewNow, () => deleteSecretOf(run, credential, deadline, authInfo()))),
  )
  return failures.find((failure) => failure !== undefined)
}

/** @returns the error when the token may live on, and must not */
async function revoke(
  run: Run,
  credential: CredentialState,
  viewNow: () => CleanupView,
  send: () => Promise<'deleted' | 'gone'>,
): Promise<KubepassError | undefined> {
  const plan = planFor(credential, viewNow())
  if (plan === 'nothing') return undefined
  if (plan === 'cannot-revoke') return notRevoked(credential, 'The credential is bound to no Secret.')
  const { outcome, cause } = await send().then(
    (result) => ({ outcome: result, cause: undefined }),
    (error: unknown) => ({ outcome: 'failed' as const, cause: error }),
  )
  const name = secretNameOf(run.journal.state, credential) ?? ''
  switch (concludeDeletion(credential, outcome, viewNow())) {
    case 'done':
      return undefined
    case 'not-revoked':
      return notRevoked(credential, cause)
    case 'secret-missing':
      await warn(
        run,
        `The Secret ${name} does not exist: it was never created, or another process deleted it. If a token was issued, it is dead by ${credential.deadBy}.`,
      )
      return undefined
    case 'secret-left': {
      const { namespace } = run.journal.state.requested
      await warn(run, `No token was issued, but the Secret ${name} may be left in namespace ${namespace}. ${describe(cause)}`)
      return undefined
    }
    case 'unconfirmed':
      await warn(run, `The credential was revoked before, but the API server could not confirm that. ${describe(cause)}`)
      return undefined
  }
}

function notRevoked({ deadBy }: CredentialState, cause: unknown): KubepassError {
  const hint = cause instanceof KubepassError ? cause.hint : undefined
  return new KubepassError('NOT_REVOKED', `The credential could not be revoked. It is dead by ${deadBy} at the latest.`, { cause, hint })
}

/** Deletes once more what a late creation may have made: its response was lost, and no post step follows. */
export async function retryLateDeletions(run: Run): Promise<void> {
  const deadline = deadlineAfter(UNBOUND_SECRET_TIMEOUT_MS, run.hardDeadline)
  for (const credential of run.journal.state.credentials) {
    const isCertain = credential.phase === 'revoked' || livePhaseOf(credential).phase === 'planned' || uidOf(credential) !== undefined
    if (!isCertain) await deleteSecretOf(run, credential, deadline).catch(() => undefined)
  }
}
