import { expect, test } from '@jest/globals'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { admin, kubectl } from '../cluster/admin.ts'
import { boundSecretOf, HOUR_MS, makeRoom, Room, sweepAlone } from '../cluster/bound-secrets.ts'
import type { Ended } from '../hosts/child.ts'
import { Terminal } from '../hosts/terminal.ts'
import { kubeconfigOf } from './kubeconfigs.ts'
import { clusters, inTerminal, status, type TerminalFixture } from './scenario.ts'

const SWEEPERS = ['list', 'delete']
const LIST = /\/secrets\?labelSelector=/
const FUTURE = new Date(Date.now() + HOUR_MS)

interface Report {
  version: number
  namespace: string
  dry_run: boolean
  error: string | null
  secrets: { name: string; uid: string; run: string; state: string; outcome: string; why: string }[]
}

interface RoomFixture extends TerminalFixture {
  room: Room
  sweep: (args?: string[], env?: Record<string, string>) => Promise<Ended>
}

/** A test with a new namespace, and with an identity that has these rights on its Secrets. */
function inRoom(name: string, verbs: string[], scenario: (fixture: RoomFixture) => Promise<void>): void {
  inTerminal(name, async (fixture) => {
    const { terminal, flags, identityOf, info } = fixture
    const room = await makeRoom(info, `room-${String(process.pid)}-${String((rooms += 1))}`, verbs)
    const stdin = await identityOf('sweeper')
    const args = ['sweep', ...flags, '--service-account', `${room.name}/scanner`, '--token-file', '-']
    await scenario({ ...fixture, room, sweep: (more = [], env = {}) => terminal.run([...args, ...more], { stdin, env }) })
    await admin(info).delete(`/api/v1/namespaces/${room.name}`)
  })
}
let rooms = 0

const reportOf = ({ stdout }: Ended): Report => JSON.parse(stdout) as Report
const outcomes = (ended: Ended): Record<string, string> =>
  Object.fromEntries(reportOf(ended).secrets.map(({ name, state, outcome }) => [name, `${state}, ${outcome}`]))

inRoom('sweep deletes expired bound Secrets and keeps the others', SWEEPERS, async ({ room, sweep, proxy }) => {
  const [over = '', alive = ''] = await room.fill([boundSecretOf({ run: '1' }), boundSecretOf({ run: '2', deadBy: FUTURE })])
  const ended = await sweep()
  expect(ended.stdout).toMatch(/^SECRET +RUN +DEAD BY +STATE +OUTCOME$/m)
  expect(ended.stdout).toMatch(new RegExp(`^${over} +github 1/1 octo-org/octo-repo scan +\\S+Z +expired +deleted$`, 'm'))
  expect(ended.stdout).toMatch(new RegExp(`^${alive} +.* +living +kept$`, 'm'))
  expect(ended.stderr).toContain(`Of 2 bound Secrets in namespace "${room.name}" 1 deleted, 1 kept.`)
  expect(ended.code).toBe(0)
  expect(await room.names()).toEqual([alive])
  const { secrets } = reportOf(await sweep(['--json']))
  expect(secrets.map(({ name }) => name)).toEqual([alive])
  expect(proxy.seen('DELETE', /./).map(({ requestBody }) => JSON.parse(requestBody) as object)).toEqual([
    { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown } },
  ])
})

inRoom('sweep lists Secrets as a table, without their data', SWEEPERS, async ({ room, sweep, proxy }) => {
  await room.fill([boundSecretOf({ change: { stringData: { password: 'hunter2-hunter2' } } })])
  expect((await sweep()).code).toBe(0)
  const [list] = proxy.seen('GET', LIST)
  expect(list?.responseBody).toContain('"kind":"Table"')
  expect(list?.responseBody).not.toContain(Buffer.from('hunter2-hunter2').toString('base64'))
})

const forged: [string, ReturnType<typeof boundSecretOf>, RegExp][] = [
  ['a Secret that holds data', boundSecretOf({ change: { stringData: { a: 'b' } } }), /it holds data/],
  ['a Secret of another type', boundSecretOf({ change: { type: 'example.com/other' } }), /its type is "example\.com\/other"/],
  ['a name of another run', boundSecretOf({ name: 'kubepass-2-1-0123456789abcdef' }), /its name does not fit its labels/],
  ['a name of another attempt', boundSecretOf({ name: 'kubepass-1-2-0123456789abcdef' }), /its name does not fit its labels/],
  ['a name with another end', boundSecretOf({ key: '0123456789abcdeg' }), /its name does not fit its labels/],
  ['a name with more characters', boundSecretOf({ key: '0123456789abcdef0' }), /its name does not fit its labels/],
  ['an unknown platform', boundSecretOf({ platform: 'jenkins' }), /its name does not fit its labels/],
  ['no valid annotation dead-by', boundSecretOf({ deadBy: 'yesterday' }), /its annotation kubepass\.dev\/dead-by is missing or no time/],
  ['a finalizer', boundSecretOf({ metadata: { finalizers: ['example.com/hold'] } }), /it has a finalizer/],
]

for (const [what, secret, why] of forged) {
  inRoom(
    `sweep keeps a Secret that has the label but that kubepass did not create: ${what}`,
    SWEEPERS,
    async ({ room, sweep, proxy, info }) => {
      const names = await room.fill([secret])
      const ended = await sweep(['--json'])
      expect(reportOf(ended).secrets).toMatchObject([{ state: 'foreign', outcome: 'kept', why: expect.stringMatching(why) as unknown }])
      expect(ended.stderr).toContain('Foreign Secrets with the label of kubepass are kept: 1.')
      expect(ended.code).toBe(0)
      expect(await room.names()).toEqual(names)
      expect(proxy.seen('DELETE', /./)).toEqual([])
      // With finalizers the namespace could not be deleted.
      await kubectl(info, 'patch', 'secrets', ...names, '-n', room.name, '--type=merge', '-p', '{"metadata":{"finalizers":null}}')
    },
  )
}

inRoom('sweep does not list a Secret without the label', SWEEPERS, async ({ room, sweep }) => {
  const names = await room.fill([boundSecretOf({ metadata: { labels: { 'kubepass.dev/run': '1' } } })])
  const ended = await sweep(['--json'])
  expect(reportOf(ended).secrets).toEqual([])
  expect(ended.stderr).toContain(`There are no bound Secrets in namespace "${room.name}".`)
  expect(ended.code).toBe(0)
  expect(await room.names()).toEqual(names)
})

inRoom(
  'sweep keeps a Secret that was replaced after it was listed, because its uid differs',
  SWEEPERS,
  async ({ room, sweep, proxy, info }) => {
    const [name = ''] = await room.fill([boundSecretOf()])
    proxy.on({ method: 'DELETE', times: 1 }, async () => {
      await admin(info).delete(`/api/v1/namespaces/${room.name}/secrets/${name}`)
      await room.fill([boundSecretOf()])
      return undefined
    })
    const ended = await sweep(['--json'])
    expect(outcomes(ended)).toEqual({ [name]: 'expired, gone' })
    expect(ended.code).toBe(0)
    expect(await room.names()).toEqual([name])
  },
)

inRoom('sweep --dry-run deletes nothing, and shows what it would delete', SWEEPERS, async ({ room, sweep, proxy }) => {
  const names = await room.fill([boundSecretOf({ run: '1' }), boundSecretOf({ run: '2', deadBy: FUTURE })])
  const ended = await sweep(['--dry-run', '--json'])
  expect(reportOf(ended)).toMatchObject({ version: 1, namespace: room.name, dry_run: true, error: null })
  expect(outcomes(ended)).toEqual({ [names[0] ?? '']: 'expired, due', [names[1] ?? '']: 'living, kept' })
  expect(ended.stderr).toContain('1 would be deleted, 1 kept.')
  expect(ended.code).toBe(0)
  expect(await room.names()).toEqual(names)
  expect(proxy.seen('DELETE', /./)).toEqual([])
})

inTerminal(
  'with the rights of deploy/sweeper, sweep deletes the bound Secret of a killed run when it has expired, not before',
  async (fixture) => {
    const { terminal, flags, identityOf, info, proxy } = fixture
    using resources = new DisposableStack()
    resources.use(await sweepAlone(info))
    const child = terminal.start(['run', ...flags, '--token-file', '-', '--', 'sh', '-c', 'echo started; sleep 600'], {
      stdin: await identityOf('issuer'),
    })
    await child.seen('started')
    child.kill('SIGKILL')
    await child.exited
    const [created] = proxy.seen('POST', /\/kubepass\/secrets$/)
    const { name, uid } = (JSON.parse(created?.responseBody ?? '{}') as { metadata: { name: string; uid: string } }).metadata
    const args = ['sweep', ...flags, '--token-file', '-', '--json']
    const stdin = await identityOf('sweeper')
    const states = (ended: Ended): unknown[] =>
      reportOf(ended)
        .secrets.filter((boundSecret) => boundSecret.uid === uid)
        .map(({ state, outcome }) => [state, outcome])
    expect(states(await terminal.run(args, { stdin }))).toEqual([['living', 'kept']])
    const path = `/api/v1/namespaces/kubepass/secrets/${name}`
    await kubectl(info, 'annotate', 'secret', name, '-n', 'kubepass', '--overwrite', `kubepass.dev/dead-by=${new Date().toISOString()}`)
    const ended = await terminal.run(args, { stdin })
    expect(states(ended)).toEqual([['expired', 'deleted']])
    expect(ended.code).toBe(0)
    expect((await admin(info).get(path)).status).toBe(404)
    // The files of the run on its machine are not a matter of sweep.
    const state = readdirSync(terminal.tmp).find((file) => file.endsWith('.state.json')) ?? ''
    await terminal.run(['revoke', ...flags, '--token-file', '-', join(terminal.tmp, state)], { stdin: await identityOf('issuer') })
    await child.ended
  },
)

inTerminal('sweep can use a client certificate', async ({ terminal, info, proxy }) => {
  using resources = new DisposableStack()
  resources.use(await sweepAlone(info))
  const [name = ''] = await new Room(info, 'kubepass').fill([boundSecretOf({ run: String(randomInt(1e6, 1e9)) })])
  const user = { 'client-certificate': info.clientCert, 'client-key': info.clientKey }
  const file = join(terminal.home, 'kubeconfig')
  writeFileSync(file, kubeconfigOf(info, proxy.url, user))
  const ended = await terminal.run(['sweep', '--kubeconfig', file, '--service-account', 'kubepass/scanner', '--json'])
  expect(outcomes(ended)[name]).toBe('expired, deleted')
  expect(ended.code).toBe(0)
  expect([...new Set(proxy.exchanges.map(({ certificate }) => certificate))]).toEqual(['ci:client'])
})

interface SimulatedApi extends AsyncDisposable {
  url: string
  asked: { path: string; headers: NodeJS.Dict<string | string[]> }[]
}

/**
 * A simulated API of GitHub or GitLab with these paths. It answers 404 to all other paths.
 * @param asks called instead of sending an answer
 */
async function startApi(known: Record<string, object>, asks?: () => void): Promise<SimulatedApi> {
  const asked: SimulatedApi['asked'] = []
  const server: Server = createServer(({ url: path = '', headers }, response) => {
    asked.push({ path, headers })
    if (asks !== undefined) {
      asks()
      return
    }
    const found = known[path]
    response.writeHead(found === undefined ? 404 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(found ?? { message: '::error::forged' }))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`, asked, [Symbol.asyncDispose]: close }
}

const attempt = (run: number, number: number): string => `/repos/octo-org/octo-repo/actions/runs/${String(run)}/attempts/${String(number)}`

inRoom('sweep deletes the Secrets of run attempts that are over according to GitHub', SWEEPERS, async ({ room, sweep }) => {
  await using api = await startApi({
    [attempt(1, 1)]: { status: 'completed' },
    [attempt(1, 2)]: { status: 'in_progress' },
    [attempt(2, 1)]: { status: 'queued' },
  })
  const ofGithub = ['1', '2', '3'].map((run) => boundSecretOf({ run, deadBy: FUTURE }))
  const [over = '', queued = '', unknown = '', again = '', sibling = '', terminal = '', elsewhere = ''] = await room.fill([
    ...ofGithub,
    boundSecretOf({ run: '1', attempt: '2', deadBy: FUTURE }),
    boundSecretOf({ run: '1', key: 'fedcba9876543210', deadBy: FUTURE }),
    boundSecretOf({ run: 'terminal', platform: 'terminal', deadBy: FUTURE }),
    boundSecretOf({ run: '1', key: '0000000000000000', instance: 'https://github.example.com', deadBy: FUTURE }),
  ])
  const ended = await sweep(['--json'], { GITHUB_API_URL: api.url, GITHUB_TOKEN: 'played-github-token' })
  expect(outcomes(ended)).toEqual({
    [over]: 'finished, deleted',
    [sibling]: 'finished, deleted',
    [again]: 'living, kept',
    [queued]: 'living, kept',
    [unknown]: 'living, kept',
    [terminal]: 'living, kept',
    [elsewhere]: 'living, kept',
  })
  expect(ended.stderr).toContain('1 bound Secret of another GitHub than https://github.com: kept until they expire.')
  expect(ended.stderr).toMatch(/warning: Could not get the status of a run from GitHub \(404; the token needs the right to read Actions/)
  expect(ended.stderr).not.toContain('forged')
  expect(ended.code).toBe(0)
  expect(await room.names()).toEqual([again, elsewhere, queued, terminal, unknown].toSorted())
  // One request for each attempt, not for each bound Secret.
  expect(api.asked.map(({ path }) => path).toSorted()).toEqual([attempt(1, 1), attempt(1, 2), attempt(2, 1), attempt(3, 1)])
  expect(new Set(api.asked.map(({ headers }) => headers['authorization']))).toEqual(new Set(['token played-github-token']))
})

inRoom('sweep sends no request to GitHub for a bound Secret with an invalid run', SWEEPERS, async ({ room, sweep }) => {
  await using api = await startApi({})
  await room.fill([
    boundSecretOf({ run: '1', repository: '../../user', deadBy: FUTURE }),
    boundSecretOf({ run: '2', repository: 'a/b/c', deadBy: FUTURE }),
    boundSecretOf({ run: 'x', deadBy: FUTURE }),
  ])
  const ended = await sweep([], { GITHUB_API_URL: api.url, GITHUB_TOKEN: 'played-github-token' })
  expect(ended.stderr).toContain('a bound Secret names no run of GitHub')
  expect(ended.code).toBe(0)
  expect(api.asked).toEqual([])
})

inRoom('sweep sends the GitHub token nowhere while NODE_TLS_REJECT_UNAUTHORIZED is 0', SWEEPERS, async ({ room, sweep }) => {
  await using api = await startApi({ [attempt(1, 1)]: { status: 'completed' } })
  await room.fill([boundSecretOf({ deadBy: FUTURE })])
  const env = { GITHUB_API_URL: api.url, GITHUB_TOKEN: 'played-github-token', NODE_TLS_REJECT_UNAUTHORIZED: '0' }
  const ended = await sweep(['--json'], env)
  expect(ended.stderr).toContain('NODE_TLS_REJECT_UNAUTHORIZED is 0, so any server could pose as GitHub')
  expect(reportOf(ended).secrets).toMatchObject([{ state: 'living', outcome: 'kept' }])
  expect(api.asked).toEqual([])
})

for (const [by, env, header] of [
  ['GITLAB_TOKEN', { GITLAB_TOKEN: 'played-gitlab-token', CI_JOB_TOKEN: 'played-job-token' }, { 'private-token': 'played-gitlab-token' }],
  ['CI_JOB_TOKEN', { CI_JOB_TOKEN: 'played-job-token' }, { 'job-token': 'played-job-token' }],
] as const) {
  inRoom(`sweep deletes the Secrets of jobs that are over according to GitLab, with ${by}`, SWEEPERS, async ({ room, sweep }) => {
    const job = (id: number): string => `/projects/acme%2Ftools%2Fpayments/jobs/${String(id)}`
    const known = { [job(1)]: { status: 'success' }, [job(2)]: { status: 'running' }, [job(3)]: { status: 'canceling' } }
    await using api = await startApi({ ...known, [job(4)]: { status: 'canceled' } })
    const names = await room.fill(
      ['1', '2', '3', '4', '5'].map((run) => boundSecretOf({ platform: 'gitlab', run, repository: 'acme/tools/payments', deadBy: FUTURE })),
    )
    const ended = await sweep(['--json'], { CI_API_V4_URL: api.url, ...env })
    const kept = 'living, kept'
    expect(names.map((name) => outcomes(ended)[name])).toEqual(['finished, deleted', kept, kept, 'finished, deleted', kept])
    expect(ended.stderr).toMatch(/warning: Could not get the status of a run from GitLab \(404; the token needs the right to read jobs/)
    expect(ended.code).toBe(0)
    expect(await room.names()).toEqual([names[1], names[2], names[4]])
    for (const { headers } of api.asked) expect(headers).toMatchObject(header)
  })
}

inRoom('sweep reads an API token from a file, and sends none to a GitLab without TLS', SWEEPERS, async ({ room, sweep, terminal }) => {
  await using api = await startApi({ [attempt(1, 1)]: { status: 'completed' } })
  const [over = '', job = ''] = await room.fill([
    boundSecretOf({ deadBy: FUTURE }),
    boundSecretOf({ platform: 'gitlab', run: '2', deadBy: FUTURE }),
  ])
  const file = join(terminal.home, 'api.token')
  writeFileSync(file, 'played-token-of-a-file\n')
  const ended = await sweep(['--json', '--github-token-file', file, '--gitlab-token-file', file], {
    GITHUB_API_URL: api.url,
    GITHUB_TOKEN: 'played-github-token',
    CI_API_V4_URL: 'http://gitlab.example.com/api/v4',
  })
  expect(outcomes(ended)).toEqual({ [over]: 'finished, deleted', [job]: 'living, kept' })
  expect(ended.stderr).toContain('CI_API_V4_URL is not an https URL')
  expect(api.asked.map(({ headers }) => headers['authorization'])).toEqual(['token played-token-of-a-file'])
})

inRoom('without API tokens sweep deletes only expired Secrets, and says so', SWEEPERS, async ({ room, sweep }) => {
  await room.fill([
    boundSecretOf({ run: '1', deadBy: FUTURE }),
    boundSecretOf({ run: '2', deadBy: FUTURE }),
    boundSecretOf({ run: '3', platform: 'gitlab', deadBy: FUTURE }),
    boundSecretOf({ run: '4' }),
  ])
  const { code, stderr } = await sweep()
  expect(stderr).toContain(
    'kubepass cannot ask GitHub whether the runs of 2 bound Secrets are over (missing: GITHUB_TOKEN, or --github-token-file)',
  )
  expect(stderr).toContain(
    'kubepass cannot ask GitLab whether the runs of 1 bound Secret are over (missing: GITLAB_TOKEN, CI_JOB_TOKEN, or --gitlab-token-file)',
  )
  expect(stderr).toContain('1 deleted, 3 kept.')
  expect(code).toBe(0)
})

inRoom('without the right to list Secrets, the hint has the RBAC rule and its condition', ['delete'], async ({ room, sweep }) => {
  const ended = await sweep(['--json'])
  expect(ended.stderr).toContain(`{apiGroups: [""], resources: ["secrets"], verbs: ["list", "delete"]}`)
  expect(ended.stderr).toContain(
    `An identity that may list Secrets can read them. Add the rule only if the namespace "${room.name}" holds no Secrets`,
  )
  expect(reportOf(ended)).toMatchObject({ error: 'REFUSED', secrets: [] })
  expect(ended.code).toBe(82)
})

inRoom(
  'without the right to delete Secrets, sweep stops early, and the hint has the RBAC rule',
  ['list'],
  async ({ room, sweep, proxy }) => {
    const names = await room.fill(Array.from({ length: 40 }, (_, run) => boundSecretOf({ run: String(run + 10) })))
    const ended = await sweep(['--json'])
    expect(ended.stderr).toMatch(
      /error: 40 of 40 bound Secrets could not be deleted\.\nCaused by: The API server refused to delete the Secret kubepass-/,
    )
    expect(ended.stderr).toContain(`{apiGroups: [""], resources: ["secrets"], verbs: ["delete"]}`)
    expect(reportOf(ended)).toMatchObject({ error: 'REFUSED' })
    expect(ended.code).toBe(82)
    expect(await room.names()).toEqual(names)
    expect(proxy.seen('DELETE', /./).length).toBeLessThan(names.length)
  },
)

inRoom('sweep deletes the other Secrets when the deletion of one is refused', SWEEPERS, async ({ room, sweep, proxy }) => {
  const names = await room.fill(Array.from({ length: 60 }, (_, run) => boundSecretOf({ run: String(run + 10) })))
  const held = status(403, 'Forbidden', `secrets "${names[0] ?? ''}" is forbidden: held`)
  proxy.on({ method: 'DELETE', path: /kubepass-10-1-/ }, () => held)
  const ended = await sweep()
  expect(ended.stderr).toContain('59 deleted, 0 kept, 1 left that should be.')
  expect(ended.stderr).toContain('1 of 60 bound Secrets could not be deleted.')
  expect(ended.code).toBe(82)
  expect(await room.names()).toEqual([names[0]])
})

inRoom(
  'sweep lists 600 bound Secrets in three pages, and deletes them over a few connections',
  SWEEPERS,
  async ({ room, sweep, proxy }) => {
    const all = Array.from({ length: 600 }, (_, index) =>
      boundSecretOf({ run: String(index + 1), ...(index % 100 === 99 && { deadBy: FUTURE }) }),
    )
    await room.fill(all)
    const ended = await sweep(['--json'])
    expect(ended.code).toBe(0)
    expect(proxy.seen('GET', LIST)).toHaveLength(3)
    expect(reportOf(ended).secrets).toHaveLength(600)
    expect(await room.names()).toEqual(['100', '200', '300', '400', '500', '600'].map((run) => `kubepass-${run}-1-0123456789abcdef`))
    const connections = new Set(proxy.seen('DELETE', /./).map(({ connection }) => connection))
    expect(connections.size).toBeGreaterThan(1)
    expect(connections.size).toBeLessThanOrEqual(16)
  },
)

for (const [how, resume] of [
  ['says how to go on', true],
  ['does not say how to go on', false],
] as const) {
  inRoom(
    `sweep misses no Secret when the continue token has expired and the API server ${how}`,
    SWEEPERS,
    async ({ room, sweep, proxy }) => {
      await room.fill(Array.from({ length: 300 }, (_, index) => boundSecretOf({ run: String(index + 1) })))
      proxy.on({ method: 'GET', path: /continue=/, times: 1 }, ({ path }) => {
        const from = new URL(path, proxy.url).searchParams.get('continue')
        const gone = status(410, 'Expired', 'The provided continue parameter is too old')
        const body = { ...(JSON.parse(gone.body) as object), metadata: resume ? { continue: from } : {} }
        return { ...gone, body: JSON.stringify(body) }
      })
      const ended = await sweep(['--json'])
      expect(ended.code).toBe(0)
      expect(reportOf(ended).secrets).toHaveLength(300)
      expect(ended.stderr).not.toContain('Warning')
      expect(await room.names()).toEqual([])
      expect(proxy.seen('GET', LIST).map(({ path }) => path.includes('continue='))).toEqual(
        resume ? [false, true, true] : [false, true, false, true],
      )
    },
  )
}

inRoom('sweep finds bound Secrets behind Secrets whose metadata is too large for a page', SWEEPERS, async ({ room, sweep, proxy }) => {
  // JSON needs six bytes for each of these characters.
  const padding = '\u0001'.repeat(250_000)
  const sizes = [
    ...Array.from({ length: 20 }, () => ({})),
    ...Array.from({ length: 6 }, () => ({ padding })),
    ...Array.from({ length: 20 }, () => ({})),
  ]
  await room.fill(sizes.map((size, index) => boundSecretOf({ run: String(index + 10), ...size })))
  const ended = await sweep(['--json'])
  expect(ended.code).toBe(0)
  expect(reportOf(ended).secrets).toHaveLength(sizes.length)
  expect(await room.names()).toEqual([])
  expect(proxy.seen('GET', LIST).length).toBeLessThan(sizes.length / 2)
})

inRoom('sweep fails when the continue token expires again and again', SWEEPERS, async ({ room, sweep, proxy }) => {
  await room.fill([boundSecretOf()])
  proxy.on({ method: 'GET' }, () => status(410, 'Expired', 'The provided continue parameter is too old'))
  const ended = await sweep()
  expect(ended.stderr).toContain('refused to list the Secrets')
  expect(ended.code).toBe(82)
  expect(proxy.seen('GET', LIST)).toHaveLength(6)
})

inRoom('sweep that is stopped reports what it has deleted', SWEEPERS, async ({ room, terminal, flags, identityOf, proxy }) => {
  const names = await room.fill(Array.from({ length: 40 }, (_, run) => boundSecretOf({ run: String(run + 10) })))
  const stdin = await identityOf('sweeper')
  const args = ['sweep', ...flags, '--service-account', `${room.name}/scanner`, '--token-file', '-', '--json']
  const running = terminal.start(args, { stdin })
  let deletions = 0
  proxy.on({ method: 'DELETE' }, async () => {
    if ((deletions += 1) <= 20) return undefined
    // The requests after the 20th get no answer, so that Secrets are left however late the signal takes effect.
    if (deletions === 21) running.kill('SIGTERM')
    await running.ended
    return 'reset'
  })
  const ended = await running.ended
  expect(ended.code).toBe(143)
  const { error, secrets } = reportOf(ended)
  expect(error).toBe('INTERRUPTED')
  const deleted = secrets.filter(({ outcome }) => outcome === 'deleted')
  const left = await room.names()
  expect(deleted.length).toBeGreaterThan(0)
  expect(left.length).toBeGreaterThan(0)
  expect(deleted.filter(({ name }) => left.includes(name))).toEqual([])
  expect(secrets).toHaveLength(names.length)
})

inRoom(
  'sweep that is stopped during a request to GitHub deletes nothing and does not succeed',
  SWEEPERS,
  async ({ room, terminal, flags, identityOf }) => {
    const names = await room.fill([boundSecretOf({ run: '1' }), boundSecretOf({ run: '2', deadBy: FUTURE })])
    const stdin = await identityOf('sweeper')
    await using api = await startApi({}, () => running.kill('SIGTERM'))
    const env = { GITHUB_API_URL: api.url, GITHUB_TOKEN: 'played-github-token' }
    const running = terminal.start(['sweep', ...flags, '--service-account', `${room.name}/scanner`, '--token-file', '-'], { stdin, env })
    const ended = await running.ended
    expect(ended.stderr).toContain('Stopped by SIGTERM.')
    expect(ended.code).toBe(143)
    expect(await room.names()).toEqual(names)
  },
)

inRoom('sweep gives up on a platform that does not answer', SWEEPERS, async ({ room, sweep }) => {
  await using api = await startApi({})
  const names = await room.fill(Array.from({ length: 40 }, (_, run) => boundSecretOf({ run: String(run + 10), deadBy: FUTURE })))
  const ended = await sweep([], { GITHUB_API_URL: api.url, GITHUB_TOKEN: 'played-github-token' })
  expect(ended.code).toBe(0)
  expect(api.asked.length).toBeLessThan(names.length)
})

const SCRIPT = '/usr/bin/script'
const testOnTerminal = existsSync(SCRIPT) ? inRoom : (name: string): void => test.skip(name, () => undefined)

testOnTerminal(
  'on a terminal a bar shows how far it is, and is gone in the end',
  SWEEPERS,
  async ({ room, terminal, flags, identityOf }) => {
    await room.fill(Array.from({ length: 20 }, (_, run) => boundSecretOf({ run: String(run + 10) })))
    const file = join(terminal.home, 'identity')
    writeFileSync(file, await identityOf('sweeper'))
    const args = ['sweep', ...flags, '--service-account', `${room.name}/scanner`, '--token-file', file]
    const { code, stdout } = await terminal.shell(`exec ${SCRIPT} -qefc "$0 $*" /dev/null`, args)
    writeFileSync(file, '')
    expect(stdout).toMatch(/\r\x1b\[K[^\r\n]*deleting \[#*-*\] \d+ of 20/)
    // Each output after the progress line erases it.
    for (const [, next] of stdout.matchAll(/deleting \[[^\r\n]*(.{0,4})/gs)) expect(next).toBe('\r\x1b[K')
    expect(stdout).toMatch(/^SECRET +RUN/m)
    expect(code).toBe(0)
  },
)

test('the flags of sweep are errors for the other commands', async () => {
  await using terminal = new Terminal(clusters.quick)
  expect((await terminal.run(['sweep', '--dry-run=yes'])).code).toBe(80)
  expect((await terminal.run(['sweep', 'everything'])).stderr).toMatch(
    /The word "everything" is no flag\.\nUsage: kubepass sweep \[FLAGS\]/,
  )
  expect((await terminal.run(['run', '--dry-run', '--', 'true'])).stderr).toContain('There is no flag "--dry-run".')
  const missing = await terminal.run(['sweep', '--github-token-file', '/nowhere'])
  expect(missing.stderr).toContain('--github-token-file names "/nowhere", which cannot be read (ENOENT).')
  expect(missing.code).toBe(80)
})
