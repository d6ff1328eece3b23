import { expect, test } from '@jest/globals'
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { exampleOf } from '../../src/config/inputs.ts'
import { hintFor, transientHint } from '../../src/kube/hint.ts'
import { type ApiRequest } from '../../src/kube/answer.ts'
import { Redactor } from '../../src/redact/redactor.ts'
import { isTransient } from '../../src/net/retry.ts'
import { admin, kubectl } from '../cluster/admin.ts'
import type { ClusterInfo } from '../cluster/cluster.ts'
import { request } from '../cluster/request.ts'
import { claimsOf, resign } from '../cluster/token.ts'
import { clusters, ONE_SECRET, onEachCi, onGithub, onGitlab, SECRETS, status, TOKEN, WHOAMI, type Fixture } from './scenario.ts'

const { quick } = clusters
const token = { idToken: false } as const

/** Makes a namespace in which the issuer may create and delete Secrets and request tokens for every ServiceAccount. */
async function makeRoom(info: ClusterInfo, identity: string): Promise<string> {
  const room = `hints-${String(randomInt(1e9))}`
  await kubectl(info, 'create', 'namespace', room)
  const may = ['--verb=create,delete', '--resource=secrets,serviceaccounts/token']
  await kubectl(info, 'create', 'role', 'any', '-n', room, ...may)
  await kubectl(info, 'create', 'rolebinding', 'any', '-n', room, '--role=any', '--serviceaccount=kubepass-issuer:issuer')
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' } }
  const path = `/api/v1/namespaces/${room}/secrets?dryRun=All`
  while ((await send(info, { method: 'POST', path, body: secret }, identity)).status === 403) continue
  return room
}

/** @param bearer undefined for a request of the administrator */
async function send(
  info: ClusterInfo,
  { method, path, body }: { method: string; path: string; body: object | undefined },
  bearer: string | undefined,
): Promise<{ status: number; type: string; text: string }> {
  const text = body === undefined ? undefined : JSON.stringify(body)
  const headers = {
    ...(text !== undefined && { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(text)) }),
    ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
  }
  const certificate = bearer === undefined ? { cert: readFileSync(info.adminCert), key: readFileSync(info.adminKey) } : {}
  const reply = await request(info.server + path, { method, headers, ca: readFileSync(info.ca), ...certificate }, text)
  return { status: reply.status, type: reply.headers['content-type'] ?? '', text: reply.body.toString() }
}

const CALLS: [ApiRequest['method'], string, object | undefined][] = [
  ['POST', '/api/v1/namespaces/kubepass/secrets', { metadata: { name: 'x' } }],
  ['POST', '/api/v1/namespaces/kubepass/serviceaccounts/scanner/token', { spec: {} }],
  ['POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {}],
  ['DELETE', '/api/v1/namespaces/kubepass/secrets/kubepass-x', {}],
  ['GET', '/api/v1/namespaces/kubepass/secrets?limit=1', undefined],
]

test("the hint names a wrong path in the server's URL and no RBAC rule, for every request and identity", async () => {
  const path = '/api/v1/namespaces/kubepass-issuer/serviceaccounts/issuer/token'
  const identity = await admin(quick).create<{ status: { token: string } }>(path, { spec: {} })
  const prefixes = ['/api', '/apis', '/api/v1', '/apis/apps/v1', '/foo', '/k8s/clusters/c-1', '/version', '/api/v1/namespaces/kubepass']
  for (const prefix of [...prefixes, '/api/v1/namespaces/default/services/x/proxy']) {
    for (const [method, path, body] of CALLS) {
      for (const bearer of [identity.body.status.token, undefined]) {
        const answer = await send(quick, { method, path: prefix + path, body }, bearer)
        const kubeStatus = answer.type.startsWith('application/json') ? (JSON.parse(answer.text) as { message: string }) : undefined
        const bodyKind = kubeStatus === undefined ? ('plain text' as const) : ('a Kubernetes Status' as const)
        const apiRequest = { server: quick.server + prefix, method, path }
        const answered = { status: answer.status, bodyKind, kubeStatus }
        const auth = { bearer: new Redactor().seal('abcdefghijklmnop') }
        const hint = isTransient(answer.status) ? transientHint(apiRequest, answered) : hintFor(apiRequest, answered, auth)
        // An API server without the SelfSubjectReview API gives the same answer, so the hint cannot name the path.
        if (path.endsWith('reviews') && answer.status === 404 && kubeStatus?.message.includes('could not find') === true) continue
        expect([prefix, path, answer.text, hint]).toEqual([
          prefix,
          path,
          answer.text,
          expect.stringContaining(`the server's URL has the path "${prefix}"`),
        ])
        expect(hint).not.toMatch(/RBAC rule|kubectl/)
      }
    }
  }
})

onGithub(
  "main names the path in the input server that is not part of the API server's URL",
  async ({ step, proxy, identityOf }) => {
    const identity = await identityOf('issuer')
    for (const path of ['/api', '/apis', '/api/v1/', '/foo']) {
      const use = step({ command: 'echo ran', token: identity, server: `${proxy.url}${path}` })
      const main = await use.main()
      expect([path, main.code]).toEqual([path, 82])
      expect(main.messages[0]).toContain(
        `the server's URL has the path "${path.replace(/\/$/, '')}", which is not part of it. Give ${proxy.url} as server`,
      )
      expect(main.messages[0]).not.toContain('RBAC rule')
      expect((await use.post()).code).toBe(0)
    }
  },
  token,
)

const HTML = { headers: { 'content-type': 'text/html; charset=utf-8' }, body: '<h1>::error::log in, hunter2</h1>' }
const JSON_OF_ANOTHER = { headers: { 'content-type': 'application/json' }, body: '{"message":"hunter2","code":5}' }
const WAF = {
  headers: { 'content-type': 'application/json; charset=utf-8' },
  body: '{"kind":"Status","status":"blocked","message":"hunter2"}',
}

onEachCi('the hint for an answer without a Kubernetes Status does not speak of Kubernetes', async ({ step, proxy }) => {
  const answers = [
    { status: 404, ...HTML },
    { status: 403, ...HTML },
    { status: 401, ...JSON_OF_ANOTHER },
    { status: 403, ...WAF },
    { status: 405, headers: { 'content-type': 'text/plain' }, body: 'hunter2' },
    { status: 422, headers: { 'content-type': 'text/plain' }, body: '' },
  ]
  for (const path of [SECRETS, TOKEN]) {
    for (const answer of answers) {
      const stop = proxy.on({ method: 'POST', path }, () => answer)
      const main = await step({ command: 'true' }).main()
      stop()
      expect([answer, main.code]).toEqual([answer, 83])
      expect(main.messages.at(-1)).toMatch(
        /a program that is not a Kubernetes API server answered 4\d\d with .*\n.*its sender is not a Kubernetes API server/,
      )
      expect(main.messages.join()).not.toMatch(/RBAC|kubectl|authentication-config|hunter2/)
    }
  }
  const stop = proxy.on({ method: 'POST', path: WHOAMI, times: 1 }, () => ({ status: 404, ...HTML }))
  const reviewed = await step({ command: 'true' }).main()
  stop()
  expect(reviewed.code).toBe(83)
  expect(reviewed.messages.at(-1)).toMatch(/answered 404 with HTML/)
  expect(reviewed.messages.join()).not.toContain('1.28')
})

onEachCi('the error about a refused deletion names the program that refused it', async ({ step, proxy }) => {
  const stop = proxy.on({ method: 'DELETE', path: ONE_SECRET }, () => ({ status: 403, ...HTML }))
  const use = step({ command: 'true', prove: 'off' })
  const main = await use.main()
  stop()
  expect(main.code).toBe(86)
  expect(main.messages.at(-1)).toMatch(/answered 403 with HTML[^]*web application firewall/)
  expect((await use.post()).code).toBe(0)
})

onGithub('the hint has no RBAC rule when the API server, or an aggregated one, answers for another request', async ({ step, proxy }) => {
  const withDetails = (details: object): { status: number; body: string } => {
    const answer = status(403, 'Forbidden', 'this is forbidden: User "x" cannot do it')
    return { ...answer, body: JSON.stringify({ ...(JSON.parse(answer.body) as object), details }) }
  }
  for (const details of [
    { kind: 'pods', group: 'metrics.k8s.io' },
    { kind: 'namespaces', name: 'elsewhere' },
  ]) {
    const stop = proxy.on({ method: 'POST', path: SECRETS }, () => withDetails(details))
    const main = await step({ command: 'true' }).main()
    stop()
    expect(main.code).toBe(82)
    expect(main.messages[0]).toMatch(/The API server answered for .*, but kubepass asked for create "secrets" in the namespace "kubepass"/)
    expect(main.messages[0]).not.toContain('RBAC rule')
  }
})

/** A test with a token of the issuer, which has all rights in the namespace `room`. */
function inRoom(
  name: string,
  scenario: (fixture: Fixture & { room: string; run: (inputs: Record<string, string>) => Promise<string> }) => Promise<void>,
): void {
  onGithub(
    name,
    async ({ step, ...fixture }) => {
      const identity = await fixture.identityOf('issuer')
      const room = await makeRoom(fixture.info, identity)
      const run = async (inputs: Record<string, string>): Promise<string> => {
        const use = step({ command: 'echo ran', token: identity, deadline: '10s', ...inputs })
        const main = await use.main()
        expect(main.log).not.toContain('\nran\n')
        expect((await use.post()).code).toBe(0)
        return `${String(main.code)} ${main.messages.at(-1) ?? ''}`
      }
      await scenario({ ...fixture, room, run })
      await kubectl(fixture.info, 'delete', 'namespace', room, '--wait=false')
    },
    token,
  )
}

inRoom(
  'the hint for a misspelled ServiceAccount, with the right to one ServiceAccount and with the right to all',
  async ({ room, run, info, proxy }) => {
    const forbidden = await run({ service_account: 'kubepass/scaner' })
    expect(forbidden).toMatch(
      /^82 .*\nThe ServiceAccount "scaner" may not exist in namespace "kubepass", or the Role of "system:serviceaccount:kubepass-issuer:issuer" does not have its name in resourceNames/,
    )
    const missing = await run({ service_account: `${room}/scaner` })
    expect(missing).toMatch(
      /^82 The API server refused to issue a token for ServiceAccount "hints-\d+\/scaner": 404 "serviceaccounts \\"scaner\\" not found"\./,
    )
    expect(missing).toContain(`or create it:\n  kubectl create serviceaccount -n ${room} scaner`)
    expect(missing).not.toContain('RBAC rule')
    // The bound Secret that main had created is deleted.
    const { body } = await admin(info).get(`/api/v1/namespaces/${room}/secrets`)
    expect(body.items).toEqual([])
    expect(proxy.tokens).toEqual([])
  },
)

inRoom('the hint when another program deletes the bound Secret before the token is issued', async ({ room, run, info, proxy }) => {
  await kubectl(info, 'create', 'serviceaccount', '-n', room, 'scanner')
  const where = `/api/v1/namespaces/${room}/secrets`
  for (const recreated of [false, true]) {
    const stop = proxy.on({ method: 'POST', path: TOKEN }, async () => {
      const created = JSON.parse(proxy.exchanges.findLast(({ path }) => path === where)?.responseBody ?? '') as {
        metadata: { name: string }
      }
      await admin(info).delete(`${where}/${created.metadata.name}`)
      if (recreated) await admin(info).create(where, { metadata: { name: created.metadata.name } })
      return undefined
    })
    const message = await run({ service_account: `${room}/scanner` })
    stop()
    expect(message).toMatch(recreated ? /^82 .*409 / : /^82 .*404 /)
    expect(message).toContain('Another program deleted the bound Secret before the API server issued the token')
    expect(message).not.toContain('create serviceaccount')
  }
})

inRoom('the hint for a namespace that is misspelled, does not exist, or is being deleted', async ({ room, run, info }) => {
  const nowhere = `${room}-nowhere`
  expect(await run({ service_account: `${nowhere}/scanner` })).toMatch(
    /^82 .*\nIs service_account right\? The namespace "hints-\d+-nowhere" may not exist\./,
  )
  const role = `${room}-secrets`
  await kubectl(info, 'create', 'clusterrole', role, '--verb=create,delete', '--resource=secrets')
  await kubectl(info, 'create', 'clusterrolebinding', role, `--clusterrole=${role}`, '--serviceaccount=kubepass-issuer:issuer')
  try {
    let missing = ''
    while (!missing.includes('404')) missing = await run({ service_account: `${nowhere}/scanner` })
    expect(missing).toContain(`The namespace "${nowhere}" does not exist. Correct service_account, or create it`)
    expect(missing).toContain(`\n  kubectl create namespace ${nowhere}\n  kubectl label namespace ${nowhere} kubepass.dev/guarded=true\n`)
    expect(missing).not.toContain('RBAC rule')
    await kubectl(info, 'patch', 'namespace', room, '--type=merge', '-p', '{"metadata":{"finalizers":["example.com/held"]}}')
    await kubectl(info, 'delete', 'namespace', room, '--wait=false')
    // The namespace controller deletes the Role soon.
    expect(await run({ service_account: `${room}/scanner` })).toMatch(/^82 .*\nThe namespace "hints-\d+" is being deleted\./)
  } finally {
    await kubectl(info, 'patch', 'namespace', room, '--type=merge', '-p', '{"metadata":{"finalizers":null}}').catch(() => undefined)
    await kubectl(info, 'delete', 'clusterrolebinding,clusterrole', role)
  }
})

inRoom('the hint when an admission webhook does not answer until the deadline', async ({ room, run, info }) => {
  const name = `${room}.example.com`
  await admin(info).create('/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations', {
    metadata: { name },
    webhooks: [
      {
        name,
        admissionReviewVersions: ['v1'],
        sideEffects: 'None',
        timeoutSeconds: 1,
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': room } },
        clientConfig: { url: 'https://127.0.0.1:1/' },
        rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['secrets'] }],
      },
    ],
  })
  try {
    let message = ''
    while (!message.includes('webhook')) message = await run({ service_account: `${room}/nobody`, deadline: '4s' })
    expect(message).toMatch(
      /^83 The API server keeps answering 500 "Internal error occurred: failed calling webhook .*\nAn admission webhook of the cluster does not answer/,
    )
  } finally {
    await kubectl(info, 'delete', 'validatingwebhookconfiguration', name)
  }
})

onGithub(
  'kubepass does not send a token that has expired or is not valid yet, and shows its times',
  async ({ info, step, proxy, identityOf }) => {
    const identity = await identityOf('issuer')
    const now = Math.floor(Date.now() / 1000)
    const other = (times: object): string => resign(identity, (claims) => ({ ...claims, ...times }), info.serviceAccountKey)
    for (const [times, hint] of [
      [
        { iat: now - 9000, nbf: now - 9000, exp: now - 7300 },
        /^The identity's token expired 2 hours ago\. Its times:\n {2}iat: 20.* \(2 hours ago\)\n {2}nbf: 20.*\n {2}exp: 20/,
      ],
      [{ iat: now, nbf: now + 7300, exp: now + 9000 }, /^The identity's token is not valid yet: it will be in 2 hours\. Its times:\n/],
    ] as const) {
      const use = step({ command: 'echo ran', token: other(times) })
      const main = await use.main()
      expect(main.code).toBe(81)
      expect(main.messages).toHaveLength(1)
      expect(main.messages[0]).toMatch(hint)
      expect(main.messages[0]).toContain('\nGive a new one, such as: kubectl create token')
      expect((await use.post()).code).toBe(0)
      expect(proxy.exchanges).toEqual([])
    }
    // A difference that wrong clocks can explain is left to the API server. The hint for its 401 shows the times.
    const main = await step({ command: 'echo ran', token: other({ iat: now - 900, nbf: now - 900, exp: now - 100 }) }).main()
    expect(main.code).toBe(82)
    expect(main.messages[0]).toMatch(/401 "Unauthorized"[^]* {2}nbf: 20.* \(1[56] minutes ago\)\n {2}exp: 20.* \([12] minutes? ago\)/)
  },
  token,
)

onGithub('the hint for an ID token service with an internal CA names NODE_EXTRA_CA_CERTS', async ({ job, step, proxy }) => {
  const use = step({ command: 'echo ran' }, { NODE_EXTRA_CA_CERTS: '' })
  const main = await use.main()
  expect(main.code).toBe(81)
  expect(main.messages[0]).toMatch(
    /^GitHub gave no ID token: (SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+)\.\nThe certificate of the ID token service 127\.0\.0\.1:\d+ .*NODE_EXTRA_CA_CERTS/,
  )
  expect(proxy.exchanges).toEqual([])
  expect(job.idTokens.tokens).toEqual([])
})

/** A name that is too long for DNS, so that no DNS server gets a request. */
const UNKNOWN = `https://${'a'.repeat(64)}.example.com:6443`

onEachCi('main gives up on a host without a DNS address within seconds, and logs that it tries again', async ({ ci, step }) => {
  const use = step({ command: 'echo ran', server: UNKNOWN, ...(ci === 'gitlab' && { audience: UNKNOWN }) })
  const main = await use.main()
  expect(main.code).toBe(83)
  expect(main.log).toMatch(/a{64}\.example\.com:6443 does not answer as it should \(ENOTFOUND\); trying again for 5[67] s\./)
  // The deadline of a minute leaves time for the first of these lines only.
  expect(main.log.match(/trying again/g)).toHaveLength(1)
  expect(main.messages.at(-1)).toMatch(/: ENOTFOUND\.\nDNS has no address for this host: correct server/)
})

onGitlab('after_script tries a host without a DNS address until the deadline', async ({ step }) => {
  const post = await step({ command: 'true', server: UNKNOWN, audience: UNKNOWN, deadline: '20s' }).post()
  expect(post.log.match(/\(ENOTFOUND\); trying again for (17|16|2|1) s\./g)).toHaveLength(2)
})

onGithub(
  'the error about a damaged token describes the damage, shows an example, and does not show the token',
  async ({ step, proxy, identityOf }) => {
    const identity = await identityOf('issuer')
    for (const [invalidToken, hint] of [
      [`Bearer ${identity}`, /begins with a word of the HTTP header/],
      [`"${identity}"`, /is in quotes/],
      [`${identity}\\n`, /ends with a line end that is written out/],
      [Buffer.from(identity).toString('base64'), /is the base64 of a token/],
      [identity.replace('.', '. '), /is broken into parts/],
    ] as const) {
      const main = await step({ command: 'echo ran', token: invalidToken, identity: 'token' }).main()
      expect(main.code).toBe(80)
      expect(main.messages).toHaveLength(1)
      expect(main.messages[0]).toMatch(hint)
      expect(main.log).toContain(`; ${exampleOf('token')}`)
    }
    expect(proxy.exchanges).toEqual([])
    expect(claimsOf(identity)['iss']).toBeDefined()
  },
  token,
)

onGitlab(
  'the errors about an ID token for another audience, and about a KUBEPASS_ID_TOKEN that is not a JWT',
  async ({ step, job, proxy, audience }) => {
    Object.assign(job.options, { claims: { aud: [audience, 'https://elsewhere.example.com'] } })
    const none = await step({ command: 'true' }, { KUBEPASS_ID_TOKEN: 'not-an-id-token-at-all' }).main()
    expect(none.code).toBe(81)
    expect(none.messages[0]).toMatch(/^The variable KUBEPASS_ID_TOKEN is set, but holds no JWT\.\n/)
    const others = await step({ command: 'true' }).main()
    expect(others.messages[0]).toContain(
      `The ID token's audience is ["${audience}","https://elsewhere.example.com"], not "${audience}" alone.`,
    )
    expect(proxy.exchanges).toEqual([])
  },
)
