import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:tls'
import { startRandomServer, behaviours } from '../random-http.ts'
import { clusters, onEachCi, onGithub, ONE_SECRET, runOnGithub } from './scenario.ts'

/** A module that Node.js loads before the program, and that simulates a defect of kubepass. */
function defect(source: string): { nodeOptions: string[] } {
  const script = `import timers from 'node:timers/promises'\nimport { syncBuiltinESMExports } from 'node:module'\n${source}\nsyncBuiltinESMExports()`
  return { nodeOptions: ['--import', `data:text/javascript;base64,${Buffer.from(script).toString('base64')}`] }
}

/** Main waits for this promise when the later steps have the credential. */
const NEVER_BEHIND_THE_DELIVERY = defect('timers.setImmediate = () => new Promise(() => undefined)')
/** The same wait, but Node.js ends because its event loop is empty. */
const GOES_ON_BEHIND_THE_DELIVERY = defect('timers.setImmediate = () => new Promise((resolve) => process.once("beforeExit", resolve))')
/** The proof uses this timer between two attempts. */
const NEVER_IN_THE_PROOF = defect('timers.setTimeout = () => new Promise(() => undefined)')
/** The first wait is before the start of the API proxy, the second one behind the scan. */
const THROWN_BEHIND_THE_SCAN = defect(
  `const { setImmediate } = timers
   let waits = 0
   timers.setImmediate = async () => { if (++waits === 2) process.nextTick(() => { throw new Error("thrown by nobody") }); await setImmediate() }`,
)

onGithub(
  'main whose promise never settles fails with the code for a defect, and revokes',
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
  'main that goes on while the handler of the defect revokes fails all the same',
  async ({ step, proxy }) => {
    const main = await step().main()
    expect(main.code).toBe(1)
    expect(main.messages).toContainEqual(expect.stringMatching(/^The run ended without a result\. This is a defect of kubepass\./))
    expect(proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)).toContain(200)
  },
  GOES_ON_BEHIND_THE_DELIVERY,
)

onGithub(
  'post whose promise never settles fails with the code for a defect',
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
  'an uncaught error fails the run with the code for a defect, and kubepass revokes',
  async ({ step, proxy }) => {
    const main = await step({ command: 'echo scanned' }).main()
    expect(main.code).toBe(1)
    expect(main.messages).toEqual([
      expect.stringMatching(/^An error occurred outside of the run\. This is a defect of kubepass\.\nCaused by: thrown by nobody\n/),
    ])
    expect(proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)).toEqual([200])
  },
  THROWN_BEHIND_THE_SCAN,
)

onEachCi('when a server answers 101 to the deletion, kubepass reports that, and post revokes', async ({ step, proxy, ci }) => {
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

test('any HTTP behaviour of the server gives one outcome, and never success without a scan', async () => {
  const { info } = { info: clusters.quick }
  const [key, cert] = [readFileSync(info.serverKey), readFileSync(info.serverCert)]
  const samples = fc.sample(behaviours, { numRuns: 12 })
  await Promise.all(
    samples.map((behaviour) =>
      runOnGithub(async ({ step }) => {
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
