import { expect, test } from '@jest/globals'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Proxy } from '../cluster/proxy.ts'
import { whyNoIsolation } from '../hosts/isolation.ts'
import { KillPoints, PRELOADED } from '../kill-points/kill-points.ts'
import { isLongRun, partOf, SHARE } from '../long-run.ts'
import { playInTerminal, playOnGithub, playOnGitlab, SECRETS } from './scenario.ts'
import { expectTruth } from './truth.ts'

/** Boundaries at which a program is killed, counted from 1; of the net, behind which it comes again. */
interface Kills {
  first?: number
  net?: number
  isolate?: 'off'
}

/** Those that the programs came to. */
interface Seen {
  first: string[]
  net: string[]
  /** Whether the API server refused a Secret. */
  refused: boolean
}

const AT_ONCE = 4
const TRIES = 5
const PATIENCE_MS = isLongRun ? 1_200_000 : 300_000

/** The scan ends, and leaves a process outside of its group. */
const LEAVES_A_PROCESS = "setsid --wait sh -c 'sleep 600 >/dev/null 2>&1 & echo scanned'"

/** The scan waits until its credential has been renewed. */
const OUTLIVES_ITS_TOKEN = [
  'file=$(dirname "$KUBECONFIG")/token',
  'first=$(cat "$file")',
  'for each in $(seq 400); do [ "$first" = "$(cat "$file")" ] || break; sleep 0.05; done',
  'sleep 0.3',
].join('; ')
const SHORT_S = 5

interface Said {
  code: number | null
  signal: NodeJS.Signals | null
  log: string
}

/** The program that comes first, then its net, and behind a net that was killed another one. */
async function playKills(
  { first, net, isolate }: Kills,
  folder: string,
  proxy: Proxy,
  start: (env: Record<string, string>) => { first: () => Promise<Said>; net: () => Promise<Said | undefined> },
): Promise<Seen> {
  const killPoints = new KillPoints(folder)
  const programs = start(killPoints.env)
  const begun = await killPoints.during(programs.first, first)
  if (first === undefined) expectAll(begun.points, proxy, isolate)
  expect([first, wasKilled(begun.ended)]).toEqual([first, first !== undefined])
  const caught = await killPoints.during(programs.net, net)
  expect([net, wasKilled(caught.ended)]).toEqual([net, net !== undefined])
  const last = net === undefined ? caught.ended : await programs.net()
  if (last !== undefined) {
    expect(expectTruth(last.log, proxy)).not.toEqual([])
    expect(last.code).toBe(0)
  }
  return { first: begun.points, net: caught.points, refused: proxy.seen('POST', SECRETS).some(({ status }) => status === 409) }
}

/**
 * Plays a job again if the API server refused its Secret: two jobs at once changed the same quota. The job asks again, and so
 * comes to more boundaries.
 */
async function undisturbed(play: () => Promise<Seen | undefined>): Promise<Seen> {
  for (let left = TRIES; left > 0; left -= 1) {
    const seen = await play()
    if (seen?.refused === false) return seen
  }
  throw new Error(`The API server refused the Secret of ${String(TRIES)} jobs.`)
}

/** A shell says the same by its exit code. */
function wasKilled(said: Said | undefined): boolean {
  return said?.signal === 'SIGKILL' || said?.code === 137
}

/** Main, and post. */
async function onGithub(kills: Kills, command = LEAVES_A_PROCESS): Promise<Seen> {
  return undisturbed(async () => {
    let seen: Seen | undefined
    await playOnGithub(
      async ({ job, step, proxy }) => {
        if (command === OUTLIVES_ITS_TOKEN) proxy.shortTokens(SHORT_S)
        seen = await playKills(kills, job.folder, proxy, (env) => {
          const use = step({ command, isolate: kills.isolate ?? 'auto' }, env)
          return { first: () => use.main(), net: () => use.post() }
        })
      },
      { nodeOptions: PRELOADED, patience: { drain: 200 } },
    )
    return seen
  })
}

/** Script and after_script, on a machine: what the program leaves is not ended by the runner. */
async function onGitlab(gitlabEnv: boolean, kills: Kills): Promise<Seen> {
  return undisturbed(async () => {
    let seen: Seen | undefined
    await playOnGitlab(
      async ({ job, step, proxy }) => {
        const PATH = [nodeThatPreloads(job.folder), job.machine['PATH']].join(delimiter)
        seen = await playKills(kills, job.folder, proxy, (env) => {
          const use = step({ command: LEAVES_A_PROCESS, isolate: kills.isolate ?? 'auto' }, { ...env, PATH })
          return { first: () => use.main(), net: () => use.post() }
        })
      },
      { executor: 'shell', gitlabEnv },
    )
    return seen
  })
}

/** `run`, and `revoke` for as long as there is a run state. */
async function inTerminal(kills: Kills, command = LEAVES_A_PROCESS): Promise<Seen> {
  return undisturbed(async () => {
    let seen: Seen | undefined
    await playInTerminal(
      async ({ terminal, flags, identityOf, proxy }) => {
        const stdin = await identityOf('issuer')
        if (command === OUTLIVES_ITS_TOKEN) proxy.shortTokens(SHORT_S)
        const identified = [...flags, '--token-file', '-', '--isolate', kills.isolate ?? 'auto']
        seen = await playKills(kills, terminal.folder, proxy, (env) => {
          const call = async (words: string[]): Promise<Said> => {
            const { stderr, ...ended } = await terminal.run(words, { stdin, env })
            return { ...ended, log: stderr }
          }
          return {
            first: () => call(['run', ...identified, '--', 'sh', '-c', command]),
            async net() {
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

/** The template calls `node`. */
function nodeThatPreloads(folder: string): string {
  const bin = join(folder, 'preloading')
  mkdirSync(bin)
  const words = [process.execPath, ...PRELOADED].map((word) => `'${word}'`).join(' ')
  writeFileSync(join(bin, 'node'), `#!/bin/sh\nexec ${words} "$@"\n`, { mode: 0o755 })
  return bin
}

/** The preloaded module has not missed what can be seen from outside. */
function expectAll(points: string[], { exchanges }: Proxy, isolate?: 'off'): void {
  const asked = points.flatMap((point) => /^after (POST|DELETE) /.exec(point)?.[1] ?? [])
  expect(asked).toEqual(exchanges.map(({ method }) => method))
  const changes = [
    'mkdirSync kubepass-KEY',
    'openSync token.next',
    'writeSync token.next',
    'renameSync token.next',
    'renameSync kubeconfig.next',
    isolate === 'off' || whyNoIsolation() !== undefined ? 'spawn sh' : 'spawn unshare',
    'rmSync kubepass-KEY',
  ]
  expect(points).toEqual(expect.arrayContaining(changes.map((change) => `after ${change}`)))
}

/** A boundary, and a job that is killed there. */
interface Moment {
  points: string[]
  /** So many of them always come in this order; of the others, which come of calls side by side, the number is the same. */
  inOrder: number
  killAt: number
  play: (killAt: number) => Promise<string[]>
}

function momentsOf(points: string[], play: Moment['play'], inOrder = points.length): Moment[] {
  return points.map((_, index) => ({ points, inOrder, killAt: index + 1, play }))
}

/** The same boundaries stand in both: of those every other one is played each way. */
function alternating(one: Moment[], other: Moment[]): Moment[] {
  const inBoth = one.map(keyOf).filter((key) => other.some((moment) => keyOf(moment) === key))
  const turn = (moment: Moment): number => inBoth.indexOf(keyOf(moment))
  return [...one.filter((moment) => turn(moment) % 2 !== 1), ...other.filter((moment) => turn(moment) === -1 || turn(moment) % 2 === 1)]
}

/** Its name, and how many of that name there have been. */
function keyOf({ points, killAt }: Moment): string {
  const passed = points.slice(0, killAt)
  const name = passed.at(-1) ?? ''
  return `${name}, ${String(passed.filter((point) => point === name).length)}`
}

/** Plays all, some at once, and tells of each at which something is wrong. */
async function expectEach(moments: Moment[], atOnce = AT_ONCE): Promise<void> {
  const failures: string[] = []
  const left = moments.values()
  const work = async (): Promise<void> => {
    for (const moment of left) {
      const { points, inOrder, killAt, play } = moment
      try {
        const seen = await play(killAt)
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

/** Where the scan runs: all is there that can be left. Isolated, it would begin when nothing is changed or started. */
function inTheScan(points: string[]): number {
  return points.indexOf('after spawn sh') + 1
}

const PLACES = {
  'on GitHub': { first: 'main', net: 'post', play: onGithub, otherwise: undefined },
  'on GitLab': {
    first: 'the script',
    net: 'the after_script',
    play: (kills: Kills) => onGitlab(true, kills),
    otherwise: (kills: Kills) => onGitlab(false, kills),
  },
  'in a terminal': { first: 'run', net: 'revoke', play: inTerminal, otherwise: undefined },
}

for (const [turn, [place, { first, net, play, otherwise }]] of Object.entries(PLACES).entries()) {
  const killedFirst = async (how: typeof play): Promise<Moment[]> =>
    momentsOf((await how({})).first, async (killAt) => (await how({ first: killAt })).first)
  const killedAfter = async (how: typeof play): Promise<Moment[]> => {
    const scanning = { first: inTheScan((await how({ isolate: 'off' })).first), isolate: 'off' } as const
    const seen = await how(scanning)
    return momentsOf(seen.net, async (killAt) => (await how({ ...scanning, net: killAt })).net)
  }
  const each = async (killed: (how: typeof play) => Promise<Moment[]>): Promise<void> =>
    expectEach(partOf(otherwise === undefined ? await killed(play) : alternating(await killed(play), await killed(otherwise)), turn))

  test(`${place}, ${first} killed at every boundary: ${net} leaves nothing${SHARE}`, () => each(killedFirst), PATIENCE_MS)
  test(`${place}, ${net} killed at every boundary: another one leaves nothing${SHARE}`, () => each(killedAfter), PATIENCE_MS)
}

type Play = (kills: Kills) => Promise<Seen>

/** Each waits for the renewal most of the time. */
async function expectEachRenewed(momentsIn: (play: Play) => Promise<Moment[]>): Promise<void> {
  const moments = [onGithub, inTerminal].map((play) => momentsIn((kills) => play({ isolate: 'off', ...kills }, OUTLIVES_ITS_TOKEN)))
  await expectEach((await Promise.all(moments)).flatMap(partOf), 2 * AT_ONCE)
}

/** From there on two Secrets are deleted side by side. */
function firstDelete(points: string[]): number {
  return points.findIndex((point) => point.startsWith('before DELETE'))
}

test(
  `on GitHub and in a terminal, killed at every boundary of a renewal and behind it: the net leaves nothing${SHARE}`,
  () =>
    expectEachRenewed(async (play) => {
      const { first: points } = await play({})
      const killed = async (killAt: number): Promise<string[]> => (await play({ first: killAt })).first
      const moments = momentsOf(points, killed, firstDelete(points)).slice(inTheScan(points))
      expect(moments.map(keyOf)).toContain('after renameSync kubeconfig.next, 2')
      return moments
    }),
  PATIENCE_MS,
)

test(
  `on GitHub and in a terminal, the net of a renewed credential killed at every boundary: another one leaves nothing${SHARE}`,
  () =>
    expectEachRenewed(async (play) => {
      const first = firstDelete((await play({})).first)
      const { net: points } = await play({ first })
      expect(points.filter((point) => point.startsWith('after DELETE'))).toHaveLength(2)
      return momentsOf(points, async (killAt) => (await play({ first, net: killAt })).net, firstDelete(points))
    }),
  PATIENCE_MS,
)
