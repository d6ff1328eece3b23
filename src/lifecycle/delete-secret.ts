import { KubepassError } from '../base/errors.ts'
import type { AuthInfo } from '../identity/identity.ts'
import { deleteBoundSecret } from '../kube/bound-secret.ts'
import { uidOf, type CredentialState } from '../state/credential-state.ts'
import type { CredentialEvent } from '../state/run-events.ts'
import { secretNameOf } from '../state/run-state.ts'
import type { Journal } from './journal.ts'
import type { Run } from './run-context.ts'

/**
 * Deletes the bound Secret of a credential, and with it the token.
 * @returns `gone` when the Secret does not exist. If an earlier DELETE got no response, that DELETE has removed it: `deleted`
 */
export async function deleteSecretOf(
  { client, identity, journal }: Run,
  credential: CredentialState,
  deadline: AbortSignal,
  auth: Promise<AuthInfo> = identity.authInfo(deadline),
): Promise<'deleted' | 'gone'> {
  const { number } = credential
  const uid = uidOf(credential)
  const name = secretNameOf(journal.state, credential)
  if (name === undefined) return 'gone'
  const authInfo = await auth
  const wasPending = credential.phase === 'deletion-requested'
  if (credential.phase !== 'revoked') journal.observe({ type: 'DeletionRequested', number })
  try {
    const { namespace } = journal.state.requested
    const response = await deleteBoundSecret(client, authInfo, { namespace, name, uid }, deadline)
    const outcome = wasPending && uid !== undefined ? 'deleted' : response
    recordIfPending(
      journal,
      outcome === 'deleted' ? { type: 'SecretDeleted', number, at: new Date().toISOString() } : { type: 'SecretNotFound', number },
    )
    return outcome
  } catch (error) {
    if (!wasPending && error instanceof KubepassError && error.noEffect) recordIfPending(journal, { type: 'DeletionHadNoEffect', number })
    throw error
  }
}

/** Another DELETE of the same Secret may have had its response first. */
function recordIfPending(journal: Journal, event: CredentialEvent): void {
  if (journal.credential(event.number)?.phase === 'deletion-requested') journal.observe(event)
}
