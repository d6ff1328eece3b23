import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Evidence } from '../../src/state/evidence.ts'
import type { Matcher } from '../cluster/proxy.ts'
import { newSeed, runEach } from '../seed.ts'
import { requestBoundaries } from './request-boundaries.ts'
import { runOnGithub, runOnGitlab, SECRETS, type CiFixture } from './scenario.ts'
import { expectTrueStatements } from './log-statements.ts'

type Ci = 'github' | 'gitlab'

const CIS: Ci[] = ['github', 'gitlab']
const AT_ONCE = 4

/** GitLab jobs use the shell executor: no container ends the processes, and the runner waits for every process that holds an output. */
function runOn(ci: Ci, scenario: (fixture: CiFixture) => Promise<void>): Promise<void> {
  return ci === 'github'
    ? runOnGithub((fixture) => scenario({ ...fixture, ci }))
    : runOnGitlab((fixture) => scenario({ ...fixture, ci }), { executor: 'shell' })
}

/** Each item on each CI. */
function onEach<T>(items: readonly T[]): { ci: Ci; item: T }[] {
  return items.flatMap((item) => CIS.map((ci) => ({ ci, item })))
}

test('a job cancelled during an unanswered request, for each request: nothing is left, and its messages are true', async () => {
  const names = Object.keys(requestBoundaries)
  await runEach(onEach(names), AT_ONCE, ({ ci, item }) =>
    runOn(ci, async ({ step, proxy }) => {
      const matcher: Matcher = requestBoundaries[item] ?? {}
      const use = step({ command: 'echo ran' })
      let hold: () => void = () => undefined
      const held = new Promise<void>((resolve) => (hold = resolve))
      proxy.on({ ...matcher, times: 1 }, async () => {
        hold()
        await phase.done
        return undefined
      })
      const phase = use.start('main')
      await held
      const main = await phase.cancel()
      const inVain = item.endsWith('the revocation')
      if (ci === 'github') expect([main.signal, main.code]).toEqual([null, inVain ? 86 : 130])
      expect(main.log).toContain(inVain ? 'The credential could not be revoked.' : `Stopped by ${ci === 'github' ? 'SIGINT' : 'SIGTERM'}.`)
      expect(main.log.includes('\nran\n')).toBe(inVain)
      expectTrueStatements(main.log, proxy)
      if (['after the token', 'after the verification'].includes(item)) expect(main.log).toMatch(/Credential: revoked /)
      const post = await use.post()
      expect(post.code).toBe(0)
      expect(expectTrueStatements(post.log, proxy)).not.toEqual([])
    }),
  )
})

test('a job cancelled at any time leaves nothing, and its messages are true', async () => {
  const seed = newSeed()
  const times = fc.sample(fc.integer({ min: 0, max: 1_500 }), { seed, numRuns: 5 })
  const scenario = ({ ci, item }: { ci: Ci; item: number }): Promise<void> =>
    runOn(ci, async ({ step, proxy }) => {
      const use = step({ command: 'kubectl get ns kubepass -o name; sleep 0.3' })
      const phase = use.start('main')
      await delay(item)
      const main = await phase.cancel()
      // A signal ends the program before it has installed its signal handlers.
      if (ci === 'github') expect([main.signal, 130, 0]).toContain(main.signal === 'SIGINT' ? 'SIGINT' : main.code)
      expectTrueStatements(main.log, proxy)
      const post = await use.post()
      expect(post.code).toBe(0)
      expect(expectTrueStatements(post.log, proxy)).not.toEqual([])
    })
  await runEach(onEach(times), AT_ONCE, scenario, seed)
})

const CODES: Partial<Record<NodeJS.Signals, number>> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }
const signals: NodeJS.Signals[][] = [['SIGHUP'], ['SIGINT', 'SIGTERM'], ['SIGTERM', 'SIGTERM'], ['SIGINT', 'SIGINT', 'SIGINT']]

test('after SIGHUP and a second signal kubepass revokes and proves once, and the first signal decides the exit code', async () => {
  await runEach(onEach(signals), AT_ONCE, ({ ci, item: names }) =>
    runOn(ci, async ({ step, proxy }) => {
      const use = step({ command: 'echo started; sleep 600' })
      const phase = use.start('main')
      await phase.seen('started')
      for (const name of names) phase.kill(name)
      const main = await phase.done
      // Of two signals that are pending at the same time, either may come first.
      const ends = names.map((name) => [CODES[name], [`Stopped by ${name}.`]])
      expect(ends).toContainEqual([main.code, main.messages])
      expect(main.log).toMatch(/Credential: revoked .*, proven dead/)
      expectTrueStatements(main.log, proxy)
      expect((await use.post()).code).toBe(0)
    }),
  )
})

test('when no process reads the job output, the scan still runs to its end, kubepass revokes, and exit code and evidence are right', async () => {
  await runEach(onEach(['before the scan', 'during the scan']), AT_ONCE, ({ ci, item }) =>
    runOn(ci, async ({ step, proxy, job }) => {
      const [evidence, done] = [join(job.workspace, 'evidence.json'), join(job.workspace, 'done')]
      const phase = step({
        command: `echo started; while [ ! -f go ]; do sleep 0.05; done; seq 1 200000; echo "##[error]x" >&2; touch ${done}; exit 7`,
        evidence,
      }).start('main')
      const close = (): void => {
        phase.close()
      }
      proxy.on({ method: 'POST', path: SECRETS, times: 1 }, () => {
        if (item === 'before the scan') close()
        return undefined
      })
      if (item === 'during the scan') {
        await phase.seen('started')
        close()
      }
      writeFileSync(join(job.workspace, 'go'), '')
      expect((await phase.done).code).toBe(7)
      expect(existsSync(done)).toBe(true)
      expect(JSON.parse(readFileSync(evidence, 'utf8')) as Evidence).toMatchObject({
        used: { exit_code: 7 },
        proven: { samples: 3 },
        error: null,
      })
    }),
  )
})

/** The scan's script, and whether the scan ends by itself. A daemon announces itself. */
const scans: Record<string, { command: string; outlives: boolean; ends?: true }> = {
  'ignores SIGTERM': { command: 'trap "" TERM INT HUP; echo started; while :; do sleep 0.1; done', outlives: false },
  'forks a daemon': {
    command: `(setsid -f sh -c 'trap "" TERM; echo started; exec >/dev/null 2>&1 </dev/null; sleep 600'); sleep 600`,
    outlives: true,
  },
  'calls setsid': { command: `exec setsid --wait sh -c 'trap "" TERM; echo started; sleep 600 & wait; sleep 600'`, outlives: true },
  'closes its outputs': { command: 'echo started; exec >&- 2>&-; trap "" TERM; sleep 600 & wait; sleep 600', outlives: false },
  'has ended, and a grandchild holds its outputs': {
    command: `setsid -f sh -c 'trap "" TERM; echo started; : > up; sleep 600'; until [ -e up ]; do sleep 0.01; done; exit 0`,
    outlives: true,
    ends: true,
  },
}

test('when a job is cancelled, kubepass kills a scan that ignores signals, and revokes in time', async () => {
  await runEach(onEach(Object.keys(scans)), AT_ONCE, ({ ci, item }) =>
    runOn(ci, async ({ step, proxy }) => {
      const { command, outlives, ends } = scans[item] ?? { command: '', outlives: false }
      const use = step({ command })
      const phase = use.start('main')
      await phase.seen('started')
      const begun = Date.now()
      const main = await phase.cancel()
      expect(Date.now() - begun).toBeLessThan(10_000)
      if (ci === 'github') expect([main.signal, ends ? [0, 130].includes(main.code ?? -1) : main.code]).toEqual([null, ends ? true : 130])
      if (ends !== true) expect(main.log).toContain(`Stopped by ${ci === 'github' ? 'SIGINT' : 'SIGTERM'}.`)
      if (outlives) expect(main.log).toMatch(/outlived the scan and were ended\./)
      expect(main.log).toMatch(/Credential: revoked /)
      expectTrueStatements(main.log, proxy)
      const post = await use.post()
      expect(post.code).toBe(0)
      expectTrueStatements(post.log, proxy)
    }),
  )
})
