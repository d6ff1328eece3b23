import { expect } from '@jest/globals'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AddressInfo } from 'node:net'
import { admin } from '../cluster/admin.ts'
import { claimsOf, resign } from '../cluster/token.ts'
import { ONE_SECRET, onEachCi, onGithub, SECRETS, status, TOKEN, WHOAMI, type GithubFixture } from './scenario.ts'

const unauthorized = status(401, 'Unauthorized', 'Unauthorized')

onGithub(
  'the error about the missing permission for ID tokens has the lines to add',
  async ({ step, proxy }) => {
    for (const inputs of [{}, { identity: 'github-oidc' }]) {
      const main = await step({ command: 'true', ...inputs }).main()
      expect(main.code).toBe(81)
      expect(main.messages[0]).toMatch(/permissions:\n {4}id-token: write/)
    }
    expect(proxy.exchanges).toEqual([])
  },
  { idToken: false },
)

onGithub(
  'the error about an ID token that the API server rejects shows its claims, quoted',
  async ({ info, step, job }) => {
    const main = await step({ command: 'true', audience: 'somewhere-else' }).main()
    expect(main.code).toBe(82)
    const [{ message } = { message: '' }] = main.annotations
    expect(message).toContain('The API server refused to create a Secret in namespace "kubepass": 401 "Unauthorized".')
    for (const line of [
      `iss: "${info.soleIssuer ?? 'https://token.actions.githubusercontent.com'}"`,
      'aud: "somewhere-else"',
      'repository: "octo-org/octo-repo"',
      String.raw`ref: "refs/heads/x\n::error::pwned ##\u005bgroup]"`,
    ]) {
      expect(message).toContain(line)
    }
    expect(message).toMatch(/sub: "repo:octo-org/)
    expect(message).toMatch(/exp: 20/)
    expect(main.annotations).toHaveLength(1)
    expect(job.idTokens.tokens).toHaveLength(1)
  },
  { claims: { ref: 'refs/heads/x\n::error::pwned ##[group]' } },
)

onGithub('an error of the ID token service is an error of main', async ({ step, job, proxy }) => {
  job.idTokens.instead = () => ({ status: 403, body: '{}' })
  const main = await step({ command: 'true' }).main()
  expect(main.code).toBe(81)
  expect(main.messages[0]).toContain('GitHub gave no ID token: its service answered 403.')
  expect(proxy.exchanges).toEqual([])
})

onGithub(
  'hostile names in the environment have no effect as workflow commands',
  async ({ step }) => {
    const main = await step({ command: 'true' }).main()
    expect(main.code).toBe(0)
    expect(main.annotations).toEqual([])
    expect(main.summary.split('\n').filter((line) => line !== '' && !line.startsWith('|'))).toEqual([
      expect.stringMatching(/^### Scan passed\. /),
      expect.stringMatching(/^kubepass, ServiceAccount `kubepass\/scanner`, API server `https:\S+`$/),
    ])
  },
  { repository: 'octo-org/`x`|##[error]y', job: 'scan"\n::error::pwned' },
)

onEachCi('kubepass sends nothing to a server whose certificate another CA signed', async ({ info, step, proxy }) => {
  const main = await step({ command: 'true', certificate_authority: info.otherCA }).main()
  expect(main.code).toBe(83)
  expect(main.messages.at(-1)).toMatch(/certificate does not verify: give the CA of this API server/)
  expect(proxy.exchanges).toEqual([])
})

onEachCi('kubepass rejects a host that is not in the certificate, unless tls_server_name is', async ({ step, proxy }) => {
  const wrong = await step({ command: 'true', tls_server_name: 'other.test' }).main()
  expect(wrong.code).toBe(83)
  expect(proxy.exchanges).toEqual([])
  for (const delivery of ['auto', 'kubeconfig']) {
    const right = await step({ command: 'kubectl get ns kubepass -o name', tls_server_name: 'kubernetes.test', delivery }).main()
    expect(right.log).toContain('namespace/kubepass')
    expect(right.code).toBe(0)
  }
})

onEachCi('a server that does not listen is an error', async ({ step }) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  const main = await step({ command: 'true', server: `https://127.0.0.1:${port}`, deadline: '2s' }).main()
  expect(main.code).toBe(83)
  expect(main.messages.at(-1)).toMatch(/No answer from 127\.0\.0\.1:\d+ to POST .*: ECONNREFUSED/)
})

onEachCi('the error says that an answer is not from an API server', async ({ step, proxy }) => {
  for (const answer of [
    { status: 401, headers: { 'content-type': 'text/html' }, body: '<h1>::error::log in</h1>' },
    { status: 307, headers: { location: 'https://elsewhere.example.com/' }, body: '' },
    { status: 201, headers: { 'content-type': 'text/html' }, body: '<h1>welcome</h1>' },
  ]) {
    const stop = proxy.on({ method: 'POST', path: SECRETS }, () => answer)
    const main = await step({ command: 'true' }).main()
    expect([82, 83]).toContain(main.code)
    expect(main.messages.join()).not.toContain('log in')
    expect(main.log).toMatch(/gateway|kubepass follows no redirect/)
    stop()
  }
})

for (const [issuer, code, rule] of [
  [
    'without-secrets',
    82,
    /Add this RBAC rule to a Role in namespace "kubepass" .*"system:serviceaccount:kubepass-issuer:without-secrets".*resources: \["secrets"\], verbs: \["create", "delete"\]/,
  ],
  ['without-token', 82, /resources: \["serviceaccounts\/token"\], resourceNames: \["scanner"\], verbs: \["create"\]/],
  ['without-delete', 86, /resources: \["secrets"\], verbs: \["delete"\]/],
] as const) {
  onEachCi(
    `the hint for a 403 names the RBAC rule that an issuer ${issuer.replace('-', ' ')} lacks`,
    async ({ info, step, proxy, identityOf, allowLeftover }) => {
      const token = await identityOf(issuer)
      const use = step({ command: 'echo ran', token, deadline: '10s' })
      const main = await use.main()
      expect(main.code).toBe(code)
      expect(main.messages.at(-1)).toMatch(rule)
      if (issuer === 'without-secrets') expect(main.log).toMatch(/deploy\/base.*\n?.*revocation: best-effort/)
      const post = await use.post()
      if (issuer !== 'without-delete') {
        expect(post.code).toBe(0)
        expect(main.log).not.toContain('\nran\n')
        return
      }
      // The token cannot be revoked: main and post say when it expires, and fail.
      expect(main.messages.at(-1)).toMatch(/could not be revoked\. It is dead by 20.*Z at the latest/)
      expect(main.log).toContain(' exit code 0, ')
      expect(post.code).toBe(86)
      const name = (JSON.parse(proxy.seen('POST', SECRETS)[0]?.responseBody ?? '') as { metadata: { name: string } }).metadata.name
      allowLeftover(/^$/)
      await admin(info).delete(`/api/v1/namespaces/kubepass/secrets/${name}`)
    },
    { idToken: false },
  )
}

onEachCi('a 401 or 403 to each request is an error, and post revokes what exists', async ({ step, proxy }) => {
  for (const [method, path, expected] of [
    ['POST', SECRETS, 82],
    ['POST', TOKEN, 82],
    ['POST', WHOAMI, 84],
    ['DELETE', ONE_SECRET, 86],
  ] as const) {
    for (const answer of [unauthorized, status(403, 'Forbidden', "forbidden: ValidatingAdmissionPolicy 'x' denied request")]) {
      // A 403 to the review means that the API server authenticated the token, so it is no error.
      if (path === WHOAMI && answer.status === 403) continue
      const stop = proxy.on({ method, path, times: path === WHOAMI ? 1 : Infinity }, () => answer)
      const use = step({ command: 'true' })
      const main = await use.main()
      expect([method, path, answer.status, main.code]).toEqual([method, path, answer.status, expected])
      stop()
      // Post revokes what main could not.
      expect((await use.post()).code).toBe(0)
    }
  }
})

onGithub(
  'kubepass does not delete another Secret of the same name, for which the API server answers 409',
  async ({ info, step, proxy }) => {
    const { create, delete: remove, get } = admin(info)
    const use = step()
    await use.main()
    const { name } = (JSON.parse(proxy.seen('POST', SECRETS)[0]?.responseBody ?? '') as { metadata: { name: string } }).metadata
    const where = '/api/v1/namespaces/kubepass/secrets'
    await remove(`${where}/${name}`)
    await create(where, { metadata: { name } })
    const post = await use.post()
    expect(proxy.seen('DELETE', ONE_SECRET)).toMatchObject([{ status: 409 }])
    expect(post.code).toBe(0)
    expect(post.log).toContain('does not exist: it was never created, or another process deleted it')
    expect(post.log).toMatch(/its Secret did not exist, proven dead/)
    expect((await get(`${where}/${name}`)).status).toBe(200)
    await remove(`${where}/${name}`)
  },
)

onEachCi(
  'with revocation: best-effort kubepass uses an unbound token, and never reports it as revoked',
  async ({ step, proxy, identityOf, allowLeftover }) => {
    const use = step({
      command: 'echo ran',
      token: await identityOf('without-secrets'),
      service_account: 'unguarded/scanner',
      revocation: 'best-effort',
    })
    const main = await use.main()
    expect(main.code).toBe(0)
    expect(main.log).toContain('\nran\n')
    expect(main.messages[0]).toMatch(/bound to nothing and cannot be revoked\. It expires 20/)
    expect(main.log).toMatch(/Credential: NOT REVOKED; dead by 20/)
    expect(main.log).not.toMatch(/(?<!cannot be |NOT )revoked/i)
    const post = await use.post()
    expect(post.code).toBe(0)
    expect(proxy.seen('DELETE', /./)).toEqual([])
    allowLeftover(/^token 1 still lives$/)
  },
  { idToken: false },
)

onEachCi('a token that lives longer than requested is an error, and kubepass revokes it', async ({ info, step, proxy }) => {
  proxy.on({ method: 'POST', path: TOKEN, when: 'after' }, ({ responseBody }) => {
    const answer = JSON.parse(responseBody) as { status: { token: string } }
    answer.status.token = resign(
      answer.status.token,
      (claims) => ({ ...claims, exp: Number(claims['iat']) + 86400 }),
      info.serviceAccountKey,
    )
    proxy.tokens.push(answer.status.token)
    return { status: 201, body: JSON.stringify(answer) }
  })
  const main = await step({ command: 'echo ran' }).main()
  expect(main.code).toBe(84)
  expect(main.messages.at(-1)).toContain('it lives 86400 s, longer than the 900 s asked for')
  expect(main.log).not.toContain('\nran\n')
  expect(main.log).toMatch(/Credential: revoked /)
})

onEachCi('a token that lives shorter than requested is a warning', async ({ step, proxy }) => {
  proxy.shortTokens(300)
  const main = await step({ command: 'echo ran' }).main()
  expect(main.code).toBe(0)
  expect(main.messages[0]).toContain('lives 300 s, shorter than the 900 s')
})

onEachCi('a token of another ServiceAccount is an error', async ({ info, step, proxy }) => {
  proxy.on({ method: 'POST', path: TOKEN, when: 'after' }, ({ responseBody }) => {
    const answer = JSON.parse(responseBody) as { status: { token: string } }
    answer.status.token = resign(
      answer.status.token,
      (claims) => ({ ...claims, sub: 'system:serviceaccount:kube-system:admin' }),
      info.serviceAccountKey,
    )
    proxy.tokens.push(answer.status.token)
    return { status: 201, body: JSON.stringify(answer) }
  })
  const main = await step({ command: 'true' }).main()
  expect(main.code).toBe(84)
  expect(main.messages.at(-1)).toMatch(/its subject is "system:serviceaccount:kube-system:admin"/)
})

onEachCi(
  'a ServiceAccount that does not exist is an error with a hint',
  async ({ step, identityOf }) => {
    const main = await step({ command: 'true', service_account: 'kubepass/nobody', token: await identityOf('issuer') }).main()
    expect(main.code).toBe(82)
  },
  { idToken: false },
)

onEachCi('a cluster older than Kubernetes 1.28 is an error', async ({ step, proxy }) => {
  proxy.on({ method: 'POST', path: WHOAMI }, () => ({ status: 404, headers: { 'content-type': 'text/plain' }, body: '404 page not found' }))
  const main = await step({ command: 'true' }).main()
  expect(main.code).toBe(82)
  expect(main.messages[0]).toContain('needs Kubernetes 1.28')
})

onEachCi("a gateway's answer to the DELETE does not count as a revocation", async ({ step, proxy }) => {
  const stop = proxy.on({ method: 'DELETE', path: ONE_SECRET }, () => ({
    status: 200,
    headers: { 'content-type': 'text/html' },
    body: 'ok',
  }))
  const use = step({ command: 'true' })
  const main = await use.main()
  expect(main.code).toBe(86)
  expect(main.log).toMatch(/Credential: NOT REVOKED/)
  stop()
  expect((await use.post()).log).toMatch(/revoked .*, proven dead|revoked /)
})

onEachCi('with revocation: best-effort a failed revocation is a warning', async ({ step, proxy }) => {
  const stop = proxy.on({ method: 'DELETE', path: ONE_SECRET }, () => unauthorized)
  const use = step({ command: 'exit 4', revocation: 'best-effort' })
  const main = await use.main()
  expect(main.code).toBe(4)
  expect(main.messages[0]).toMatch(/could not be revoked\. It is dead by/)
  stop()
  expect((await use.post()).code).toBe(0)
})

onEachCi(
  'with revocation: best-effort, after a lost answer and a refusal, kubepass deletes the Secret that may exist',
  async ({ step, proxy }) => {
    let tries = 0
    proxy.on({ method: 'POST', path: SECRETS, when: 'after' }, () => ((tries += 1) === 1 ? 'reset' : status(403, 'Forbidden', 'no')))
    const use = step({ command: 'true', revocation: 'best-effort' })
    expect((await use.main()).code).toBe(82)
    expect((await use.post()).code).toBe(0)
    expect(proxy.seen('DELETE', ONE_SECRET)[0]?.status).toBe(200)
  },
)

onGithub('the evidence keeps the time of the first revocation', async ({ step, proxy, job }) => {
  const evidence = join(job.workspace, 'evidence.json')
  const use = step({ command: 'true', evidence })
  await use.main()
  const { revoked } = JSON.parse(readFileSync(evidence, 'utf8')) as { revoked: { at: string } }
  proxy.on({ method: 'DELETE', path: ONE_SECRET, times: 1 }, () => status(503, 'ServiceUnavailable', 'not now'))
  const post = await use.post()
  expect([post.code, post.log]).toEqual([0, expect.stringContaining(`revoked ${revoked.at}, proven dead`)])
})

onEachCi(
  'a failed revocation determines the exit code, even if the scan fails and the evidence file cannot be written',
  async ({ step, proxy, job }) => {
    const stop = proxy.on({ method: 'DELETE', path: ONE_SECRET }, () => unauthorized)
    const evidence = join(job.workspace, 'evidence.json')
    const use = step({ command: `mkdir ${evidence}; exit 4`, evidence })
    const main = await use.main()
    expect(main.code).toBe(86)
    stop()
    expect((await use.post()).code).toBe(0)
  },
)

const audited = async ({ info, step, proxy, job }: GithubFixture): Promise<void> => {
  await step({ command: 'kubectl get ns kubepass -o name' }).main()
  const jti = String(claimsOf(proxy.tokens[0] ?? '')['jti'])
  const events = readFileSync(info.auditLog, 'utf8')
    .split('\n')
    .filter((line) => line.includes(`JTI=${jti}`))
  expect(events.some((line) => line.includes(`run ${job.runId}/1`) && line.includes('issued-credential-id'))).toBe(true)
  expect(events.some((line) => line.includes('"resource":"namespaces"'))).toBe(true)
}
onGithub('the audit log shows the job that requested a token, and the id of the token', audited, { needs: 'credential-id' })

onEachCi('a truncated answer to the DELETE does not count as a revocation', async ({ step, proxy }) => {
  const html = { 'content-type': 'text/html' }
  const other = { kind: 'Status', apiVersion: 'v1', status: 'Success', details: { uid: 'another' } }
  for (const answer of [
    { status: 404, headers: html, body: 'not found' },
    { status: 409, headers: html, body: 'conflict' },
    { status: 200, body: '{"kind":"Secret","apiVersion":"v1"}' },
    { status: 200, body: JSON.stringify(other) },
  ]) {
    const stop = proxy.on({ method: 'DELETE', path: ONE_SECRET }, () => answer)
    const use = step({ command: 'true' })
    const main = await use.main()
    expect([answer.body, main.code]).toEqual([answer.body, 86])
    stop()
    expect((await use.post()).code).toBe(0)
  }
})

onEachCi('kubepass rejects a token if the review does not name the requested ServiceAccount', async ({ step, proxy }) => {
  for (const answer of [
    status(403, 'Forbidden', 'User "system:anonymous" cannot create resource'),
    { status: 403, headers: { 'content-type': 'text/html' }, body: 'no' },
    { status: 201, body: '{"status":{}}' },
    { status: 201, body: '{"status":{"userInfo":{"username":"system:admin"}}}' },
  ]) {
    proxy.on({ method: 'POST', path: WHOAMI, times: 1 }, () => answer)
    const main = await step({ command: 'echo ran' }).main()
    expect([answer.body, main.code]).toEqual([answer.body, 84])
    expect(main.log).not.toContain('\nran\n')
  }
})

onEachCi("the error shows the API server's last answer, not the attempt that the deadline cut off", async ({ step, proxy }) => {
  proxy.on({ method: 'POST', path: SECRETS, times: 1 }, () => ({ status: 503, body: '{}' }))
  proxy.on({ method: 'POST', path: SECRETS }, () => 'hang')
  const main = await step({ command: 'true', deadline: '3s' }).main()
  expect(main.code).toBe(83)
  expect(main.messages.at(-1)).toContain('keeps answering 503')
})

onEachCi('an unanswered revocation ends at its deadline', async ({ step, proxy }) => {
  const stop = proxy.on({ method: 'DELETE', path: ONE_SECRET }, () => ({ status: 503, body: '{}' }))
  const use = step({ command: 'true', deadline: '4s' })
  const main = await use.main()
  expect(main.code).toBe(86)
  expect(main.messages.at(-1)).toContain('keeps answering 503')
  stop()
  expect((await use.post()).code).toBe(0)
})
