import { expect, test } from '@jest/globals'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Proxy } from '../cluster/proxy.ts'
import type { Child, Ended } from '../hosts/child.ts'
import { inTerminal, ONE_SECRET, onEachCi, playInTerminal, WHOAMI, type TerminalScene } from './scenario.ts'

/** The time between two keys that a person presses. */
const BETWEEN_KEYS_MS = 300

async function begin({ terminal, flags, identityOf }: TerminalScene, script: string): Promise<{ child: Child; stdin: string }> {
  const stdin = await identityOf('issuer')
  const child = terminal.start(['run', ...flags, '--token-file', '-', '--', 'sh', '-c', script], { stdin })
  await child.seen('started')
  return { child, stdin }
}

/** Ctrl-C, over and over, as long as the program runs. */
async function pressing(child: Child, betweenKeysMs = BETWEEN_KEYS_MS): Promise<Ended> {
  for (;;) {
    child.kill('SIGINT')
    const first = await Promise.race([child.ended, delay(betweenKeysMs, undefined, { ref: false })])
    if (first !== undefined) return first
  }
}

/** How often the token was tried after its revocation. */
function triesAfterwards(proxy: Proxy): number {
  const deletedAt = Number(proxy.seen('DELETE', ONE_SECRET)[0]?.at)
  return proxy.seen('POST', WHOAMI).filter(({ at }) => Number(at) > deletedAt).length
}

test('Ctrl-C, and the API server believes the token for 10 s: it is revoked, and the proof is not waited for', () =>
  playInTerminal(
    async (scene) => {
      const { child } = await begin(scene, 'kubectl get ns kubepass -o name; echo started; sleep 600')
      child.kill('SIGINT')
      const { code, stderr } = await child.ended
      expect(code).toBe(130)
      expect(stderr).toContain('There was no time for the proof. The API server believes an accepted token for 10 s.')
      expect(stderr).toMatch(/Credential: revoked .*, not proven; dead by/)
      expect(triesAfterwards(scene.proxy)).toBe(1)
      expect(readdirSync(scene.terminal.tmp)).toEqual([])
    },
    undefined,
    'real',
  ))

inTerminal('Ctrl-C twice, and the revocation is not answered: it ends, and says how to revoke', async (scene) => {
  const { terminal, flags, proxy } = scene
  const { child, stdin } = await begin(scene, 'echo started; sleep 600')
  const stop = proxy.on({ method: 'DELETE', path: ONE_SECRET }, () => 'hang')
  const { code, stderr } = await pressing(child)
  stop()
  expect(code).toBe(86)
  expect(stderr).toContain('The credential could not be revoked.')
  const [state = ''] = readdirSync(terminal.tmp).filter((name) => name.endsWith('.state.json'))
  expect(stderr).toContain(`kubepass revoke, with the same flags, and the run state ${join(terminal.tmp, state)}`)
  const revoke = await terminal.run(['revoke', ...flags, '--token-file', '-', join(terminal.tmp, state)], { stdin })
  expect(revoke.code).toBe(0)
})

inTerminal('Ctrl-C twice, and the scan does not want to end: it is killed, and the credential revoked', async (scene) => {
  const { child } = await begin(scene, 'trap "" TERM INT; echo started; while :; do sleep 1; done')
  const { code, stderr } = await pressing(child)
  expect(code).toBe(130)
  expect(stderr).toMatch(/Credential: revoked /)
  expect(scene.proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)).toEqual([200])
})

inTerminal('Ctrl-C is held down until the process is gone: the exit code is still that of the run', async (scene) => {
  const { child } = await begin(scene, 'echo started; sleep 600')
  const { code, stderr } = await pressing(child, 1)
  expect(code).toBe(130)
  expect(stderr).toMatch(/Credential: revoked /)
})

inTerminal('two signals for one key, as npm passes them on, are one', async (scene) => {
  const { child } = await begin(scene, 'echo started; sleep 600')
  child.kill('SIGINT')
  child.kill('SIGTERM')
  const { code, stderr } = await child.ended
  expect([130, 143]).toContain(code)
  expect(stderr).toMatch(/Credential: revoked .*, proven dead/)
})

onEachCi('a runner sends its signals again: the revocation is still waited for', async ({ step, proxy }) => {
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

onEachCi('a runner sends its signals until the process is gone: the exit code is still that of the run', async ({ step }) => {
  const phase = step({ command: 'echo started; sleep 600' }).start('main')
  await phase.seen('started')
  const signals = setInterval(() => phase.kill('SIGINT'), 1)
  const { code, log } = await phase.done.finally(() => clearInterval(signals))
  expect(code).toBe(130)
  expect(log).toMatch(/Credential: revoked /)
})
