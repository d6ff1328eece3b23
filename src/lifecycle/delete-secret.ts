import { KubepassError } from '../base/errors.ts'
import type { AuthInfo } from '../identity/identity.ts'
import { deleteBoundSecret } from '../kube/bound-secret.ts'
import { hasToken, isConcluded, uidOf, type CredentialState } from '../state/credential-state.ts'
import { secretNameOf } from '../state/run-state.ts'
import { outcomeOfDelete } from './cleanup-plan.ts'
import type { Journal } from './journal.ts'
import { warn, type Run } from './run-context.ts'

/**
 * Deletes the bound Secret of a credential, and with it the token.
 * @returns `gone`: the Secret does not exist. `deleted`: this process or another cleanup of the run deleted it, perhaps by an earlier
 *   DELETE whose response was lost
 */
export async function deleteSecretOf(
  run: Run,
  credential: CredentialState,
  deadline: AbortSignal,
  auth: Promise<AuthInfo> = run.identity.authInfo(deadline),
): Promise<'deleted' | 'gone'> {
  const { client, journal } = run
  const { number } = credential
  const uid = uidOf(credential)
  const name = secretNameOf(journal.state, credential)
  if (name === undefined) return 'gone'
  const authInfo = await auth
  run.latestAuth = authInfo
  // Another cleanup of the same run may have deleted the Secret meanwhile.
  const current = journal.credential(number) ?? credential
  if (current.phase === 'revoked' && credential.phase !== 'revoked') return 'deleted'
  const wasPending = current.phase === 'deletion-requested'
  // kubepass continues if it cannot save this event, because a failure to save must not prevent a deletion.
  if (!isConcluded(current)) journal.observe({ type: 'DeletionRequested', number })
  try {
    const { namespace } = journal.state.requested
    const response = await deleteBoundSecret(client, authInfo, { namespace, name, uid }, deadline)
    const outcome = outcomeOfDelete(response, wasPending, uid)
    recordOutcome(journal, number, outcome)
    if (response === 'deleted') await checkSavedState(run, current)
    return outcome
  } catch (error) {
    if (!wasPending && error instanceof KubepassError && error.noEffect) recordNoEffect(journal, number)
    throw error
  }
}

/** Another DELETE of the same Secret may have had its response first. */
function recordOutcome(journal: Journal, number: number, outcome: 'deleted' | 'gone'): void {
  const phase = journal.credential(number)?.phase
  if (outcome === 'deleted' && phase !== undefined && phase !== 'revoked')
    journal.observe({ type: 'SecretDeleted', number, at: new Date().toISOString() })
  if (outcome === 'gone' && phase === 'deletion-requested') journal.observe({ type: 'SecretNotFound', number })
}

/** Records that the Secret of a credential existed, although the saved state, which a scan can write to, called the credential revoked. */
async function checkSavedState(run: Run, before: CredentialState): Promise<void> {
  const isContradicted = before.phase === 'revoked' && hasToken(before) && run.provenance !== 'owner'
  if (!isContradicted) return
  run.journal.observe({ type: 'RevokedSecretDeleted', number: before.number, at: new Date().toISOString() })
  const name = secretNameOf(run.journal.state, before) ?? ''
  await warn(run, `The saved run state calls the credential revoked, but its Secret ${name} still existed. kubepass deleted the Secret.`)
}

function recordNoEffect(journal: Journal, number: number): void {
  if (journal.credential(number)?.phase === 'deletion-requested') journal.observe({ type: 'DeletionHadNoEffect', number })
}
