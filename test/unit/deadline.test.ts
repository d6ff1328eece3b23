import { expect, test } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { deadlineAfter } from '../../src/base/deadline.ts'

test('a deadline without a listener still aborts after a garbage collection', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const stop = new AbortController()
  const limits = Array.from({ length: 10 }, () => deadlineAfter(50, stop.signal))
  const later = deadlineAfter(60_000, stop.signal)
  for (let times = 0; times < 5; times += 1) {
    await delay(50)
    collect()
  }
  expect(limits.map(({ aborted }) => aborted)).toEqual(limits.map(() => true))
  expect(limits.map((limit) => AbortSignal.any([limit, later]).aborted)).toEqual(limits.map(() => true))
  expect(later.aborted).toBe(false)
  stop.abort()
  expect(later.aborted).toBe(true)
})
