import { expect, test } from '@jest/globals'
import { KubepassError, reasonOf } from '../../src/base/errors.ts'

const refused = new KubepassError('REFUSED', 'The API server refused\nto delete: 403.', { hint: 'Add the rule.' })

test.each<[string, unknown, string]>([
  ['an error without its hint', refused, 'The API server refused to delete: 403.'],
  [
    'an error with its cause',
    new KubepassError('NOT_REVOKED', 'It could not be revoked.', { cause: refused }),
    'It could not be revoked. Caused by: The API server refused to delete: 403.',
  ],
  ['a value that is no error', 'stop', 'stop'],
])('the reason of %s is one line', (_what, error, reason) => {
  expect(reasonOf(error)).toBe(reason)
})
