import { KubepassError } from '../base/errors.ts'
import { prove } from '../kube/revocation-proof.ts'
import { hasToken, latestDeadBy, mayLive } from '../state/credential-state.ts'
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
  platform.progress('waiting for the API server to refuse the token')
  const { revoked } = toEvidence(journal.state)
  const revokedAt = revoked === null ? Date.now() : Date.parse(revoked.at)
  const verdicts = await Promise.all(
    [...tokens].map(async ([number, { token }]) => ({
      number,
      ...(await prove(client, token, options.proofSamples, revokedAt, isHurried, deadline)),
    })),
  )
  const { credentials, ended } = journal.state
  const untested = [...credentials.filter(hasToken), ...ended].filter(({ number, deadBy }) => !tokens.has(number) && mayLive(deadBy))
  const hasTime = when === 'now' && !deadline.aborted && !isHurried()
  const alive = verdicts.filter(({ is }) => is === 'alive').flatMap(({ number }) => journal.credential(number) ?? [])
  switch (
    concludeProof(
      verdicts.map(({ is }) => is),
      untested.length,
      hasTime,
    )
  ) {
    case 'proven': {
      const at = new Date().toISOString()
      for (const verdict of verdicts)
        if (verdict.is === 'dead' && journal.credential(verdict.number) !== undefined)
          journal.observe({ type: 'TokenProvenDead', number: verdict.number, proof: { at, ...verdict.proof } })
      return undefined
    }
    case 'untested':
      platform.info(`The newest token is refused; of ${untested.length} before or behind it that was not seen.`)
      return undefined
    case 'no-time':
      platform.info(`There was no time for the proof.${isHurried() ? ' The API server believes an accepted token for 10 s.' : ''}`)
      return undefined
    case 'unclear':
      await warn(run, 'The API server gave no clear answer to the revoked token: that it is dead is not proven.')
      return undefined
    case 'alive':
      for (const { number } of alive) journal.observe({ type: 'TokenStillAccepted', number })
      return stillAccepted(latestDeadBy(alive))
  }
}

function stillAccepted(deadBy: string | null): KubepassError {
  return new KubepassError(
    'NOT_REVOKED',
    `Its Secret is deleted, but the API server still accepts the token. It is dead by ${deadBy ?? ''} at the latest.`,
    { hint: 'The API server caches an accepted token for 10 s; is there another cache, or a replica that lags behind?' },
  )
}
