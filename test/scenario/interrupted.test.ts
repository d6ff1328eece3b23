import { expect, test } from '@jest/globals'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Proxy } from '../cluster/proxy.ts'
import type { Child, Ended } from '../hosts/child.ts'
import { inTerminal, ONE_SECRET, onEachCi, runInTerminal, WHOAMI, type TerminalFixture } from './scenario.ts'

/** The time between two keystrokes of a user. */
const BETWEEN_KEYS_MS = 300

async function begin({ terminal, flags, identityOf }: TerminalFixture, script: string): Promise<{ child: Child; stdin: string }> {
  const stdin = await identityOf('issuer')
  const child = terminal.start(['run', ...flags, '--token-file', '-', '--', 'sh', '-c', script], { stdin })
  await child.seen('started')
  return { child, stdin }
}

/** Sends Ctrl-C again and again, as long as the program runs. */
async function pressing(child: Child, betweenKeysMs = BETWEEN_KEYS_MS): Promise<Ended> {
  for (;;) {
    child.kill('SIGINT')
    const first = await Promise.race([child.ended, delay(betweenKeysMs, undefined, { ref: false })])
    if (first !== undefined) return first
  }
}

/** How often kubepass used the token after its revocation. */
function triesAfterwards(proxy: Proxy): number {
  const deletedAt = Number(proxy.seen('DELETE', ONE_SECRET)[0]?.at)
  return proxy.seen('POST', WHOAMI).filter(({ at }) => Number(at) > deletedAt).length
}

test('after Ctrl-C kubepass revokes, and does not wait for the proof while the API server still accepts the token', () =>
  runInTerminal(
    async (fixture) => {
      const { child } = await begin(fixture, 'kubectl get ns kubepass -o name; echo started; sleep 600')
      child.kill('SIGINT')
      const { code, stderr } = await child.ended
      expect(code).toBe(130)
      expect(stderr).toContain('There was no time for the proof. The API server caches an accepted token for 10 s.')
      expect(stderr).toMatch(/Credential: revoked .*, not proven; dead by/)
      expect(triesAfterwards(fixture.proxy)).toBe(1)
      expect(readdirSync(fixture.terminal.tmp)).toEqual([])
    },
    undefined,
    'real',
  ))

inTerminal('after a second Ctrl-C during an unanswered revocation kubepass ends and prints how to revoke', async (fixture) => {
  const { terminal, flags, proxy } = fixture
  const { child, stdin } = await begin(fixture, 'echo started; sleep 600')
  const stop = proxy.on({ method: 'DELETE', path: ONE_SECRET }, () => 'hang')
  const { code, stderr } = await pressing(child)
  stop()
  expect(code).toBe(86)
  expect(stderr).toContain('The credential could not be revoked.')
  const [state = ''] = readdirSync(terminal.tmp).filter((name) => name.endsWith('.state.json'))
  expect(stderr).toContain(
    `To finish the run, call kubepass revoke ${join(terminal.tmp, state)} with the same flags, variables and kubeconfig.`,
  )
  const revoke = await terminal.run(['revoke', ...flags, '--token-file', '-', join(terminal.tmp, state)], { stdin })
  expect(revoke.code).toBe(0)
})

inTerminal('after a second Ctrl-C kubepass kills a scan that ignores signals, and revokes', async (fixture) => {
  const { child } = await begin(fixture, 'trap "" TERM INT; echo started; while :; do sleep 1; done')
  const { code, stderr } = await pressing(child)
  expect(code).toBe(130)
  expect(stderr).toMatch(/Credential: revoked /)
  expect(fixture.proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)).toEqual([200])
})

inTerminal('kubepass keeps its exit code when Ctrl-C repeats until it has ended', async (fixture) => {
  const { child } = await begin(fixture, 'echo started; sleep 600')
  const { code, stderr } = await pressing(child, 1)
  expect(code).toBe(130)
  expect(stderr).toMatch(/Credential: revoked /)
})

inTerminal('two signals for one Ctrl-C, as npm passes them on, count as one', async (fixture) => {
  const { child } = await begin(fixture, 'echo started; sleep 600')
  child.kill('SIGINT')
  child.kill('SIGTERM')
  const { code, stderr } = await child.ended
  expect([130, 143]).toContain(code)
  expect(stderr).toMatch(/Credential: revoked .*, proven dead/)
})

onEachCi('kubepass waits for the revocation although the runner repeats its signals', async ({ step, proxy }) => {
  const use = step({ command: 'echo started; sleep 600' })
  const phase = use.start('main')
  await phase.seen('started')
  let letGo: () => void = () => undefined
  const pressed = new Promise<void>((resolve) => (letGo = resolve))
  proxy.on({ method: 'DELETE', path: ONE_SECRET, times: 1 }, async () => {
    await pressed
    return undefined
  })
  for (let count = 0; count < 4; count += 1) {
    phase.kill('SIGINT')
    await delay(BETWEEN_KEYS_MS)
  }
  letGo()
  const main = await phase.done
  expect(main.log).toMatch(/Credential: revoked /)
  expect(proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)).toEqual([200])
  expect((await use.post()).code).toBe(0)
})

onEachCi('kubepass keeps its exit code when the runner repeats its signals until it has ended', async ({ step }) => {
  const phase = step({ command: 'echo started; sleep 600' }).start('main')
  await phase.seen('started')
  const signals = setInterval(() => phase.kill('SIGINT'), 1)
  const { code, log } = await phase.done.finally(() => clearInterval(signals))
  expect(code).toBe(130)
  expect(log).toMatch(/Credential: revoked /)
})
