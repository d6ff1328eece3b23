import { expect } from '@jest/globals'
import type { Proxy } from '../cluster/proxy.ts'
import { ONE_SECRET, WHOAMI } from './scenario.ts'

/**
 * Checks the log's statements about the credential against the requests that the proxy has recorded.
 * @param log the log of the last program
 * @returns the statements in the log
 */
export function expectTrueStatements(log: string, proxy: Proxy): string[] {
  const deletions = proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)
  const refusals = proxy.seen('POST', WHOAMI).filter(({ bearer, status }) => status === 401 && proxy.tokens.includes(bearer))
  const noneIssued = proxy.tokens.length === 0
  const isTrue: Record<string, boolean> = {
    'There is no run state.': noneIssued,
    'Main requested nothing': noneIssued,
    'Credential: none was issued': noneIssued,
    'Credential: revoked ': deletions.includes(200),
    'Credential: its Secret did not exist': deletions.at(-1) === 404,
    'Nothing of this job is left to revoke.': deletions.at(-1) === 404,
    'proven dead ': refusals.length >= 3,
  }
  const statements = Object.keys(isTrue).filter((statement) => log.includes(statement))
  expect(statements.filter((statement) => isTrue[statement] !== true)).toEqual([])
  return statements
}
