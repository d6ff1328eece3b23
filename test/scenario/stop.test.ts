import { expect } from '@jest/globals'
import { processesWith } from '../hosts/orphans.ts'
import { LOST_WITH_MAIN, type GithubFixture, killWhileScanning, ONE_SECRET, onGithub, status } from './scenario.ts'
import { requestBoundaries } from './request-boundaries.ts'

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  onGithub(`after ${signal} main ends the scan and revokes within 5 s, and post proves`, async ({ step, proxy }) => {
    const use = step({ command: 'trap "" TERM; echo started; sleep 600 & wait; sleep 600' })
    const phase = use.start('main')
    await phase.seen('started')
    const before = Date.now()
    phase.kill(signal)
    const main = await phase.done
    expect(main.code).toBe(code)
    expect(Date.now() - before).toBeLessThan(5_000)
    expect(main.log).toContain(`Stopped by ${signal}.`)
    expect(main.log).toMatch(/Credential: revoked /)
    expect(proxy.seen('DELETE', ONE_SECRET)).toHaveLength(1)
    const post = await use.post()
    expect(post.code).toBe(0)
    expect(post.log).toContain('proven dead')
  })
}

for (const [delivery, end] of Object.entries({ auto: 'post cannot prove', kubeconfig: 'post proves when the cache has expired' }))
  onGithub(
    `with delivery: ${delivery}, a cancelled GitHub job revokes and removes its files in time, and ${end}`,
    async ({ step, proxy }) => {
      const use = step({ command: 'kubectl get ns; echo started; sleep 600', delivery })
      const phase = use.start('main')
      await phase.seen('started')
      const before = Date.now()
      const main = await phase.cancel()
      expect(Number(proxy.seen('DELETE', ONE_SECRET)[0]?.at) - before).toBeLessThan(5_000)
      // After that time the runner would send its second signal.
      expect(Date.now() - before).toBeLessThan(7_500)
      expect(main.code).toBe(130)
      expect(main.log).toContain('There was no time for the proof.')
      const post = await use.post()
      expect(post.code).toBe(0)
      expect(post.log).toMatch(delivery === 'auto' ? /Credential: revoked .*, not proven; dead by / : /proven dead .*\(3 refusals/)
      expect(proxy.tokens).toHaveLength(1)
    },
    { cluster: 'real' },
  )

for (const [boundary, matcher] of Object.entries(requestBoundaries)) {
  onGithub(`post removes everything after a SIGKILL ${boundary}`, async ({ step, proxy }: GithubFixture) => {
    const use = step({ command: 'true' })
    let kill: () => void = () => undefined
    const dead = new Promise<void>((resolve) => (kill = resolve))
    proxy.on({ ...matcher, times: 1 }, async () => {
      kill()
      await phase.done
      return undefined
    })
    const phase = use.start('main')
    await dead
    phase.kill('SIGKILL')
    expect((await phase.done).signal).toBe('SIGKILL')
    const post = await use.post()
    expect(post.code).toBe(0)
    if (boundary === 'before the bound Secret' || boundary === 'after the revocation')
      expect(post.log).toMatch(/does not exist: .*dead by 20/)
    else expect(post.log).toMatch(boundary === 'after the bound Secret' ? /Credential: none was issued/ : /Credential: revoked /)
  })
}

for (const [delivery, [does, end]] of Object.entries({
  auto: ['says that the token was only in the memory of main', LOST_WITH_MAIN],
  kubeconfig: ['proves', /Credential: revoked .*, proven dead/],
} as const))
  onGithub(
    `with delivery: ${delivery}, SIGKILL while the scan runs: post ends the scan, revokes and ${does}`,
    async ({ step, job }) => {
      const use = step({ command: 'echo started; sleep 600', delivery })
      await killWhileScanning(use)
      expect(await processesWith(job.trackingId)).not.toEqual([])
      const post = await use.post()
      expect(post.code).toBe(0)
      expect(post.log).toMatch(/outlived the scan and were ended/)
      expect(post.log).toMatch(end)
    },
    // The scan keeps the output open, for which the runner waits in vain.
    { patience: { drain: 200 } },
  )

onGithub('post can run three times', async ({ step, proxy }) => {
  const use = step()
  await use.main()
  for (const again of [false, true, true]) {
    const post = await use.post()
    expect(post.code).toBe(0)
    expect(post.annotations).toEqual([])
    expect(post.log).toContain('proven dead')
    expect(post.summary === '').toBe(again)
  }
  expect(proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)).toEqual([200, 404, 404])
})

onGithub('post without main has nothing to do', async ({ step, proxy }) => {
  const post = await step().post()
  expect(post.code).toBe(0)
  expect(post.log).toContain('There is no run state. If main issued a credential, it is not revoked here')
  expect(proxy.exchanges).toEqual([])
})

onGithub('a scan that gets SIGTERM has time to clean up, and so have its child processes', async ({ step }) => {
  const child = "(trap 'echo cleaned; exit 0' TERM; echo started; while :; do sleep 0.05; done)"
  const phase = step({ command: `trap 'wait; exit 9' TERM; ${child} & wait` }).start('main')
  await phase.seen('started')
  const main = await phase.cancel()
  expect(main.code).toBe(130)
  expect(main.log).toContain('\ncleaned\n')
})

onGithub('the exit code of a cancelled job whose revocation failed is that of the revocation', async ({ step, proxy }) => {
  const stop = proxy.on({ method: 'DELETE', path: ONE_SECRET }, () => status(401, 'Unauthorized', 'Unauthorized'))
  const use = step({ command: 'echo started; sleep 600' })
  const phase = use.start('main')
  await phase.seen('started')
  expect((await phase.cancel()).code).toBe(86)
  stop()
  expect((await use.post()).code).toBe(0)
})
