import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:tls'
import { startRandomServer, behaviours } from '../random-http.ts'
import { clusters, onEachCi, onGithub, ONE_SECRET, playOnGithub } from './scenario.ts'

/** Loaded before the program: plays a defect of kubepass. */
function defect(source: string): { nodeOptions: string[] } {
  const script = `import timers from 'node:timers/promises'\nimport { syncBuiltinESMExports } from 'node:module'\n${source}\nsyncBuiltinESMExports()`
  return { nodeOptions: ['--import', `data:text/javascript;base64,${Buffer.from(script).toString('base64')}`] }
}

/** Main waits for it when the later steps have the credential. */
const NEVER_BEHIND_THE_DELIVERY = defect('timers.setImmediate = () => new Promise(() => undefined)')
/** The same wait ends when Node.js has nothing left to do. */
const GOES_ON_BEHIND_THE_DELIVERY = defect('timers.setImmediate = () => new Promise((resolve) => process.once("beforeExit", resolve))')
/** The proof waits by it between two tries. */
const NEVER_IN_THE_PROOF = defect('timers.setTimeout = () => new Promise(() => undefined)')
const THROWN_BEHIND_THE_SCAN = defect(
  'const { setImmediate } = timers\ntimers.setImmediate = async () => { process.nextTick(() => { throw new Error("thrown by nobody") }); await setImmediate() }',
)

onGithub(
  'main that waits for ever fails as a defect, and revokes the credential',
  async ({ step, proxy }) => {
    const main = await step().main()
    expect(main.code).toBe(1)
    expect(main.messages).toEqual([expect.stringMatching(/^The run ended without a result\. This is a defect of kubepass\./)])
    expect(main.log).toMatch(/Error +INTERNAL/)
    expect(proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)).toEqual([200])
  },
  NEVER_BEHIND_THE_DELIVERY,
)

onGithub(
  'main that goes on while its credential is revoked as that of a defect fails all the same',
  async ({ step, proxy }) => {
    const main = await step().main()
    expect(main.code).toBe(1)
    expect(main.messages).toContainEqual(expect.stringMatching(/^The run ended without a result\. This is a defect of kubepass\./))
    expect(proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)).toContain(200)
  },
  GOES_ON_BEHIND_THE_DELIVERY,
)

onGithub(
  'post that waits for ever fails as a defect',
  async ({ step, proxy }) => {
    const use = step()
    expect((await use.main()).code).toBe(0)
    const post = await use.post()
    expect(post.code).toBe(1)
    expect(post.messages).toEqual([expect.stringMatching(/^The run ended without a result\. This is a defect of kubepass\./)])
    expect(proxy.seen('DELETE', ONE_SECRET)[0]?.status).toBe(200)
  },
  NEVER_IN_THE_PROOF,
)

onGithub(
  'an error that nobody catches ends the run as a defect, and the credential is revoked',
  async ({ step, proxy }) => {
    const main = await step({ command: 'echo scanned' }).main()
    expect(main.code).toBe(1)
    expect(main.messages).toEqual([
      expect.stringMatching(/^An error came up outside of the run\. This is a defect of kubepass\.\nCaused by: thrown by nobody\n/),
    ])
    expect(proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)).toEqual([200])
  },
  THROWN_BEHIND_THE_SCAN,
)

onEachCi('101 to the deletion is told, and the net revokes', async ({ step, proxy, ci }) => {
  const stop = proxy.on({ method: 'DELETE' }, () => ({ raw: 'HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n' }))
  const use = step({ command: 'echo scanned', deadline: '3s' })
  const main = await use.main()
  expect(main.code).toBe(86)
  expect(main.messages.at(-1)).toMatch(/could not be revoked.*\nCaused by: No answer from .*101 Switching Protocols/)
  if (ci === 'github') expect((await use.post()).code).toBe(86)
  stop()
  expect((await use.post()).code).toBe(0)
  expect(proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)).toContain(200)
})

test('whatever a server does within HTTP: one outcome, and never success without a scan', async () => {
  const { info } = { info: clusters.quick }
  const [key, cert] = [readFileSync(info.serverKey), readFileSync(info.serverCert)]
  const samples = fc.sample(behaviours, { numRuns: 12 })
  await Promise.all(
    samples.map((behaviour) =>
      playOnGithub(async ({ step }) => {
        const server = await startRandomServer(behaviour, (act) => createServer({ key, cert }, act))
        try {
          const inputs = { server: `https://127.0.0.1:${String(server.port)}`, command: 'echo scanned', deadline: '3s' }
          const main = await step(inputs).main()
          const about = JSON.stringify({ behaviour, code: main.code, log: main.log })
          expect([about, main.code, main.messages.length]).toEqual([about, expect.any(Number), expect.any(Number)])
          expect([about, main.code === 0]).toEqual([about, false])
          expect([about, main.messages.length > 0]).toEqual([about, true])
        } finally {
          await server.close()
        }
      }),
    ),
  )
})
