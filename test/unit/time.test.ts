import { expect, test } from '@jest/globals'
import { durationText } from '../../src/base/time.ts'

test.each([
  [-3, 'less than 1 s'],
  [0.4, 'less than 1 s'],
  [0.6, '1 s'],
  [41.4, '41 s'],
  [59.6, '1 min 0 s'],
  [312, '5 min 12 s'],
  [3599.6, '1 h 0 min'],
  [3900, '1 h 5 min'],
  [90_000, '25 h 0 min'],
])('%d seconds are %s', (seconds, text) => {
  expect(durationText(seconds)).toBe(text)
})
