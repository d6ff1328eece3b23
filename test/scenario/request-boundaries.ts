import type { Matcher } from '../cluster/proxy.ts'
import { ONE_SECRET, SECRETS, TOKEN, WHOAMI } from './scenario.ts'

/** The boundaries of the requests of main: before and after each request a test can act. */
export const requestBoundaries: Record<string, Matcher> = {
  'before the bound Secret': { method: 'POST', path: SECRETS },
  'after the bound Secret': { method: 'POST', path: SECRETS, when: 'after' },
  'between bound Secret and token': { method: 'POST', path: TOKEN },
  'after the token': { method: 'POST', path: TOKEN, when: 'after' },
  'after the verification': { method: 'POST', path: WHOAMI, when: 'after' },
  'before the revocation': { method: 'DELETE', path: ONE_SECRET },
  'after the revocation': { method: 'DELETE', path: ONE_SECRET, when: 'after' },
}
