import { expect, test } from '@jest/globals'
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Exchange, OtherAnswer } from '../cluster/proxy.ts'
import { allCells, cellsToRun, runCell } from '../faults/run-cell.ts'
import { documentOf, keyOf, outcomesIn, type Outcomes } from '../faults/table.ts'
import { SHARE } from '../long-run.ts'
import { allDone, clusters, ONE_SECRET, onGithub, runOnGithub, SECRETS, status, TOKEN, type GithubFixture } from './scenario.ts'

const DOCUMENT = fileURLToPath(new URL('../../docs/faults.md', import.meta.url))
/** Many cells run at the same time, because most of them wait most of the time. */
const AT_ONCE = 16

test(`every fault of every request ends as docs/faults.md says, and leaves nothing${SHARE}`, async () => {
  const only = process.env['FAULTS']
  const isWritten = process.env['UPDATE_FAULTS'] === '1'
  const all = new Set(allCells().map(keyOf))
  const cells = only === undefined && !isWritten ? cellsToRun() : allCells().filter((cell) => keyOf(cell).includes(only ?? ''))
  const committed = readFileSync(DOCUMENT, 'utf8')
  const outcomes: Outcomes = new Map([...outcomesIn(committed)].filter(([key]) => all.has(key)))
  const failures: string[] = []
  const left = cells.values()
  const work = async (port: number): Promise<void> => {
    for (const cell of left) {
      try {
        outcomes.set(keyOf(cell), await runCell(cell, port))
      } catch (error) {
        failures.push(`${keyOf(cell)}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }
  await Promise.all(clusters.quick.ownPorts.slice(0, AT_ONCE).map(work))
  expect(failures).toEqual([])
  const document = documentOf(outcomes)
  process.stdout.write(document)
  if (isWritten) return writeFileSync(DOCUMENT, document)
  expect(Object.fromEntries(outcomes)).toEqual(Object.fromEntries(outcomesIn(committed)))
  expect([...outcomes.keys()].toSorted()).toEqual([...all].toSorted())
  expect(document).toBe(committed)
}, 1_200_000)

const answerOf = ({ status = 0, responseBody }: Exchange): OtherAnswer => ({ status, body: responseBody, sent: 'slowly' })
const never = (): Promise<never> => new Promise(() => undefined)

/** The server that never answers, and the exit code of the run. */
const FOR_EVER: Record<string, { code: number; begin: (fixture: GithubFixture) => void }> = {
  'an API server that says nothing': { code: 83, begin: ({ proxy }) => void proxy.on({ path: SECRETS }, () => 'hang') },
  'an API server that says a byte at a time': { code: 83, begin: ({ proxy }) => void proxy.on({ path: SECRETS, when: 'after' }, answerOf) },
  'an ID token service that says nothing': { code: 81, begin: ({ job }) => void (job.idTokens.instead = never) },
  'an ID token service that does not end its answer': {
    code: 81,
    begin: ({ job }) => void (job.idTokens.instead = () => ({ status: 200, headers: { 'content-length': 1000 }, body: '{' })),
  },
}

test('deadline limits the time of all requests before the scan', async () => {
  const runs = Object.values(FOR_EVER).map(({ code, begin }) =>
    runOnGithub(async (fixture) => {
      begin(fixture)
      const use = fixture.step({ command: 'echo ran', deadline: '3s' })
      const began = Date.now()
      const main = await use.main()
      // kubepass gives up on the ID token after 20 s in any case.
      expect(Date.now() - began).toBeLessThan(15_000)
      expect(main.code).toBe(code)
      expect(main.log).not.toContain('\nran\n')
    }),
  )
  await allDone(runs)
})

test('deadline limits the time of the revocation, including the request for a new ID token', async () => {
  const after: Record<string, (fixture: GithubFixture) => () => void> = {
    'an API server that says nothing': ({ proxy }) => proxy.on({ path: ONE_SECRET }, () => 'hang'),
    'an API server that says a byte at a time': ({ proxy }) => proxy.on({ path: ONE_SECRET, when: 'after' }, answerOf),
    'an ID token service that says nothing': ({ job }) => {
      job.idTokens.instead = never
      return () => delete job.idTokens.instead
    },
  }
  const runs = Object.values(after).map((begin) =>
    runOnGithub(async (fixture) => {
      const use = fixture.step({ deadline: '3s' })
      expect((await use.main()).code).toBe(0)
      const end = begin(fixture)
      const began = Date.now()
      const post = await use.post()
      expect(Date.now() - began).toBeLessThan(15_000)
      expect(post.code).toBe(86)
      end()
      expect((await use.post()).code).toBe(0)
    }),
  )
  await allDone(runs)
})

onGithub('slow requests before the scan do not reduce the time for the revocation', async ({ step, proxy }) => {
  const slowly = async (): Promise<undefined> => {
    await delay(5_000)
    return undefined
  }
  proxy.on({ path: TOKEN }, slowly)
  proxy.on({ path: ONE_SECRET }, slowly)
  const main = await step({ command: 'true', deadline: '9s' }).main()
  expect(main.code).toBe(0)
  expect(main.messages).toEqual([])
})

onGithub('kubepass does not retry at once when Retry-After is longer than the longest timer', async ({ step, proxy }) => {
  proxy.on({ path: SECRETS }, () => ({ ...status(429, 'TooManyRequests', 'no'), headers: { 'retry-after': '9999999' } }))
  const main = await step({ command: 'true', deadline: '5s' }).main()
  expect(main.code).toBe(83)
  expect(proxy.seen('POST', SECRETS)).toHaveLength(1)
})
