import { expect } from '@jest/globals'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { auditEventsOf } from '../cluster/audit.ts'
import { processesWith } from '../hosts/orphans.ts'
import { open, send, sendRaw, startWaitingScan } from './proxied-scan.ts'
import { onEachCi, onGithub } from './scenario.ts'
import { schemaErrors } from './schema.ts'

/** Asynchronous, because servers that it uses run in this process. */
const run = promisify(execFile)

interface ApiAccess {
  ended_at: string | null
  streams_cut: number
  requests: number | null
  unauthenticated: number
  uses: { verb: string; resource: string | null; name: string | null; refused_by: string | null; count: number; statuses: object }[]
}

function apiAccessIn(path: string): ApiAccess | null {
  const record = JSON.parse(readFileSync(path, 'utf8')) as { api_access: ApiAccess | null }
  expect(schemaErrors(record)).toEqual([])
  return record.api_access
}

const SHOW_ACCESS = 'cat "$KUBECONFIG" | tr -d "\\n"; echo; env | grep -i ^no_proxy= || true; ls "$(dirname "$KUBECONFIG")"'

onEachCi('the scan gets a kubeconfig for the API proxy, with the name of the API server', async ({ job, proxy, step }) => {
  const evidence = join(job.workspace, 'evidence.json')
  const main = await step({ command: `kubectl get ns kubepass -o name; ${SHOW_ACCESS}`, env: 'clean', evidence }).main()
  expect(main.code).toBe(0)
  expect(main.log).toContain('namespace/kubepass\n')
  expect(main.log).toMatch(/"server": "https:\/\/127\.0\.0\.1:\d+"/)
  expect(main.log).toContain(`"name": "${new URL(proxy.url).host}"`)
  expect(main.log).not.toContain('proxy-url')
  expect(main.log).toContain('NO_PROXY=127.0.0.1,localhost\n')
  expect(main.log).toContain('no_proxy=127.0.0.1,localhost\n')
  const access = apiAccessIn(evidence)
  expect(access).toMatchObject({ streams_cut: 0, unauthenticated: 0 })
  expect(access?.uses).toContainEqual(
    expect.objectContaining({ verb: 'get', resource: 'namespaces', name: 'kubepass', refused_by: null, count: 1, statuses: { 200: 1 } }),
  )
})

onGithub('no file, variable or argument has the token, neither while the scan runs nor afterwards', async (fixture) => {
  const { job, proxy } = fixture
  const scan = await startWaitingScan(fixture)
  const [token = ''] = proxy.tokens
  const hold = (paths: string[]): string[] => paths.filter((path) => readFileSync(path).includes(token.split('.')[2] ?? token))
  const files = (): string[] =>
    readdirSync(job.folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name, parentPath }) => join(parentPath, name))
  const processes = await processesWith(job.trackingId)
  // main, the program that isolates, and the scan.
  expect(processes.length).toBeGreaterThan(1)
  expect(hold(processes.flatMap((pid) => ['environ', 'cmdline'].map((name) => `/proc/${String(pid)}/${name}`)))).toEqual([])
  expect(hold(files())).toEqual([])
  expect((await scan.finish()).code).toBe(0)
  expect(hold(files())).toEqual([])
})

onGithub('NO_PROXY keeps its entries, and clients reach the API proxy although HTTPS_PROXY names another one', async ({ step }) => {
  const env = { HTTPS_PROXY: 'http://127.0.0.1:9', NO_PROXY: '127.0.0.1,.example.com' }
  const main = await step({ command: `kubectl get ns kubepass -o name; ${SHOW_ACCESS}` }, env).main()
  expect(main.code).toBe(0)
  expect(main.log).toContain('namespace/kubepass\n')
  expect(main.log).toContain('NO_PROXY=127.0.0.1,.example.com,127.0.0.1,localhost\n')
  expect(main.log).toContain('no_proxy=127.0.0.1,.example.com,127.0.0.1,localhost\n')
})

onGithub('the certificate of the proxy satisfies strict verifiers', async (fixture) => {
  const scan = await startWaitingScan(fixture)
  const file = join(fixture.job.workspace, 'ca.pem')
  await run('bash', ['-c', `printf %s "$CERTIFICATE" > "$FILE" && openssl verify -x509_strict -CAfile "$FILE" "$FILE"`], {
    env: { PATH: process.env['PATH'], CERTIFICATE: scan.access.ca.toString(), FILE: file },
  })
  const { stdout } = await run('openssl', ['x509', '-in', file, '-noout', '-enddate'])
  expect(Date.parse(stdout.replace('notAfter=', ''))).toBeGreaterThan(Date.now() + 6 * 3_600_000)
  expect((await scan.finish()).code).toBe(0)
})

const REFUSED: Record<string, [request: string, status: number, reason: RegExp]> = {
  'no credential': ['GET /api HTTP/1.1\r\n', 401, /credential/],
  'another bearer': ['GET /api HTTP/1.1\r\nAuthorization: Bearer kubepass_other\r\n', 401, /credential/],
  'a Basic credential': ['GET /api HTTP/1.1\r\nAuthorization: Basic eDp5\r\n', 401, /credential/],
  'a token beside the credential, in a subprotocol': [
    'GET /api HTTP/1.1\r\nAUTHORIZED\r\nSec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.b3RoZXI\r\n',
    401,
    /credential/,
  ],
  'a segment ..': ['GET /api/v1/../v1/namespaces HTTP/1.1\r\nAUTHORIZED\r\n', 403, /ambiguous/],
  'a segment %2e%2e': ['GET /api/v1/%2e%2e/v1/namespaces HTTP/1.1\r\nAUTHORIZED\r\n', 403, /ambiguous/],
  'a segment .': ['GET /api/./v1/namespaces HTTP/1.1\r\nAUTHORIZED\r\n', 403, /ambiguous/],
  'an escaped slash': ['GET /api/v1/namespaces/a%2Fpods HTTP/1.1\r\nAUTHORIZED\r\n', 403, /ambiguous/],
  'an escape of an escape': ['GET /api/v1/namespaces/%252e%252e HTTP/1.1\r\nAUTHORIZED\r\n', 403, /ambiguous/],
  'a broken escape': ['GET /api/v1/namespaces/%zz HTTP/1.1\r\nAUTHORIZED\r\n', 403, /ambiguous/],
  'an escaped NUL': ['GET /api/v1/namespaces/a%00 HTTP/1.1\r\nAUTHORIZED\r\n', 403, /ambiguous/],
  'two slashes at the start': ['GET //api/v1/namespaces HTTP/1.1\r\nAUTHORIZED\r\n', 403, /empty segment/],
  'two slashes inside': ['GET /api//v1/namespaces HTTP/1.1\r\nAUTHORIZED\r\n', 403, /empty segment/],
  'a backslash': ['GET /api\\v1/namespaces HTTP/1.1\r\nAUTHORIZED\r\n', 403, /must be escaped/],
  'a fragment': ['GET /api#v1 HTTP/1.1\r\nAUTHORIZED\r\n', 403, /must be escaped/],
  'an absolute URL': ['GET https://kubernetes/api HTTP/1.1\r\nAUTHORIZED\r\n', 403, /no path/],
  'a *': ['OPTIONS * HTTP/1.1\r\nAUTHORIZED\r\n', 403, /OPTIONS/],
  TRACE: ['TRACE /api HTTP/1.1\r\nAUTHORIZED\r\n', 403, /TRACE/],
  CONNECT: ['CONNECT kubernetes:443 HTTP/1.1\r\nAUTHORIZED\r\n', 403, /CONNECT/],
  'Impersonate-User': ['GET /api HTTP/1.1\r\nAUTHORIZED\r\nImpersonate-User: admin\r\n', 403, /impersonate-user/],
  'X-Remote-User': ['GET /api HTTP/1.1\r\nAUTHORIZED\r\nX-Remote-User: admin\r\n', 403, /x-remote-user/],
  'another transfer encoding': ['POST /api HTTP/1.1\r\nAUTHORIZED\r\nTransfer-Encoding: xchunked\r\n', 400, /chunked/],
  'a list of transfer encodings': ['POST /api HTTP/1.1\r\nAUTHORIZED\r\nTransfer-Encoding: gzip, chunked\r\n', 400, /chunked/],
  'a GET with a body': ['GET /api HTTP/1.1\r\nAUTHORIZED\r\nContent-Length: 2\r\n', 400, /no body/],
  'an upgrade to h2c': ['GET /api HTTP/1.1\r\nAUTHORIZED\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n', 403, /websocket/],
  'an upgrade with a body': [
    'POST /api HTTP/1.1\r\nAUTHORIZED\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nContent-Length: 2\r\n',
    400,
    /no body/,
  ],
  'a token of the ServiceAccount': [
    'POST /api/v1/namespaces/kubepass/serviceaccounts/scanner/token HTTP/1.1\r\nAUTHORIZED\r\nContent-Length: 0\r\n',
    403,
    /serviceaccounts\/token|outlive/,
  ],
}

onGithub(
  'the proxy refuses what is no request of Kubernetes, with a Status, and the API server sees none of it',
  async (fixture) => {
    const scan = await startWaitingScan(fixture)
    for (const [name, [head, status, reason]] of Object.entries(REFUSED)) {
      const authorization = `Authorization: Bearer ${scan.access.credential}`
      const answer = await sendRaw(scan.access, `${head.replace('AUTHORIZED', authorization)}Host: x\r\nConnection: close\r\n\r\n`)
      const [, code, body = '{}'] = /^HTTP\/1\.1 (\d+) [^]*?\r\n\r\n([^]*)$/.exec(answer) ?? []
      expect({ name, code: Number(code) }).toEqual({ name, code: status })
      const { kind, message } = JSON.parse(body) as { kind: string; message: string }
      expect(kind).toBe('Status')
      expect(message).toMatch(/^kubepass refused the request: /)
      expect(message).toMatch(reason)
    }
    // llhttp refuses these before kubepass sees a request.
    const authorization = `Authorization: Bearer ${scan.access.credential}\r\nHost: x\r\n`
    for (const smuggled of [
      'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde',
      'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n',
      'Content-Length: 4\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'Content-Length: 0\n\nGET /api HTTP/1.1\r\n',
    ])
      expect(await sendRaw(scan.access, `POST /api HTTP/1.1\r\n${authorization}${smuggled}`)).toMatch(/^HTTP\/1\.1 400 /)
    expect((await scan.finish()).code).toBe(0)
    const [token = ''] = fixture.proxy.tokens
    // kubepass itself sends reviews of the token.
    expect(auditEventsOf(fixture.info, token).filter(({ requestURI }) => !requestURI.endsWith('/selfsubjectreviews'))).toEqual([])
  },
  { needs: 'credential-id' },
)

onGithub('bytes pass unchanged: escapes, queries, bodies, chunks, gzip, and 100-continue', async (fixture) => {
  const { access, finish } = await startWaitingScan(fixture)
  expect((await send(access, '/api/v1/namespaces/kubepass?pretty=%74rue')).body).toMatch(/\n {2}"kind": "Namespace"/)
  expect((await send(access, '/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode')).body).toContain('system:node')
  const review = JSON.stringify({
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'SelfSubjectReview',
    metadata: { annotations: { a: 'x'.repeat(2e5) } },
  })
  const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
  const json = { 'content-type': 'application/json' }
  for (const headers of [
    { 'content-length': String(review.length) },
    { 'transfer-encoding': 'chunked' },
    { 'content-length': String(review.length), expect: '100-continue' },
  ]) {
    const answer = await send(access, path, { method: 'POST', headers: { ...json, ...headers } as Record<string, string> }, review)
    expect(answer.status).toBe(201)
    expect(answer.body).toContain('system:serviceaccount:kubepass:scanner')
  }
  const zipped = await send(access, '/openapi/v2', { headers: { 'accept-encoding': 'gzip' } })
  expect(zipped.headers['content-encoding']).toBe('gzip')
  expect((await finish()).code).toBe(0)
})

onGithub(
  'the end of the scan cuts an open watch, and nothing passes afterwards',
  async (fixture) => {
    const { info, job, proxy } = fixture
    const evidence = join(job.workspace, 'evidence.json')
    const requests = join(job.workspace, 'requests.jsonl')
    const { access, finish } = await startWaitingScan(fixture, { evidence, requests })
    const env = { KUBECONFIG: access.kubeconfig, HOME: job.home, PATH: process.env['PATH'] }
    const watch = spawn(info.kubectl, ['get', 'configmaps', '-A', '--watch', '-o', 'name'], { env, stdio: 'pipe' })
    await once(watch.stdout, 'data')
    const ended = once(watch, 'close')
    const idle = await open(access)
    const idleEnded = once(idle, 'close')
    idle.on('error', () => undefined)
    const main = await finish()
    expect(main.code).toBe(0)
    await Promise.all([ended, idleEnded])
    const record = apiAccessIn(evidence)
    expect(record?.streams_cut).toBe(1)
    expect(record?.uses).toContainEqual(expect.objectContaining({ verb: 'watch', resource: 'configmaps', refused_by: null, count: 1 }))
    const lines = readFileSync(requests, 'utf8').trimEnd().split('\n')
    expect(lines.filter((line) => line.includes('"verb":"watch"'))).toHaveLength(1)
    const endedAt = Date.parse(record?.ended_at ?? '')
    expect(endedAt).toBeLessThanOrEqual(Date.parse((JSON.parse(readFileSync(evidence, 'utf8')) as { revoked: { at: string } }).revoked.at))
    await expect(send(access, '/version')).rejects.toThrow(/ECONNREFUSED/)
    const [token = ''] = proxy.tokens
    const late = auditEventsOf(info, token).filter(
      ({ requestReceivedTimestamp, userAgent }) =>
        Date.parse(requestReceivedTimestamp) > endedAt && userAgent?.startsWith('kubepass/') !== true,
    )
    expect(late).toEqual([])
  },
  { needs: 'credential-id' },
)

onGithub('requests: the file has one line for each request, without the commands of an exec', async (fixture) => {
  const requests = join(fixture.job.workspace, 'out', 'requests.jsonl')
  const { access, finish } = await startWaitingScan(fixture, { requests })
  await send(access, '/api/v1/namespaces/kubepass')
  await send(access, '/api/v1/namespaces/default/pods/none/exec?command=sh&c%6fmmand=hunter2&stdout=true')
  await send(access, '/api/v1/namespaces/kubepass/serviceaccounts/scanner/token')
  await finish()
  const lines = readFileSync(requests, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(lines).toMatchObject([
    {
      method: 'GET',
      target: '/api/v1/namespaces/kubepass',
      verb: 'get',
      resource: 'namespaces',
      name: 'kubepass',
      status: 200,
      refused: null,
    },
    { target: '/api/v1/namespaces/default/pods/none/exec?command=***&command=***&stdout=true', subresource: 'exec' },
    { status: 403, refused: expect.stringContaining('') },
  ])
})

onGithub('a scan that gets the token in its kubeconfig has no record of its requests', async ({ job, proxy, step }) => {
  const evidence = join(job.workspace, 'evidence.json')
  const main = await step({ command: `kubectl get ns kubepass -o name; ${SHOW_ACCESS}`, delivery: 'kubeconfig', evidence }).main()
  expect(main.code).toBe(0)
  expect(main.log).toContain(`"server": "${proxy.url}"`)
  expect(main.log).toMatch(/^token$/m)
  expect(apiAccessIn(evidence)).toBeNull()
})

onGithub('the private directory of a killed main holds no token', async (fixture) => {
  const { use, phase, access } = await startWaitingScan(fixture)
  phase.kill('SIGKILL')
  await phase.done
  expect(readdirSync(join(access.kubeconfig, '..')).toSorted()).toEqual(['kubeconfig'])
  await expect(send(access, '/version')).rejects.toThrow(/ECONNREFUSED/)
  expect((await use.post()).code).toBe(0)
})

const NARROWED: Record<string, [allow: string, refusal: RegExp]> = {
  read: ['read', /kubepass refused the request: allow: read lets only/],
  'rules as YAML': [
    '- { resources: [configmaps, namespaces], verbs: [get] }',
    /kubepass refused the request: allow: no rule lets this request pass/,
  ],
}

for (const [name, [allow, refusal]] of Object.entries(NARROWED))
  onEachCi(
    `allow: ${name}: kubectl prints why kubepass refused a request, and the evidence lists it`,
    async ({ ci, info, job, proxy, step }) => {
      const evidence = ci === 'github' ? join(job.workspace, 'evidence.json') : 'evidence.json'
      const command = 'kubectl get ns kubepass -o name; kubectl create configmap refused -n kubepass || echo refused'
      const main = await step({ command, allow, evidence }).main()
      expect(main.code).toBe(0)
      expect(main.log).toContain('namespace/kubepass\n')
      expect(main.log).toMatch(refusal)
      const access = apiAccessIn(join(job.workspace, 'evidence.json'))
      expect(access?.uses).toContainEqual(
        expect.objectContaining({ verb: 'create', resource: 'configmaps', refused_by: 'kubepass', statuses: { 403: 1 } }),
      )
      if ('summary' in main) expect(main.summary).toMatch(/\| 1 \| `create configmaps in kubepass` \| refused by kubepass \|/)
      const [token = ''] = proxy.tokens
      expect(auditEventsOf(info, token).filter(({ verb, userAgent = '' }) => verb === 'create' && userAgent.startsWith('kubectl'))).toEqual(
        [],
      )
    },
  )

onGithub('allow and requests are input errors where the scan gets the token', async ({ proxy, step }) => {
  for (const inputs of [{ allow: 'read' }, { requests: 'requests.jsonl' }] as const) {
    const main = await step({ command: 'true', delivery: 'kubeconfig', ...inputs }).main()
    expect(main.code).toBe(80)
    expect(main.messages).toEqual([expect.stringMatching(/needs the API proxy, but the scan gets the token/)])
  }
  expect(proxy.exchanges).toEqual([])
})

onGithub('token_audiences without the API server: the scan gets the token, unless an input needs the API proxy', async ({ job, step }) => {
  const inputs = { command: 'cat "$KUBECONFIG"', token_audiences: 'https://vault.example.com', service_account: 'for-vault/scanner' }
  const main = await step(inputs).main()
  expect(main.code).toBe(0)
  expect(main.log).toContain('so the scan gets the token in its kubeconfig')
  expect(main.log).toContain('"tokenFile"')
  for (const more of [{ delivery: 'proxy' }, { allow: 'read' }, { requests: join(job.workspace, 'requests.jsonl') }] as const) {
    const refused = await step({ ...inputs, ...more }).main()
    expect(refused.code).toBe(80)
    expect(refused.messages).toEqual(
      expect.arrayContaining([expect.stringMatching(/needs the API proxy, but the API server refuses the token/)]),
    )
  }
})
