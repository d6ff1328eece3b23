import { expect } from '@jest/globals'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Evidence } from '../../src/state/evidence.ts'
import { commandOf } from '../hosts/processes.ts'
import { Gateway } from './gateway.ts'
import { inTerminal, ONE_SECRET, onEachCi, onGithub, SECRETS, status, TOKEN, WHOAMI } from './scenario.ts'

onEachCi(
  'kubepass ignores NODE_DEBUG, which makes Node.js print Authorization headers',
  async ({ step, identityOf }) => {
    const use = step({ command: 'true', token: await identityOf('issuer') }, { NODE_DEBUG: 'http,https,tls,child_process' })
    const main = await use.main()
    expect(main.code).toBe(0)
    expect((await use.post()).code).toBe(0)
    expect(main.stderr).not.toMatch(/authorization/i)
  },
  { idToken: false, github: { hostileOrder: true } },
)

onEachCi(
  'kubepass verifies certificates although an earlier step sets NODE_TLS_REJECT_UNAUTHORIZED=0',
  async ({ info, job, step, proxy }) => {
    job.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    const main = await step({ command: 'true', certificate_authority: info.otherCA }).main()
    expect(main.code).toBe(83)
    expect(proxy.exchanges).toEqual([])
  },
)

onGithub('post revokes although the private directory is missing', async ({ step, job }) => {
  const directory = join(job.home, 'place')
  mkdirSync(directory)
  const use = step({ directory })
  await use.main()
  rmSync(directory, { recursive: true })
  const post = await use.post()
  expect(post.code).toBe(0)
  expect(post.log).toMatch(/Credential: revoked .*, not proven/)
})

onGithub('a signal between bound Secret and token makes main delete the bound Secret', async ({ step, proxy }) => {
  const use = step({ command: 'echo ran' })
  proxy.on({ method: 'POST', path: TOKEN, times: 1 }, async () => {
    phase.kill('SIGTERM')
    await phase.done
    return undefined
  })
  const phase = use.start('main')
  const main = await phase.done
  expect(main.code).toBe(143)
  expect(main.log).not.toContain('\nran\n')
  expect((await use.post()).code).toBe(0)
})

onGithub('a signal during the verification, without a command, makes main revoke', async ({ step, proxy }) => {
  const use = step()
  // The proxy holds the answer until main has ended, so that the signal comes first.
  proxy.on({ method: 'POST', path: WHOAMI, when: 'after', times: 1 }, async () => {
    phase.kill('SIGINT')
    await phase.done
    return undefined
  })
  const phase = use.start('main')
  const main = await phase.done
  expect(main.code).toBe(130)
  expect(main.log).toMatch(/Credential: revoked /)
  expect(main.env).toEqual({})
  expect((await use.post()).code).toBe(0)
})

onEachCi('when the answer to the TokenRequest is lost and a gateway refuses the retry, the token is revoked', async ({ step, proxy }) => {
  proxy.on({ method: 'POST', path: TOKEN, when: 'after', times: 1 }, () => 'reset')
  let tries = 0
  proxy.on({ method: 'POST', path: TOKEN }, () => ((tries += 1) > 1 ? status(403, 'Forbidden', 'no more') : undefined))
  const use = step({ command: 'true' })
  const main = await use.main()
  expect(main.code).toBe(82)
  expect(main.log).toMatch(/Credential: revoked 20/)
  expect((await use.post()).code).toBe(0)
})

onEachCi('after a 403 of a gateway post does not assume that nothing exists, and deletes the bound Secret', async ({ step, proxy }) => {
  const stop = proxy.on({ method: 'POST', path: SECRETS, when: 'after' }, () => ({
    status: 403,
    headers: { 'content-type': 'text/html' },
    body: 'no',
  }))
  const use = step({ command: 'true' })
  const main = await use.main()
  expect(main.code).toBe(83)
  stop()
  expect((await use.post()).code).toBe(0)
  expect(proxy.seen('DELETE', ONE_SECRET)[0]?.status).toBe(200)
})

onEachCi(
  'kubepass does not report a token as revoked that the API server still accepts after the deletion of its Secret',
  async ({ step, proxy }) => {
    const lie = proxy.on({ method: 'DELETE', path: ONE_SECRET }, ({ path }) => {
      const [boundSecret] = proxy.seen('POST', SECRETS).map(({ responseBody }) => JSON.parse(responseBody) as { metadata: { uid: string } })
      const details = { name: path.split('/').at(-1), kind: 'secrets', uid: boundSecret?.metadata.uid }
      return { status: 200, body: JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details }) }
    })
    const use = step({ command: 'true' })
    const main = await use.main()
    expect(main.code).toBe(86)
    expect(main.messages.at(-1)).toMatch(/The API server still accepts the token, although its Secret is deleted\. The token is dead by 20/)
    lie()
    expect((await use.post()).code).toBe(0)
  },
)

onEachCi("a gateway's 401 does not count as a proof", async ({ step, proxy }) => {
  const main = step({ command: 'true', deadline: '5s' })
  let reviews = 0
  proxy.on({ method: 'POST', path: WHOAMI }, () =>
    (reviews += 1) > 1 ? { status: 401, headers: { 'content-type': 'text/html' }, body: 'log in' } : undefined,
  )
  const result = await main.main()
  expect(result.code).toBe(0)
  expect(result.log).toMatch(/Credential: revoked .*, not proven/)
  expect(result.messages[0]).toContain('gave no clear answer')
})

onGithub("prove: post keeps main's evidence and adds the proof", async ({ step, job }) => {
  const evidence = join(job.workspace, 'evidence.json')
  const use = step({ command: 'exit 3', delivery: 'kubeconfig', prove: 'post', evidence })
  expect((await use.main()).code).toBe(3)
  expect((await use.post()).code).toBe(0)
  expect(JSON.parse(readFileSync(evidence, 'utf8')) as Evidence).toMatchObject({
    used: { exit_code: 3 },
    proven: { samples: 3 },
    granted: {},
    verified: {},
  })
})

onEachCi('all requests go through the proxy of proxy_url', async ({ step, proxy, job }) => {
  // With the API proxy the request of the scan comes from kubepass, and otherwise from kubectl.
  for (const delivery of ['auto', 'kubeconfig']) {
    using gateway = await Gateway.start()
    const before = proxy.exchanges.length
    const main = await step({ command: 'kubectl get ns kubepass -o name', proxy_url: gateway.url, delivery }).main()
    expect(main.log).toContain('namespace/kubepass')
    expect(main.code).toBe(0)
    expect(new Set(gateway.targets)).toEqual(new Set([new URL(proxy.url).host]))
    // Each connection to the API server came by the gateway.
    expect(gateway.targets).toHaveLength(new Set(proxy.exchanges.slice(before).map(({ connection }) => connection)).size)
  }
  expect(job.phases).toHaveLength(2)
})

onGithub(
  "the hint about the certificate of an https proxy does not ask for the API server's CA only",
  async ({ info, step, identityOf }) => {
    using gateway = await Gateway.start({ key: readFileSync(info.serverKey), cert: readFileSync(info.serverCert) })
    const inputs = { command: 'true', proxy_url: gateway.url, token: await identityOf('issuer') }
    // The simulated runner trusts the CA of the tests.
    const main = await step(inputs, { NODE_EXTRA_CA_CERTS: '' }).main()
    expect(main.code).toBe(83)
    expect(main.annotations[0]?.message).toMatch(
      /does not verify: .*If the proxy, whose URL is https, sent this certificate: .*NODE_EXTRA_CA_CERTS/,
    )
    expect(gateway.targets).toEqual([])
  },
  { idToken: false },
)

onGithub(
  'the hint distinguishes a server that requires a client certificate from one whose certificate does not verify',
  async ({ info, step }) => {
    const [key, cert, ca] = [info.serverKey, info.serverCert, info.ca].map((path) => readFileSync(path))
    const server = createTlsServer({ key, cert, ca, requestCert: true, rejectUnauthorized: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const main = await step({ command: 'true', server: `https://127.0.0.1:${String(port)}` }).main()
    expect(main.code).toBe(83)
    expect(main.annotations[0]?.message).toMatch(
      /CERTIFICATE_REQUIRED\.\nThe server requires a client certificate, or rejected the one that it got/,
    )
    server.close()
  },
)

inTerminal('in a terminal a slow reader gets all output of the scan', async ({ terminal, flags, identityOf }) => {
  const script = `"$0" "$@" | (sleep 2; wc -l)`
  const inner = ['run', ...flags, '--token-file', '-', '--', 'seq', '1', '60000']
  const { stdout } = await terminal.shell(script, inner, { stdin: await identityOf('issuer') })
  expect(stdout.trim()).toBe('60000')
})

inTerminal('in a terminal kubepass revokes although the reader of its output is gone', async ({ terminal, flags, identityOf, proxy }) => {
  const inner = ['run', ...flags, '--token-file', '-', '--', 'sh', '-c', 'seq 1 100000; sleep 0.2; seq 1 100000']
  const { stderr } = await terminal.shell('"$0" "$@" | head -1', inner, { stdin: await identityOf('issuer') })
  expect(stderr).toMatch(/revoked .*, proven dead/)
  expect(proxy.seen('DELETE', ONE_SECRET)).toMatchObject([{ status: 200 }])
})

inTerminal('in a terminal SIGHUP ends the scan and revokes', async ({ terminal, flags, identityOf }) => {
  const child = terminal.start(['run', ...flags, '--token-file', '-', '--', 'sh', '-c', 'echo started; sleep 600'], {
    stdin: await identityOf('issuer'),
  })
  await child.seen('started')
  child.kill('SIGHUP')
  expect((await child.ended).code).toBe(129)
})

inTerminal("SIGUSR1 does not open Node.js's debugger", async ({ terminal, flags, identityOf }) => {
  const go = join(terminal.home, 'go')
  const command = `echo started; until [ -f ${go} ]; do sleep 0.05; done`
  const child = terminal.start(['run', ...flags, '--token-file', '-', '--', 'sh', '-c', command], { stdin: await identityOf('issuer') })
  await child.seen('started')
  child.kill('SIGUSR1')
  writeFileSync(go, '')
  const { code, stderr } = await child.ended
  expect(code).toBe(0)
  expect(stderr).not.toContain('Debugger')
})

/** A process that kubepass cannot find: it has left the scan's group and session, and has an empty environment. Each round is one write. */
function stray(file: string, between = ':'): string {
  const lines = ['::add-mask::of the stray', '::set-output name=stray::yes', '::error::of the stray', '::stop-commands::of the stray']
  const round = [...lines, ...lines.map((line) => `x${line}`), lines.join('')].join('\\n')
  const script = `echo $$ > ${file}.next; mv ${file}.next ${file}; while :; do printf '${round}'; ${between}; done`
  return `env -i /usr/bin/setsid -f /bin/sh -c "${script.replaceAll(/[$"\\]/g, '\\$&')}"; until [ -s ${file} ]; do :; done`
}

const lives = (pid: number): boolean => commandOf(pid).join(' ').includes('of the stray')
const OURS = /^(add-mask|stop-commands|warning|error|[0-9a-f-]{36})$/

onEachCi('a stray process that floods the outputs with workflow commands does not delay the revocation', async ({ step, job, proxy }) => {
  const file = join(job.home, 'pid')
  let lived: boolean | undefined
  proxy.on({ method: 'DELETE', path: ONE_SECRET, times: 1 }, () => {
    const pid = Number(readFileSync(file, 'utf8'))
    lived = lives(pid)
    process.kill(pid, 'SIGKILL')
    return undefined
  })
  const main = await step({ command: stray(file), isolate: 'off' }).main()
  expect(main.code).toBe(0)
  // The process still had its outputs: without them it would have ended.
  expect(lived).toBe(true)
  expect(main.messages).toEqual([])
  expect(main.log).toMatch(/Credential: revoked .*, proven dead/)
})

for (const [duration, pause, ends] of [
  ['until the revocation', 'sleep 0.01', true],
  ['for as long as it is read', 'sleep 0.05', false],
] as const)
  onGithub(
    `no workflow command of a stray process that writes them ${duration} has an effect, and the ID token for the revocation is masked`,
    async ({ step, job, proxy }) => {
      const file = join(job.home, 'pid')
      let idTokensAtRevocation = 0
      proxy.on({ method: 'DELETE', path: ONE_SECRET, times: 1 }, () => {
        idTokensAtRevocation = job.idTokens.tokens.length
        if (ends) process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL')
        return undefined
      })
      const phase = step({ command: `${stray(file, pause)}; echo scanned`, isolate: 'off' }).start('main')
      await phase.seen('scanned')
      const before = job.idTokens.tokens.length
      const main = await phase.done
      expect(main.code).toBe(0)
      expect(idTokensAtRevocation).toBeGreaterThan(before)
      expect(main.masks).toEqual(expect.arrayContaining(job.idTokens.tokens))
      expect(main.masks.join()).not.toContain('of the stray')
      expect(main.commands.map(({ name }) => name).filter((name) => !OURS.test(name))).toEqual([])
      expect(main.outputs).toEqual({ exit_code: '0' })
      expect(main.annotations).toEqual([])
      // More output may follow, so the runner must go on ignoring commands.
      expect(main.commands.at(-1)?.name === 'stop-commands').toBe(!ends)
      expect((await step().post()).code).toBe(0)
    },
    // The ID token lives too short to be used again, so kubepass requests another one.
    {
      claims: {
        get exp() {
          return Math.floor(Date.now() / 1000) + 59
        },
      },
    },
  )
