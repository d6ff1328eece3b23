import { KubepassError } from '../base/errors.ts'
import { prove, type ProofResult } from '../kube/revocation-proof.ts'
import { hasToken, mayLive } from '../state/credential-state.ts'
import { toEvidence } from '../state/evidence.ts'
import { concludeProof } from './cleanup-plan.ts'
import { warn, type Run } from './run-context.ts'

/**
 * Uses each held token until the API server refuses it.
 * @returns the error when the API server still accepts a token
 */
export async function proveEnd(run: Run, when: 'now' | 'try'): Promise<KubepassError | undefined> {
  const { immediate, client, journal, hardDeadline, options, signal, tokens, platform } = run
  // A person waits after Ctrl-C, and the cache of the API server outlasts the time that is left.
  const isHurried = (): boolean => !platform.isCI && signal.aborted
  const deadline = AbortSignal.any([hardDeadline, immediate])
  platform.log.progress?.('waiting for the API server to refuse the token')
  const { revoked } = toEvidence(journal.state)
  const revokedAt = revoked === null ? Date.now() : Date.parse(revoked.at)
  const results = await Promise.all(
    [...tokens].map(async ([number, { token }]) => ({
      number,
      ...(await prove(client, { token, deletedAt: revokedAt, samples: options.proofSamples, isHurried }, deadline)),
    })),
  )
  const untested = untestedIn(run)
  const isTimely = when === 'now' && !deadline.aborted && !isHurried()
  const kinds = results.map(({ is }) => is)
  switch (concludeProof(kinds, untested, isTimely)) {
    case 'proven':
      recordProofs(run, results)
      return undefined
    case 'untested':
      platform.log.info(`The newest token is refused; ${untested} ${untested === 1 ? 'other' : 'others'} could not be tested.`)
      return undefined
    case 'no-time':
      platform.log.info(`There was no time for the proof.${isHurried() ? ' The API server caches an accepted token for 10 s.' : ''}`)
      return undefined
    case 'unclear':
      await warn(run, 'The API server gave no clear answer to the revoked token, so its end is not proven.')
      return undefined
    case 'alive':
      return recordLiving(run, results)
  }
}

type NumberedResult = ProofResult & { readonly number: number }

/** How many tokens may live that this process cannot use, and so cannot see refused. */
function untestedIn({ journal, tokens }: Run): number {
  const { credentials, forgotten } = journal.state
  return [...credentials.filter(hasToken), ...forgotten].filter(({ number, deadBy }) => !tokens.has(number) && mayLive(deadBy)).length
}

function recordProofs({ journal }: Run, results: readonly NumberedResult[]): void {
  const at = new Date().toISOString()
  for (const result of results)
    if (result.is === 'dead' && journal.credential(result.number) !== undefined)
      journal.observe({ type: 'TokenProvenDead', number: result.number, proof: { at, ...result.proof } })
}

function recordLiving({ journal, tokens }: Run, results: readonly NumberedResult[]): KubepassError {
  const living = results.filter(({ is }) => is === 'alive').map(({ number }) => number)
  for (const number of living) journal.observe({ type: 'TokenStillAccepted', number })
  const deadBy = living.flatMap((number) => tokens.get(number)?.deadBy ?? []).toSorted()
  return new KubepassError(
    'NOT_REVOKED',
    `The API server still accepts the token, although its Secret is deleted. The token is dead by ${deadBy.at(-1) ?? ''} at the latest.`,
    { hint: 'The API server caches an accepted token for 10 s; is there another cache, or a replica that lags behind?' },
  )
}
