import { expect, test } from '@jest/globals'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Evidence } from '../../src/state/evidence.ts'
import { admin } from '../cluster/admin.ts'
import type { Disturbance, Exchange, Proxy } from '../cluster/proxy.ts'
import type { Job } from '../hosts/host.ts'
import {
  credentialIdOf,
  LOST_WITH_MAIN,
  runInTerminal,
  runOnGithub,
  runOnGitlab,
  SECRETS,
  status,
  TOKEN,
  WHOAMI,
  type CiFixture,
  type CiFixtureOptions,
  type GithubFixture,
  type GitlabFixture,
  type TerminalFixture,
} from './scenario.ts'

const schema = JSON.parse(readFileSync(new URL('../../docs/evidence.schema.json', import.meta.url), 'utf8')) as object
const conforms = new Ajv2020({ allowUnionTypes: true, formats: { 'date-time': true, uri: true } }).compile(schema)

const PATIENCE_MS = 180_000

// The tests run at the same time, because they wait most of the time.
const { concurrent } = test

function onGithub(name: string, scenario: (fixture: GithubFixture) => Promise<void>, options: CiFixtureOptions['github'] = {}): void {
  concurrent(name, () => runOnGithub(scenario, options), PATIENCE_MS)
}

function onGitlab(name: string, scenario: (fixture: GitlabFixture) => Promise<void>, options: CiFixtureOptions['gitlab'] = {}): void {
  concurrent(name, () => runOnGitlab(scenario, options), PATIENCE_MS)
}

function inTerminal(name: string, scenario: (fixture: TerminalFixture) => Promise<void>): void {
  concurrent(name, () => runInTerminal(scenario), PATIENCE_MS)
}

function onEachCi(name: string, scenario: (fixture: CiFixture) => Promise<void>): void {
  onGithub(`on GitHub: ${name}`, (fixture) => scenario({ ...fixture, ci: 'github' }))
  onGitlab(`on GitLab: ${name}`, (fixture) => scenario({ ...fixture, ci: 'gitlab' }))
}

/** Waits until the condition is true. */
async function until(holds: () => boolean): Promise<void> {
  for (const end = Date.now() + PATIENCE_MS / 2; !holds(); await delay(50)) if (Date.now() > end) throw new Error('it never was so')
}

/** The file that makes the scan end. */
function goOf(job: Job): { file: string; give: () => void } {
  const file = join(job.home, 'go')
  return { file, give: () => writeFileSync(file, '') }
}

/** The tokens that the scan gets, in order. In proxy.tokens each issued token is followed by the scan's copy with a shorter life. */
function shortened({ tokens }: Proxy): string[] {
  return tokens.filter((_, index) => index % 2 === 1)
}

function boundSecretNamesOf(proxy: Proxy): string[] {
  return proxy
    .seen('POST', SECRETS)
    .filter(({ status: answer }) => answer === 201)
    .map(({ responseBody }) => (JSON.parse(responseBody) as { metadata: { name: string } }).metadata.name)
}

function deletionsOf(proxy: Proxy, boundSecret = ''): Exchange[] {
  return proxy.seen('DELETE', new RegExp(`/secrets/${boundSecret}$`))
}

/** Reacts from the second TokenRequest on: the first one is not a renewal. */
function onRenewal(react: (exchange: Exchange) => Disturbance | Promise<undefined>, times = Infinity) {
  let seen = 0
  return (exchange: Exchange): ReturnType<typeof react> => {
    seen += 1
    return seen > 1 && seen <= times + 1 ? react(exchange) : undefined
  }
}

/** Reads both files in a loop, and reports a file that is not complete. */
const READER = `
  const { readFileSync, existsSync } = require('node:fs')
  const { KUBECONFIG, GO } = process.env
  while (!existsSync(GO)) {
    const text = readFileSync(KUBECONFIG, 'utf8')
    const { tokenFile, token } = JSON.parse(text).users[0].user
    for (const whole of [token, readFileSync(tokenFile, 'utf8')])
      if (!/^[\\w-]+\\.[\\w-]+\\.[\\w-]{342}$/.test(whole)) throw new Error('torn')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2)
  }
  console.log('never torn')`

onEachCi(
  'with delivery: kubeconfig, kubectl works at any time across two renewals, and every issued token is dead at the end',
  async ({ ci, step, proxy, job }) => {
    proxy.shortTokens(16)
    const go = goOf(job)
    const lines = [
      `export GO=${go.file} READER`,
      'node -e "$READER" & reader=$!',
      // The output has no line end: the messages of kubepass to the runner must not depend on one.
      `until [ -f ${go.file} ]; do printf 'looking '; kubectl get ns kubepass -o name; cat "$(dirname "$KUBECONFIG")/token"; sleep 0.3; done`,
      'wait $reader',
    ]
    const file = ci === 'github' ? 'evidence.json' : 'kubepass-reports/evidence.json'
    const evidence = join(job.workspace, file)
    const inputs = { command: lines.join('\n'), delivery: 'kubeconfig', evidence: ci === 'github' ? evidence : file, pass_env: 'READER' }
    const phase = step(inputs, { READER }).start('main')
    const bearersOfKubectl = (): string[] =>
      proxy.exchanges.filter(({ userAgent }) => userAgent.startsWith('kubectl')).map(({ bearer }) => bearer)
    await until(() => bearersOfKubectl().length > 0 && bearersOfKubectl().at(-1) === shortened(proxy)[2])
    const [first = ''] = boundSecretNamesOf(proxy)
    await until(() => deletionsOf(proxy, first).length > 0)
    go.give()
    const main = await phase.done
    expect([main.code, main.messages]).toEqual([0, [expect.stringMatching(/^The credential lives 16 s, shorter than/)]])
    expect(main.log).toContain('never torn')
    expect(main.log).toMatch(/From 20\S+Z on the credential is renewed\. .*InSpec, .* for them duration must be as long as the scan\.\n/)
    expect(main.log.match(/Renewed the credential/g)?.length).toBe(shortened(proxy).length - 1)
    expect(main.log).toMatch(/Credential: revoked .*, proven dead/)
    expect([...new Set(bearersOfKubectl())]).toEqual(shortened(proxy).slice(0, new Set(bearersOfKubectl()).size))
    const refused = proxy.exchanges.filter(({ userAgent, status: answer }) => userAgent.startsWith('kubectl') && answer !== 200)
    expect(refused).toEqual([])
    // The first token lives until it expires, also after its replacement. It expires before a renewal needs its name again.
    const placeOf = (exchange: Exchange | undefined): number => (exchange === undefined ? NaN : proxy.exchanges.indexOf(exchange))
    expect(placeOf(deletionsOf(proxy, first)[0])).toBeLessThan(placeOf(proxy.seen('POST', SECRETS)[2]))
    const [token = ''] = proxy.seen('POST', TOKEN)
    expect(deletionsOf(proxy, first)[0]?.at.getTime()).toBeGreaterThanOrEqual(token === '' ? Infinity : token.at.getTime() + 15_900)
    const record = JSON.parse(readFileSync(evidence, 'utf8')) as Evidence
    expect([conforms(record), conforms.errors]).toEqual([true, null])
    const credentialIds = [record.granted, ...record.renewed].map((granted) => granted?.credential_id)
    expect(credentialIds).toEqual(shortened(proxy).map(credentialIdOf))
    expect(record.renewed.map((granted) => granted.bound_to)).toEqual(boundSecretNamesOf(proxy).slice(1))
    for (const id of credentialIds) expect(main.log).toContain(id ?? 'without an id')
    for (const boundSecret of boundSecretNamesOf(proxy))
      expect(deletionsOf(proxy, boundSecret).map(({ status: answer }) => answer)).toContain(200)
  },
)

/** Reads the kubeconfig once, as clients in Python and JavaScript do. */
const READS_ONCE = `
  const { readFileSync, existsSync } = require('node:fs')
  const { request } = require('node:https')
  const { KUBECONFIG, GO } = process.env
  const { clusters, users } = JSON.parse(readFileSync(KUBECONFIG, 'utf8'))
  const { server, 'certificate-authority-data': ca } = clusters[0].cluster
  const headers = { authorization: 'Bearer ' + users[0].user.token, 'user-agent': 'reads-once' }
  const url = server + '/api/v1/namespaces/kubepass'
  function ask() {
    if (existsSync(GO)) return console.log('never refused')
    const sent = request(url, { ca: Buffer.from(ca, 'base64'), headers }, (answer) => {
      if (answer.statusCode !== 200) throw new Error('refused with ' + answer.statusCode)
      answer.resume().on('end', () => setTimeout(ask, 20))
    })
    sent.end()
  }
  ask()`

/** kubepass' own requests, in the words of a run. */
function ownCalls({ exchanges }: Proxy): string[] {
  const words = { [`POST ${SECRETS.source}`]: 'create', [`POST ${TOKEN.source}`]: 'issue', [`POST ${WHOAMI.source}`]: 'verify' }
  return exchanges
    .filter(({ userAgent }) => userAgent.startsWith('kubepass/'))
    .map(({ method, path }) => {
      const [, word] = Object.entries(words).find(([call]) => call.startsWith(method) && new RegExp(call.slice(5)).test(path)) ?? []
      return word ?? method
    })
}

onEachCi(
  'through the API proxy, kubectl and a client that reads the kubeconfig once work across two renewals, and each old token dies soon',
  async ({ ci, step, proxy, job }) => {
    proxy.shortTokens(16)
    const go = goOf(job)
    const lines = [
      `GO=${go.file} node -e "$CLIENT" & client=$!`,
      `until [ -f ${go.file} ]; do kubectl get ns kubepass -o name; sleep 0.3; done`,
      'wait $client',
    ]
    const file = ci === 'github' ? 'evidence.json' : 'kubepass-reports/evidence.json'
    const phase = step({ command: lines.join('\n'), evidence: file, pass_env: 'CLIENT' }, { CLIENT: READS_ONCE }).start('main')
    const sentBy = (client: string): Exchange[] => proxy.exchanges.filter(({ userAgent }) => userAgent.startsWith(client))
    const bearersOf = (client: string): string[] => [...new Set(sentBy(client).map(({ bearer }) => bearer))]
    const clients = ['kubectl', 'reads-once']
    await until(() => clients.every((client) => bearersOf(client).length === 3))
    const [, second = ''] = boundSecretNamesOf(proxy)
    await until(() => deletionsOf(proxy, second)[0]?.status === 200)
    const cycle = ['create', 'issue', 'verify']
    const early = ownCalls(proxy).slice(0, 11)
    go.give()
    const main = await phase.done
    expect([main.code, main.messages]).toEqual([0, [expect.stringMatching(/^The credential lives 16 s, shorter than/)]])
    expect(main.log).toContain('never refused')
    expect(main.log).not.toContain('on the credential is renewed')
    expect(main.log.match(/Renewed the credential/g)?.length).toBe(shortened(proxy).length - 1)
    for (const client of clients) {
      expect(bearersOf(client)).toEqual(shortened(proxy).slice(0, bearersOf(client).length))
      expect(new Set(sentBy(client).map(({ status: answer }) => answer))).toEqual(new Set([200]))
    }
    expect(early).toEqual([...cycle, ...cycle, 'DELETE', ...cycle, 'DELETE'])
    expect(proxy.seen('DELETE', /\/secrets\//).map(({ path }) => path.split('/').at(-1))).toEqual(boundSecretNamesOf(proxy))
    expect(main.log).toMatch(/Credential: revoked .*, proven dead/)
    const record = JSON.parse(readFileSync(join(job.workspace, file), 'utf8')) as Evidence
    expect([conforms(record), conforms.errors]).toEqual([true, null])
    expect([record.granted, ...record.renewed].map((granted) => granted?.credential_id)).toEqual(shortened(proxy).map(credentialIdOf))
    const asked = clients.reduce((count, client) => count + sentBy(client).length, 0)
    expect(record.api_access).toMatchObject({ requests: asked, unauthenticated: 0, not_listed: 0 })
  },
)

onGithub('a long-running Go client uses the new token after a renewal and gets no 401', async ({ step, proxy, job }) => {
  proxy.shortTokens(60)
  const go = goOf(job)
  const socket = join(job.tmp, 'kubectl.sock')
  const lines = [
    `kubectl proxy --unix-socket=${socket} >/dev/null & client=$!`,
    `until [ -S ${socket} ]; do sleep 0.1; done`,
    `until [ -f ${go.file} ]; do curl -sSf --unix-socket ${socket} http://localhost/api/v1/namespaces/kubepass >/dev/null; sleep 0.5; done`,
    `kill $client; wait $client || true; rm -f ${socket}`,
  ]
  const phase = step({ command: lines.join('\n'), delivery: 'kubeconfig' }).start('main')
  await until(() => proxy.exchanges.some(({ userAgent, bearer }) => userAgent.startsWith('curl') && bearer === shortened(proxy)[1]))
  go.give()
  const main = await phase.done
  expect(main.code).toBe(0)
  const answers = proxy.exchanges.filter(({ userAgent }) => userAgent.startsWith('curl'))
  expect(new Set(answers.map(({ status: answer }) => answer))).toEqual(new Set([200]))
  expect(new Set(answers.map(({ bearer }) => bearer))).toEqual(new Set(shortened(proxy).slice(0, 2)))
})

onEachCi('a refused renewal gives a warning with the remaining time, and a later attempt succeeds', async ({ ci, step, proxy, job }) => {
  proxy.shortTokens(30)
  const go = goOf(job)
  proxy.on(
    { method: 'POST', path: TOKEN },
    onRenewal(() => status(403, 'Forbidden', 'not now'), 2),
  )
  const phase = step({ command: `until [ -f ${go.file} ]; do printf 'looking '; sleep 0.1; done` }).start('main')
  await phase.seen('Renewed the credential')
  go.give()
  const main = await phase.done
  expect(main.code).toBe(0)
  expect(main.messages).toEqual([
    expect.stringContaining('shorter than'),
    expect.stringMatching(
      /^The scan's credential expires in (?:[4-9]|10) s, and could not be renewed yet\. The API server refused .* 403 "not now"/,
    ),
  ])
  if (ci === 'github') expect(main.log).toContain("##[warning]The scan's credential expires")
  expect(main.log).toMatch(/Credential: revoked .*, proven dead/)
})

onEachCi('a renewal that fails until the token expires gives two warnings, and the scan goes on', async ({ step, proxy, job }) => {
  proxy.shortTokens(20)
  const go = goOf(job)
  const stop = proxy.on(
    { method: 'POST', path: SECRETS },
    onRenewal(() => status(403, 'Forbidden', 'never')),
  )
  const phase = step({ command: `until [ -f ${go.file} ]; do sleep 0.1; done; exit 3` }).start('main')
  await phase.seen('has expired')
  stop()
  go.give()
  const main = await phase.done
  expect(main.code).toBe(3)
  expect(main.messages).toEqual([
    expect.stringContaining('shorter than'),
    expect.stringMatching(/^The scan's credential expires in \d s, and could not be renewed yet\. .* 403 "never"/),
    expect.stringMatching(/^The scan's credential was not renewed in time, and has expired\. .* 403 "never"/),
    expect.stringContaining('The scan ended with exit code 3'),
  ])
  expect(proxy.seen('POST', SECRETS).length).toBeGreaterThan(3)
  expect(main.log).toMatch(/Credential: revoked .*, proven dead/)
})

onEachCi('kubepass uses the answer to a renewal that arrives after the old credential has expired', async ({ step, proxy, job }) => {
  proxy.shortTokens(6)
  const go = goOf(job)
  // Its last one.
  proxy.on(
    { method: 'POST', path: WHOAMI, when: 'after' },
    onRenewal(async () => {
      const [token] = proxy.seen('POST', TOKEN)
      await delay((token?.at.getTime() ?? NaN) + 6_200 - Date.now())
      return undefined
    }, 1),
  )
  const phase = step({ command: `until [ -f ${go.file} ]; do sleep 0.1; done` }).start('main')
  await phase.seen(/Renewed the credential|has expired/)
  await until(() => deletionsOf(proxy, boundSecretNamesOf(proxy)[0])[0]?.status === 200)
  go.give()
  const main = await phase.done
  expect([main.code, main.messages]).toEqual([0, [expect.stringContaining('shorter than')]])
  expect(main.log).toMatch(/Credential: revoked .*, proven dead/)
})

onEachCi('after SIGTERM during an unanswered renewal kubepass revokes both credentials in time', async ({ step, proxy, job }) => {
  proxy.shortTokens(6)
  const use = step({ command: `touch ${job.home}/started; exec sleep 600` })
  let before = 0
  proxy.on(
    { method: 'POST', path: TOKEN, when: 'after' },
    onRenewal(async () => {
      before = Date.now()
      phase.kill('SIGTERM')
      await phase.done
      return undefined
    }),
  )
  const phase = use.start('main')
  const main = await phase.done
  expect(Date.now() - before).toBeLessThan(5_000)
  expect(main.code).toBe(143)
  // kubepass did not receive the second token, so it cannot prove that the token is dead.
  expect(main.log).toMatch(/Credential: revoked .*, not proven/)
  expect(main.log).toContain('1 other could not be tested')
  const boundSecrets = boundSecretNamesOf(proxy)
  expect(boundSecrets).toHaveLength(2)
  for (const boundSecret of boundSecrets) expect(deletionsOf(proxy, boundSecret).map(({ status: answer }) => answer)).toEqual([200])
  expect((await use.post()).code).toBe(0)
})

const moments = {
  'before the bound Secret': { method: 'POST', path: SECRETS },
  'after the bound Secret': { method: 'POST', path: SECRETS, when: 'after' },
  'after the token': { method: 'POST', path: TOKEN, when: 'after' },
} as const

/** Whether the run state reaches after_script on GitLab (undefined on GitHub), and the delivery. */
const RECOVERIES = [
  [undefined, 'auto'],
  [undefined, 'kubeconfig'],
  [true, 'auto'],
  [true, 'kubeconfig'],
  [false, 'kubeconfig'],
] as const

for (const [moment, matcher] of Object.entries(moments)) {
  for (const [gitlabEnv, delivery] of RECOVERIES) {
    const scenario = async ({ step, proxy }: Pick<CiFixture, 'step' | 'proxy'>): Promise<void> => {
      proxy.shortTokens(6)
      const use = step({ command: 'exec >/dev/null 2>&1; sleep 600', delivery })
      proxy.on(
        matcher,
        onRenewal(async () => {
          phase.kill('SIGKILL')
          await phase.done
          return undefined
        }, 1),
      )
      const phase = use.start('main')
      await phase.done
      const post = await use.post()
      expect(post.code).toBe(0)
      expect(post.log).toMatch(/Credential: revoked /)
      expect(boundSecretNamesOf(proxy)).toHaveLength(moment === 'before the bound Secret' ? 1 : 2)
      for (const boundSecret of boundSecretNamesOf(proxy))
        expect(deletionsOf(proxy, boundSecret).map(({ status: answer }) => answer)).toEqual([200])
      // kubepass does not have the token whose answer was lost.
      expect(post.log.includes('proven dead')).toBe(delivery === 'kubeconfig' && moment !== 'after the token' && gitlabEnv !== false)
      if (delivery === 'auto') expect(post.log).toMatch(LOST_WITH_MAIN)
    }
    if (gitlabEnv === undefined)
      onGithub(`with delivery: ${delivery}, post revokes all credentials after a SIGKILL in a renewal, ${moment}`, scenario, {
        patience: { drain: 200 },
      })
    else
      onGitlab(
        `with delivery: ${delivery}, after_script${gitlabEnv ? '' : ', without GITLAB_ENV,'} revokes all credentials after a SIGKILL in a renewal, ${moment}`,
        scenario,
        {
          executor: 'shell',
          gitlabEnv,
        },
      )
  }
}

inTerminal(
  'kubepass revoke revokes all credentials after a SIGKILL in a renewal, after the token',
  async ({ terminal, flags, identityOf, proxy }) => {
    proxy.shortTokens(6)
    const stdin = await identityOf('issuer')
    const identified = [...flags, '--token-file', '-']
    const child = terminal.start(['run', ...identified, '--', 'sleep', '600'], { stdin })
    proxy.on(
      { method: 'POST', path: TOKEN, when: 'after' },
      onRenewal(async () => {
        child.kill('SIGKILL')
        await child.exited
        return undefined
      }),
    )
    await child.exited
    const [state = ''] = readdirSync(terminal.tmp).filter((name) => name.endsWith('.state.json'))
    const revoke = await terminal.run(['revoke', ...identified, join(terminal.tmp, state)], { stdin })
    expect([revoke.code, revoke.stderr]).toEqual([0, expect.stringMatching(/Credential: revoked /)])
    expect(boundSecretNamesOf(proxy)).toHaveLength(2)
  },
)

onGithub('when the scan ends during a renewal, main waits for the renewal and revokes both credentials', async ({ step, proxy, job }) => {
  proxy.shortTokens(6)
  const go = goOf(job)
  const ended = join(job.home, 'ended')
  proxy.on(
    { method: 'POST', path: SECRETS },
    onRenewal(async () => {
      go.give()
      await until(() => existsSync(ended))
      // The test cannot see when main notices the end of the scan.
      await delay(300)
      return undefined
    }, 1),
  )
  const main = await step({ command: `until [ -f ${go.file} ]; do sleep 0.1; done; touch ${ended}` }).main()
  expect([main.code, main.messages]).toEqual([0, [expect.stringContaining('shorter than')]])
  expect(main.log).toMatch(/Credential: revoked .*, proven dead/)
})

/** The requests that get no answer. The first creation of a Secret is not a renewal. */
const UNANSWERED: Record<string, { method: string; path: RegExp; when: 'before' | 'after'; at: number }> = {
  'creation of a Secret, which is lost': { method: 'POST', path: SECRETS, when: 'before', at: 2 },
  'deletion of the first Secret, which has taken effect': { method: 'DELETE', path: /./, when: 'after', at: 1 },
}

for (const [request, { at, ...matcher }] of Object.entries(UNANSWERED))
  onEachCi(
    `when the proxy holds the answer to the ${request}, until the scan has ended, kubepass reports no tampering`,
    async ({ step, proxy, job }) => {
      proxy.shortTokens(6)
      const go = goOf(job)
      let seen = 0
      proxy.on(matcher, () => {
        seen += 1
        return seen === at ? 'hang' : undefined
      })
      const use = step({ command: `until [ -f ${go.file} ]; do sleep 0.1; done` })
      const phase = use.start('main')
      await until(() => seen >= at)
      go.give()
      const main = await phase.done
      expect([main.code, main.messages]).toEqual([0, [expect.stringContaining('shorter than')]])
      expect(main.log).toMatch(/Credential: revoked /)
      const post = await use.post()
      expect([post.code, post.messages]).toEqual([0, []])
    },
  )

onGithub(
  'with prove: post and several tokens main makes the proof itself, because post would find only one token',
  async ({ step, proxy, job }) => {
    proxy.shortTokens(12)
    const go = goOf(job)
    const use = step({ command: `until [ -f ${go.file} ]; do sleep 0.1; done`, delivery: 'kubeconfig', prove: 'post' })
    const phase = use.start('main')
    await phase.seen('Renewed the credential')
    go.give()
    expect((await phase.done).log).toMatch(/Credential: revoked .*, proven dead/)
    expect((await use.post()).code).toBe(0)
  },
)

onGithub('kubepass requests no further credential if it cannot save the run state', async ({ step, proxy, job }) => {
  proxy.shortTokens(20)
  const go = goOf(job)
  const folder = join(job.runnerTemp, '_runner_file_commands')
  const started = join(job.home, 'started')
  const phase = step({ command: `touch ${started}; until [ -f ${go.file} ]; do sleep 0.1; done` }).start('main')
  await until(() => existsSync(started))
  const state = join(folder, readdirSync(folder).find((name) => name.startsWith('save_state_')) ?? '')
  // Never not there: main would make a new one.
  linkSync(state, `${state}.away`)
  symlinkSync('/dev/null', `${state}.link`)
  renameSync(`${state}.link`, state)
  await phase.seen('could not be renewed yet')
  expect(proxy.seen('POST', SECRETS)).toHaveLength(1)
  renameSync(`${state}.away`, state)
  go.give()
  const main = await phase.done
  expect(main.code).toBe(0)
  expect(main.messages[1]).toMatch(/could not be renewed yet\. The run state, from which a later step finishes this run, cannot be saved/)
})

inTerminal(
  'a stalled reader of the output stops neither the renewal nor the clean-up',
  async ({ info, terminal, flags, identityOf, proxy }) => {
    proxy.shortTokens(6)
    const stdin = await identityOf('issuer')
    const outputs = join(terminal.home, 'outputs')
    execFileSync('mkfifo', [outputs])
    // Nobody reads it yet.
    const held = openSync(outputs, constants.O_RDWR)
    const scan = ['run', ...flags, '--token-file', '-', '--max-scan', '8s', '--', 'sh', '-c', 'yes | head -c 300000; sleep 600']
    const ended = terminal.shell('exec "$0" "$@" >"$OUTPUTS" 2>&1', scan, { stdin, env: { OUTPUTS: outputs } })
    await until(() => proxy.seen('DELETE', /./).length > 1)
    expect(shortened(proxy).length).toBeGreaterThan(1)
    const reader = spawn('cat', [outputs], { stdio: 'ignore' })
    expect((await ended).code).toBe(124)
    reader.kill()
    closeSync(held)
    for (const token of proxy.tokens) expect((await admin(info).whoami(token)).status).toBe(401)
  },
)

/** Divides each wait of more than 30 s by 30, so that the test sees a renewal of a token with the API server's minimum life. */
const IN_HASTE = `
  import timers from 'node:timers/promises'
  import { syncBuiltinESMExports } from 'node:module'
  const { setTimeout } = timers
  timers.setTimeout = (wait, ...rest) => setTimeout(wait > 30_000 ? wait / 30 : wait, ...rest)
  syncBuiltinESMExports()`

onGithub(
  'kubepass revokes the old credential rotate_grace after its replacement, while the scan runs',
  async ({ info, step, proxy, job }) => {
    const go = goOf(job)
    const command = `until [ -f ${go.file} ]; do sleep 0.1; done`
    const phase = step({ command, delivery: 'kubeconfig', duration: '10m', rotate_grace: '60s' }).start('main')
    await phase.seen('Renewed the credential')
    const [first = ''] = boundSecretNamesOf(proxy)
    await until(() => deletionsOf(proxy, first)[0]?.status === 200)
    const standing = await Promise.all(proxy.tokens.map((token) => admin(info).whoami(token)))
    expect(standing.map(({ status: answer }) => answer)).toEqual([401, 201])
    expect(phase.result).toBeUndefined()
    go.give()
    const main = await phase.done
    expect([main.code, main.messages]).toEqual([0, []])
    expect(main.log).toMatch(/Credential: revoked .*, proven dead/)
  },
  { nodeOptions: ['--import', `data:text/javascript;base64,${Buffer.from(IN_HASTE).toString('base64')}`] },
)

for (const isolate of ['auto', 'off'])
  onEachCi(`max_scan ends a scan that hangs, and its child processes; isolate is ${isolate}`, async ({ step, proxy, ci }) => {
    // The child processes take longer to end than the scan.
    const children = 'for each in $(seq 50); do (trap "" TERM; exec sleep 600) & done'
    const use = step({ command: `trap "echo told" TERM; ${children}; while :; do sleep 0.1 || :; done`, max_scan: '1s', isolate })
    const main = await use.main()
    expect([main.code, main.messages]).toEqual([124, [expect.stringMatching(/^The scan took longer than 1 s, so kubepass ended it\./)]])
    expect(main.log).toMatch(/\ntold\n[^]*Error +TIMEOUT: The scan took longer[^]*exit code 137 \(SIGKILL\)/)
    expect(main.log).toMatch(/Credential: revoked .*, proven dead/)
    expect(proxy.tokens).toHaveLength(1)
    if (ci === 'github') expect((await use.post()).code).toBe(0)
  })

onGitlab(
  'a warning names time limits that do not fit each other, and the limits of the template give none',
  async ({ step }) => {
    const limits = { timeout: '10m', script_timeout: '9m', after_script_timeout: '2m', max_scan: '10m' }
    const unfit = await step({ command: 'true', ...limits }).main()
    const usual = await step({ command: 'true' }).main()
    expect(unfit.messages).toEqual([
      expect.stringMatching(/^script_timeout \(540 s\) and after_script_timeout \(120 s\) do not fit into timeout \(600 s\): /),
      expect.stringMatching(/^max_scan \(600 s\) is longer than script_timeout \(540 s\)/),
    ])
    expect([unfit.code, usual.code, usual.messages]).toEqual([0, 0, []])
  },
  { executor: 'shell' },
)

onGithub('with delivery: env the variable keeps the first token, and a warning says so', async ({ step }) => {
  const main = await step({ command: 'true', delivery: 'env', max_scan: '1h' }).main()
  expect(main.log).toContain('as the scan. The variable KUBE_TOKEN keeps the first one.')
})
