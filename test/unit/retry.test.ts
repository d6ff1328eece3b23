import { expect, test } from '@jest/globals'
import { setImmediate as turn } from 'node:timers/promises'
import type { HttpResponse } from '../../src/net/http.ts'
import { retry, type Clock, type RetryOptions, type RetryResult } from '../../src/net/retry.ts'

/** A clock whose time advances to the next timer when no other work is left. */
class PlayedClock implements Clock {
  readonly began = Date.now()
  #now = this.began
  readonly #sleepers = new Set<{ at: number; wake: () => void }>()

  now(): number {
    return this.#now
  }

  sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { at: this.#now + milliseconds, wake: resolve }
      const stop = (): void => {
        this.#sleepers.delete(sleeper)
        reject(new Error('aborted'))
      }
      if (signal.aborted) return stop()
      signal.addEventListener('abort', stop, { once: true })
      this.#sleepers.add(sleeper)
    })
  }

  async pass(until: Promise<unknown>): Promise<void> {
    const ended = { yet: false }
    void until.finally(() => (ended.yet = true))
    for (;;) {
      for (let turns = 0; turns < 5; turns += 1) await turn()
      if (ended.yet) return
      const [next] = [...this.#sleepers].toSorted((one, other) => one.at - other.at)
      if (next === undefined) throw new Error('the promise is pending, but no timer is set')
      this.#sleepers.delete(next)
      this.#now = Math.max(this.#now, next.at)
      next.wake()
    }
  }
}

const FAILURES = (code: string) => (): Promise<HttpResponse> => Promise.reject(Object.assign(new Error('x'), { code }))
const OK: HttpResponse = { status: 200, headers: {}, body: '' }

interface Played {
  result: RetryResult
  seconds: number
  notices: string[]
  tries: number
}

async function play(
  attempt: (tries: number, clock: Clock) => Promise<HttpResponse>,
  isNewHost: RetryOptions['isNewHost'],
  deadline = 60,
): Promise<Played> {
  const clock = new PlayedClock()
  const over = new AbortController()
  const limit = Object.assign(over.signal, { endsAt: clock.began + deadline * 1000 })
  const never = new AbortController()
  void clock.sleep(deadline * 1000, never.signal).then(() => over.abort(new DOMException('x', 'TimeoutError')))
  const notices: string[] = []
  let tries = 0
  const info = (text: string): void => void notices.push(`${String(Math.round((clock.now() - clock.began) / 1000))} s: ${text}`)
  const ending = retry(() => attempt((tries += 1), clock), limit, { info, isNewHost }, clock)
  await clock.pass(ending)
  return { result: await ending, seconds: (clock.now() - clock.began) / 1000, notices, tries }
}

test('retry gives up a new host without an address after 5 s', async () => {
  const { seconds, notices, result, tries } = await play(FAILURES('ENOTFOUND'), true)
  expect(seconds).toBe(5)
  expect(tries).toBeGreaterThan(3)
  expect(result.last).toMatchObject({ failure: { code: 'ENOTFOUND' } })
  expect(notices).toEqual(['3 s: does not answer as it should (ENOTFOUND); trying again for 57 s.'])
})

test.each([
  ['a host that has answered before', 'ENOTFOUND', false],
  ['a resolver that is down', 'EAI_AGAIN', true],
  ['a closed port', 'ECONNREFUSED', true],
  ['a network that is down', 'ENETUNREACH', true],
])('retry tries until the deadline, with a notice after 3 s and every 15 s: %s', async (_, code, isNewHost) => {
  const { seconds, notices } = await play(FAILURES(code), isNewHost)
  expect(seconds).toBe(60)
  expect(notices).toEqual(
    [
      [3, 57],
      [18, 42],
      [33, 27],
      [48, 12],
    ].map(([at, left]) => `${String(at)} s: does not answer as it should (${code}); trying again for ${String(left)} s.`),
  )
})

test('retry succeeds if a new host gets an address within 5 s', async () => {
  const { result } = await play((tries) => (tries < 4 ? FAILURES('ENOTFOUND')() : Promise.resolve(OK)), true)
  expect(result.last).toBe(OK)
})

test('retry gives up a new host that has no address after other failures', async () => {
  const { seconds } = await play((tries) => FAILURES(tries < 3 ? 'EAI_AGAIN' : 'ENOTFOUND')(), true)
  expect(seconds).toBeLessThan(10)
})

test('retry gives no notice of failures that end within 3 s', async () => {
  const { notices, result } = await play((tries) => (tries < 3 ? FAILURES('ECONNRESET')() : Promise.resolve(OK)), true)
  expect(notices).toEqual([])
  expect(result).toMatchObject({ last: OK, mayHaveActed: true })
})

test('the notice says if the first attempt has no response yet', async () => {
  const { notices } = await play(async (_, clock) => {
    await clock.sleep(8_000, new AbortController().signal)
    return OK
  }, true)
  expect(notices).toEqual(['3 s: does not answer yet; waiting for 57 s.'])
})

test('retry waits as long as Retry-After says, and gives notices meanwhile', async () => {
  const busy: HttpResponse = { status: 429, headers: { 'retry-after': '30' }, body: '' }
  const { notices, tries } = await play((tries) => Promise.resolve(tries === 1 ? busy : OK), true)
  expect([tries, notices]).toEqual([
    2,
    [
      '3 s: does not answer as it should (answer 429); trying again for 57 s.',
      '18 s: does not answer as it should (answer 429); trying again for 42 s.',
    ],
  ])
})

test('the notice has no remaining time if the signal is no deadline', async () => {
  const clock = new PlayedClock()
  const notices: string[] = []
  const options = { info: (text: string) => void notices.push(text), isNewHost: false }
  let tries = 0
  const ending = retry(
    () => ((tries += 1) < 6 ? FAILURES('ECONNREFUSED')() : Promise.resolve(OK)),
    new AbortController().signal,
    options,
    clock,
  )
  await clock.pass(ending)
  expect(notices).toEqual(['does not answer as it should (ECONNREFUSED); trying again.'])
})
