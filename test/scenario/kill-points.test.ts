import { expect, test } from '@jest/globals'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Proxy } from '../cluster/proxy.ts'
import { whyNoIsolation } from '../hosts/isolation.ts'
import { KillPoints, PRELOADED } from '../kill-points/kill-points.ts'
import { isLongRun, partOf, SHARE } from '../long-run.ts'
import { runInTerminal, runOnGithub, runOnGitlab, SECRETS } from './scenario.ts'
import { expectTrueStatements } from './log-statements.ts'

/** The boundaries, from 1, at which the test kills the first program, and the one that recovers, which then runs again. */
interface Kills {
  first?: number
  recovery?: number
  isolate?: 'off'
  delivery?: Delivery
}

/** By default the token is in the memory of the first program alone. */
type Delivery = 'auto' | 'kubeconfig'
const DELIVERIES: Delivery[] = ['auto', 'kubeconfig']

/** The boundaries that the programs reached. */
interface Seen {
  first: string[]
  recovery: string[]
  /** Whether the API server refused to create a Secret. */
  refused: boolean
}

const AT_ONCE = 4
const TRIES = 5
const PATIENCE_MS = isLongRun ? 1_200_000 : 300_000

/** A scan that ends and leaves a process outside its group. */
const LEAVES_A_PROCESS = "setsid --wait sh -c 'sleep 600 >/dev/null 2>&1 & echo scanned'"

/** A scan that waits until its credential has been renewed, and with the API proxy until the first one is revoked: see tellRenewal(). */
const OUTLIVES_ITS_TOKEN = [
  'file=$(dirname "$KUBECONFIG")/token',
  'first=$(cat "$file" 2>/dev/null || true)',
  'for each in $(seq 400); do [ -e "$HOME/renewed" ] || [ "$first" != "$(cat "$file" 2>/dev/null)" ] && break; sleep 0.05; done',
  'sleep 0.3',
].join('; ')
/** On a slow machine the scan must end before the first credential expires, because kubepass then revokes that one alone. */
const SHORT_S = 8

/** A scan that uses the API proxy does not see a renewal, so the test tells it. */
function tellRenewal(proxy: Proxy, home: string): void {
  proxy.on({ method: 'DELETE', when: 'after', times: 1 }, () => {
    writeFileSync(join(home, 'renewed'), '')
    return undefined
  })
}

interface ProgramEnd {
  code: number | null
  signal: NodeJS.Signals | null
  log: string
}

/** Runs the first program, then the one that recovers, and after a kill of that one a second one. */
async function runKills(
  kills: Kills,
  folder: string,
  proxy: Proxy,
  start: (env: Record<string, string>) => { first: () => Promise<ProgramEnd>; recovery: () => Promise<ProgramEnd | undefined> },
): Promise<Seen> {
  const { first, recovery } = kills
  const killPoints = new KillPoints(folder)
  const programs = start(killPoints.env)
  const begun = await killPoints.during(programs.first, first)
  if (first === undefined) expectAll(begun.points, proxy, kills)
  expect([first, wasKilled(begun.ended)]).toEqual([first, first !== undefined])
  const caught = await killPoints.during(programs.recovery, recovery)
  expect([recovery, wasKilled(caught.ended)]).toEqual([recovery, recovery !== undefined])
  const last = recovery === undefined ? caught.ended : await programs.recovery()
  if (last !== undefined) {
    expect(expectTrueStatements(last.log, proxy)).not.toEqual([])
    expect(last.code).toBe(0)
  }
  return { first: begun.points, recovery: caught.points, refused: proxy.seen('POST', SECRETS).some(({ status }) => status === 409) }
}

/**
 * Runs a job again if the API server refused its Secret because two jobs changed the same quota. Such a job repeats its request and so
 * comes to more boundaries.
 */
async function undisturbed(scenario: () => Promise<Seen | undefined>): Promise<Seen> {
  for (let left = TRIES; left > 0; left -= 1) {
    const seen = await scenario()
    if (seen?.refused === false) return seen
  }
  throw new Error(`The API server refused the Secret of ${String(TRIES)} jobs.`)
}

/** 128 + 9, the exit code of a shell whose program was killed. */
function wasKilled(ended: ProgramEnd | undefined): boolean {
  return ended?.signal === 'SIGKILL' || ended?.code === 137
}

function inputsOf({ isolate, delivery }: Kills): { isolate: string; delivery: Delivery } {
  return { isolate: isolate ?? 'auto', delivery: delivery ?? 'auto' }
}

/** Runs main, then post. */
async function onGithub(kills: Kills, command = LEAVES_A_PROCESS): Promise<Seen> {
  return undisturbed(async () => {
    let seen: Seen | undefined
    await runOnGithub(
      async ({ job, step, proxy }) => {
        if (command === OUTLIVES_ITS_TOKEN) {
          proxy.shortTokens(SHORT_S)
          if (kills.delivery !== 'kubeconfig') tellRenewal(proxy, job.home)
        }
        seen = await runKills(kills, job.folder, proxy, (env) => {
          const use = step({ command, ...inputsOf(kills) }, env)
          return { first: () => use.main(), recovery: () => use.post() }
        })
      },
      { nodeOptions: PRELOADED, patience: { drain: 200 } },
    )
    return seen
  })
}

/** Runs script and after_script with the shell executor, whose runner does not kill the processes that the program leaves. */
async function onGitlab(gitlabEnv: boolean, kills: Kills): Promise<Seen> {
  return undisturbed(async () => {
    let seen: Seen | undefined
    await runOnGitlab(
      async ({ job, step, proxy }) => {
        const PATH = [nodeThatPreloads(job.folder), job.machine['PATH']].join(delimiter)
        seen = await runKills(kills, job.folder, proxy, (env) => {
          const use = step({ command: LEAVES_A_PROCESS, ...inputsOf(kills) }, { ...env, PATH })
          return { first: () => use.main(), recovery: () => use.post() }
        })
      },
      { executor: 'shell', gitlabEnv },
    )
    return seen
  })
}

/** Runs `run`, then `revoke` as long as a run state exists. */
async function inTerminal(kills: Kills, command = LEAVES_A_PROCESS): Promise<Seen> {
  return undisturbed(async () => {
    let seen: Seen | undefined
    await runInTerminal(
      async ({ terminal, flags, identityOf, proxy }) => {
        const stdin = await identityOf('issuer')
        if (command === OUTLIVES_ITS_TOKEN) {
          proxy.shortTokens(SHORT_S)
          if (kills.delivery !== 'kubeconfig') tellRenewal(proxy, terminal.home)
        }
        const { isolate, delivery } = inputsOf(kills)
        const identified = [...flags, '--token-file', '-', '--isolate', isolate, '--delivery', delivery]
        seen = await runKills(kills, terminal.folder, proxy, (env) => {
          const call = async (words: string[]): Promise<ProgramEnd> => {
            const { stderr, ...ended } = await terminal.run(words, { stdin, env })
            return { ...ended, log: stderr }
          }
          return {
            first: () => call(['run', ...identified, '--', 'sh', '-c', command]),
            async recovery() {
              const state = readdirSync(terminal.tmp).find((name) => name.endsWith('.state.json'))
              return state === undefined ? undefined : call(['revoke', ...identified, join(terminal.tmp, state)])
            },
          }
        })
      },
      [process.execPath, ...PRELOADED, fileURLToPath(new URL('../../dist/cli/index.js', import.meta.url))],
    )
    return seen
  })
}

/** A `node` for the template, which adds the preloaded module. */
function nodeThatPreloads(folder: string): string {
  const bin = join(folder, 'preloading')
  mkdirSync(bin)
  const words = [process.execPath, ...PRELOADED].map((word) => `'${word}'`).join(' ')
  writeFileSync(join(bin, 'node'), `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 })
  return bin
}

/** Checks that the preloaded module has recorded every request that the proxy has seen. */
function expectAll(points: string[], { exchanges }: Proxy, { isolate, delivery }: Kills): void {
  // The other GET is that of an ID token.
  const requests = points.flatMap((point) => /^after (POST|DELETE|GET(?= \/version$)) ?/.exec(point)?.[1] ?? [])
  expect(requests).toEqual(exchanges.map(({ method }) => method))
  const files = delivery === 'kubeconfig' ? ['kubeconfig', 'token'] : ['kubeconfig']
  const changes = [
    'mkdirSync kubepass-KEY',
    ...['openSync', 'writeSync', 'renameSync'].flatMap((call) => files.map((file) => `${call} ${file}.next`)),
    isolate === 'off' || whyNoIsolation() !== undefined ? 'spawn sh' : 'spawn unshare',
    'rmSync kubepass-KEY',
  ]
  expect(points).toEqual(expect.arrayContaining(changes.map((change) => `after ${change}`)))
  if (delivery !== 'kubeconfig') expect(points.filter((point) => point.includes('token.next'))).toEqual([])
}

/** A boundary, and a job that the test kills there. */
interface Moment {
  points: string[]
  /** This number of boundaries always has the same order. The others come from concurrent calls: only their number is fixed. */
  inOrder: number
  killAt: number
  scenario: (killAt: number) => Promise<string[]>
}

function momentsOf(points: string[], scenario: Moment['scenario'], inOrder = points.length): Moment[] {
  return points.map((_, index) => ({ points, inOrder, killAt: index + 1, scenario }))
}

/** The lists share most boundaries. Takes each boundary from one list: from each list that has it in turn. */
function alternating(lists: Moment[][]): Moment[] {
  const byKey = new Map<string, Moment[]>()
  for (const moment of lists.flat()) byKey.set(keyOf(moment), [...(byKey.get(keyOf(moment)) ?? []), moment])
  return [...byKey.values()].flatMap((moments, turn) => moments[turn % moments.length] ?? [])
}

/** The name of a boundary, with the number of its occurrences so far. */
function keyOf({ points, killAt }: Moment): string {
  const passed = points.slice(0, killAt)
  const name = passed.at(-1) ?? ''
  return `${name}, ${String(passed.filter((point) => point === name).length)}`
}

/** Runs all jobs, some at the same time, and reports each boundary with a wrong result. */
async function expectEach(moments: Moment[], atOnce = AT_ONCE): Promise<void> {
  const failures: string[] = []
  const left = moments.values()
  const work = async (): Promise<void> => {
    for (const moment of left) {
      const { points, inOrder, killAt, scenario } = moment
      try {
        const seen = await scenario(killAt)
        expect(seen).toHaveLength(killAt)
        expect(seen.slice(0, inOrder)).toEqual(points.slice(0, Math.min(inOrder, killAt)))
        expect(points.slice(inOrder)).toEqual(expect.arrayContaining(seen.slice(inOrder)))
      } catch (error) {
        failures.push(`${keyOf(moment)}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  expect(failures).toEqual([])
}

/** The boundary at which the scan runs: everything that can be left behind exists. An isolated scan starts at no boundary. */
function inTheScan(points: string[]): number {
  return points.indexOf('after spawn sh') + 1
}

type Scenario = (kills: Kills) => Promise<Seen>

/** The scenario with each delivery. */
function withEachDelivery(scenario: Scenario): Scenario[] {
  return DELIVERIES.map((delivery) => (kills: Kills) => scenario({ ...kills, delivery }))
}

const PLACES = {
  'on GitHub': { first: 'main', recovery: 'post', scenarios: withEachDelivery(onGithub) },
  'on GitLab': {
    first: 'script',
    recovery: 'after_script',
    scenarios: [true, false].flatMap((gitlabEnv) => withEachDelivery((kills) => onGitlab(gitlabEnv, kills))),
  },
  'in a terminal': { first: 'run', recovery: 'revoke', scenarios: withEachDelivery(inTerminal) },
}

/** The boundaries of all scenarios, each from one of them. */
async function momentsInTurn(scenarios: Scenario[], momentsOfOne: (scenario: Scenario) => Promise<Moment[]>): Promise<Moment[]> {
  return alternating(await Promise.all(scenarios.map(momentsOfOne)))
}

for (const [turn, [place, { first, recovery, scenarios }]] of Object.entries(PLACES).entries()) {
  const killedFirst = async (how: Scenario): Promise<Moment[]> =>
    momentsOf((await how({})).first, async (killAt) => (await how({ first: killAt })).first)
  const killedAfter = async (how: Scenario): Promise<Moment[]> => {
    const scanning = { first: inTheScan((await how({ isolate: 'off' })).first), isolate: 'off' } as const
    const seen = await how(scanning)
    return momentsOf(seen.recovery, async (killAt) => (await how({ ...scanning, recovery: killAt })).recovery)
  }
  const each = async (killed: (how: Scenario) => Promise<Moment[]>): Promise<void> =>
    expectEach(partOf(await momentsInTurn(scenarios, killed), turn))

  test(`${place}, ${recovery} leaves nothing after a SIGKILL of ${first} at any boundary${SHARE}`, () => each(killedFirst), PATIENCE_MS)
  test(
    `${place}, a second ${recovery} leaves nothing after a SIGKILL of the first ${recovery} at any boundary${SHARE}`,
    () => each(killedAfter),
    PATIENCE_MS,
  )
}

/** Many jobs run at the same time, because they mostly wait for the renewal. */
async function expectEachRenewed(momentsIn: (scenario: Scenario) => Promise<Moment[]>): Promise<void> {
  const moments = [onGithub, inTerminal].map((scenario) =>
    momentsInTurn(
      withEachDelivery((kills) => scenario({ isolate: 'off', ...kills }, OUTLIVES_ITS_TOKEN)),
      momentsIn,
    ),
  )
  await expectEach((await Promise.all(moments)).flatMap(partOf), 2 * AT_ONCE)
}

/** From this boundary on the responses to two concurrent DELETEs come in any order. */
function firstDelete(points: string[]): number {
  return points.findIndex((point) => point.startsWith('after DELETE'))
}

test(
  `on GitHub and in a terminal, post or revoke leaves nothing after a SIGKILL at any boundary during or after a renewal${SHARE}`,
  () =>
    expectEachRenewed(async (scenario) => {
      const { first: points } = await scenario({})
      const killed = async (killAt: number): Promise<string[]> => (await scenario({ first: killAt })).first
      const moments = momentsOf(points, killed, firstDelete(points)).slice(inTheScan(points))
      expect(moments.map(keyOf)).toContainEqual(expect.stringMatching(/^after POST \S+\/token, 2$/))
      // With the API proxy a renewal changes no file of the scan.
      const hasTokenFile = points.includes('after renameSync token.next')
      expect(moments.map(keyOf).includes('after renameSync kubeconfig.next, 2')).toBe(hasTokenFile)
      return moments
    }),
  PATIENCE_MS,
)

test(
  `on GitHub and in a terminal, after a renewal, a second post or revoke leaves nothing after a SIGKILL of the first${SHARE}`,
  () =>
    expectEachRenewed(async (scenario) => {
      const first = firstDelete((await scenario({})).first)
      const { recovery: points } = await scenario({ first })
      expect(points.filter((point) => point.startsWith('after DELETE'))).toHaveLength(2)
      return momentsOf(points, async (killAt) => (await scenario({ first, recovery: killAt })).recovery, firstDelete(points))
    }),
  PATIENCE_MS,
)
