import { expect, test } from '@jest/globals'
import { setImmediate as turn } from 'node:timers/promises'
import type { HttpResponse } from '../../src/net/http.ts'
import { retry, type Clock, type RetryOptions, type RetryResult } from '../../src/net/retry.ts'

/** Time that passes when nothing else is left to do. */
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
      if (next === undefined) throw new Error('nobody waits, and nothing happens')
      this.#sleepers.delete(next)
      this.#now = Math.max(this.#now, next.at)
      next.wake()
    }
  }
}

const FAILURES = (code: string) => (): Promise<HttpResponse> => Promise.reject(Object.assign(new Error('x'), { code }))
const OK: HttpResponse = { status: 200, headers: {}, body: '' }

interface Played {
  tried: RetryResult
  seconds: number
  said: string[]
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
  const said: string[] = []
  let tries = 0
  const info = (text: string): void => void said.push(`${String(Math.round((clock.now() - clock.began) / 1000))} s: ${text}`)
  const ending = retry(() => attempt((tries += 1), clock), limit, { info, isNewHost }, clock)
  await clock.pass(ending)
  return { tried: await ending, seconds: (clock.now() - clock.began) / 1000, said, tries }
}

test('a host without an address is given up after 5 s, if nothing says that it exists', async () => {
  const { seconds, said, tried, tries } = await play(FAILURES('ENOTFOUND'), true)
  expect(seconds).toBe(5)
  expect(tries).toBeGreaterThan(3)
  expect(tried.last).toMatchObject({ failure: { code: 'ENOTFOUND' } })
  expect(said).toEqual(['3 s: does not answer as it should (ENOTFOUND); trying again for 57 s.'])
})

test.each([
  ['a host that has answered before', 'ENOTFOUND', false],
  ['a resolver that is down', 'EAI_AGAIN', true],
  ['nobody at its port', 'ECONNREFUSED', true],
  ['a network that is down', 'ENETUNREACH', true],
])('%s is tried until the deadline, and that is told after 3 s and every 15 s', async (_, code, isNewHost) => {
  const { seconds, said } = await play(FAILURES(code), isNewHost)
  expect(seconds).toBe(60)
  expect(said).toEqual(
    [
      [3, 57],
      [18, 42],
      [33, 27],
      [48, 12],
    ].map(([at, left]) => `${String(at)} s: does not answer as it should (${code}); trying again for ${String(left)} s.`),
  )
})

test('a host that is found within 5 s heals', async () => {
  const found = await play((tries) => (tries < 4 ? FAILURES('ENOTFOUND')() : Promise.resolve(OK)), true)
  expect(found.tried.last).toBe(OK)
})

test('a host that is lost after other failures is given up, too', async () => {
  const { seconds } = await play((tries) => FAILURES(tries < 3 ? 'EAI_AGAIN' : 'ENOTFOUND')(), true)
  expect(seconds).toBeLessThan(10)
})

test('what heals within 3 s is not told', async () => {
  const { said, tried } = await play((tries) => (tries < 3 ? FAILURES('ECONNRESET')() : Promise.resolve(OK)), true)
  expect(said).toEqual([])
  expect(tried).toMatchObject({ last: OK, mayHaveActed: true })
})

test('a first try that is not answered is told of as one', async () => {
  const { said } = await play(async (_, clock) => {
    await clock.sleep(8_000, new AbortController().signal)
    return OK
  }, true)
  expect(said).toEqual(['3 s: does not answer yet; waiting for 57 s.'])
})

test('an answer that asks for patience is told with it', async () => {
  const busy: HttpResponse = { status: 429, headers: { 'retry-after': '30' }, body: '' }
  const { said, tries } = await play((tries) => Promise.resolve(tries === 1 ? busy : OK), true)
  expect([tries, said]).toEqual([
    2,
    [
      '3 s: does not answer as it should (answer 429); trying again for 57 s.',
      '18 s: does not answer as it should (answer 429); trying again for 42 s.',
    ],
  ])
})

test('without a limit that is known no time is told', async () => {
  const clock = new PlayedClock()
  const said: string[] = []
  const manner = { info: (text: string) => void said.push(text), isNewHost: false }
  let tries = 0
  const ending = retry(
    () => ((tries += 1) < 6 ? FAILURES('ECONNREFUSED')() : Promise.resolve(OK)),
    new AbortController().signal,
    manner,
    clock,
  )
  await clock.pass(ending)
  expect(said).toEqual(['does not answer as it should (ECONNREFUSED); trying again.'])
})
