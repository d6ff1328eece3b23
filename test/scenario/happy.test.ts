import { expect } from '@jest/globals'
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { admin } from '../cluster/admin.ts'
import { claimsOf } from '../cluster/token.ts'
import { schemaErrors } from './schema.ts'
import { credentialIdOf, ONE_SECRET, onEachCi, onGithub, SECRETS, TOKEN, VERSION, WHOAMI } from './scenario.ts'

/** Asynchronous, because the proxy that it uses runs in this process. */
const run = promisify(execFile)

onGithub('github-oidc: main issues the credential for the command, and revokes it afterwards', async ({ proxy, step, job }) => {
  const evidence = join(job.workspace, 'evidence.json')
  const scan = step({
    command: 'kubectl get namespaces -o name; kubectl config view --minify -o jsonpath={..namespace}',
    evidence,
    namespace: 'default',
  })
  const main = await scan.main()
  expect(main.log).toContain('namespace/kubepass\n')
  expect(main.log).toContain('default')
  expect(main.code).toBe(0)
  expect(main.log).toContain('Identity: github-oidc, because the job may request ID tokens.')
  expect(main.outputs).toEqual({ exit_code: '0' })
  // The audience is the server's URL, so that a cluster cannot use the ID token at another one.
  expect(job.idTokens.audiences).toEqual([proxy.url])

  const [token = ''] = proxy.tokens
  const record = JSON.parse(readFileSync(evidence, 'utf8')) as Record<string, unknown>
  expect(schemaErrors(record)).toEqual([])
  expect(record).toMatchObject({
    identity: { kind: 'github-oidc' },
    granted: { credential_id: credentialIdOf(token) },
    verified: { username: 'system:serviceaccount:kubepass:scanner' },
    used: { exit_code: 0, accepted: true },
    proven: { samples: 3 },
    outcome: 'passed',
    error: null,
    error_reason: null,
  })
  expect(main.summary).toContain('| Accepted&nbsp;as | `system:serviceaccount:kubepass:scanner` |')
  expect(main.summary).toMatch(/\| Credential \| `revoked .*, proven dead .*` \|/)

  const post = await scan.post()
  expect(post.code).toBe(0)
  expect(post.log).toContain('proven dead')
  expect(post.summary).toBe('')
})

onGithub('main sends its requests in the expected order, with the job in the User-Agent', async ({ proxy, step, job }) => {
  await step({ command: 'true', duration: '20m' }).main()
  const [token] = proxy.tokens
  const idToken = proxy.seen('POST', TOKEN)[0]?.bearer
  const calls = proxy.exchanges.map(({ method, path }) => `${method} ${path.replace(/kubepass-\d.*/, 'BOUND-SECRET')}`)
  const review = 'POST /apis/authentication.k8s.io/v1/selfsubjectreviews'
  expect(calls).toEqual([
    'POST /api/v1/namespaces/kubepass/secrets',
    'POST /api/v1/namespaces/kubepass/serviceaccounts/scanner/token',
    review,
    'DELETE /api/v1/namespaces/kubepass/secrets/BOUND-SECRET',
    ...[review, 'GET /version'],
    ...[review, review, review],
  ])
  for (const { userAgent } of proxy.exchanges)
    expect(userAgent).toMatch(new RegExp(`^kubepass/\\S+ \\(github; run ${job.runId}/1; octo-org/octo-repo\\)$`))
  // All requests use one connection, except the proof, which opens a new one for each sample.
  expect(proxy.exchanges.map(({ connection }) => connection)).toEqual([1, 1, 1, 1, 1, 1, 2, 3, 4])

  const [boundSecret] = proxy
    .seen('POST', SECRETS)
    .map(({ responseBody }) => JSON.parse(responseBody) as { metadata: Record<string, Record<string, string>> })
  expect(boundSecret?.metadata['labels']).toEqual({
    'app.kubernetes.io/managed-by': 'kubepass',
    'kubepass.dev/platform': 'github',
    'kubepass.dev/run': job.runId,
    'kubepass.dev/attempt': '1',
  })
  expect(boundSecret?.metadata['annotations']).toMatchObject({
    'kubepass.dev/repository': 'octo-org/octo-repo',
    'kubepass.dev/job': 'scan',
  })

  const [request] = proxy.seen('POST', TOKEN).map(({ requestBody }) => JSON.parse(requestBody) as { spec: object })
  expect(request?.spec).toEqual({
    audiences: [],
    expirationSeconds: 1200,
    boundObjectRef: { apiVersion: 'v1', kind: 'Secret', name: boundSecret?.metadata['name'], uid: boundSecret?.metadata['uid'] },
  })
  expect(proxy.seen('DELETE', ONE_SECRET).map(({ requestBody }) => JSON.parse(requestBody) as object)).toMatchObject([
    { preconditions: { uid: boundSecret?.metadata['uid'] } },
  ])
  // The second review and the version are for the evidence. The identity asks for them.
  expect(proxy.seen('POST', WHOAMI).map(({ bearer }) => bearer)).toEqual([token, idToken, token, token, token])
  expect(proxy.seen('GET', VERSION).map(({ bearer }) => bearer)).toEqual([idToken])
})

onGithub('without a command the later steps have the credential, and post revokes it', async ({ info, proxy, step, job }) => {
  const use = step()
  const main = await use.main()
  expect(main.code).toBe(0)
  const [token = ''] = proxy.tokens
  expect(main.env).toEqual({ KUBECONFIG: main.outputs['kubeconfig'], KUBE_CONFIG_PATH: main.outputs['kubeconfig'] })
  expect(main.outputs['credential_id']).toBe(credentialIdOf(token) ?? '')
  expect(Date.parse(main.outputs['expires_at'] ?? '')).toBe(Number(claimsOf(token)['exp']) * 1000)

  const kubeconfig = main.outputs['kubeconfig'] ?? ''
  expect(kubeconfig.startsWith(job.runnerTemp)).toBe(true)
  const modes = await run('stat', ['-c', '%a', join(kubeconfig, '..'), kubeconfig, join(kubeconfig, '../token')])
  expect(modes.stdout).toBe('700\n600\n600\n')
  const env = { KUBECONFIG: kubeconfig, HOME: job.home }
  expect((await run(info.kubectl, ['get', 'ns', 'kubepass', '-o', 'name'], { env })).stdout).toBe('namespace/kubepass\n')
  const view = await run(info.kubectl, ['config', 'view', '--raw', '-o', 'json'], { env })
  expect(JSON.parse(view.stdout)).toMatchObject({
    'current-context': new URL(proxy.url).host,
    clusters: [{ cluster: { server: proxy.url, 'certificate-authority-data': readFileSync(info.ca).toString('base64') } }],
    users: [{ user: { token, tokenFile: join(kubeconfig, '../token') } }],
    contexts: [{ context: { namespace: 'kubepass' } }],
  })
  expect((await admin(info).whoami(token)).status).toBe(201)

  const post = await use.post()
  expect(post.code).toBe(0)
  expect(post.log).toMatch(/Credential: revoked .*, proven dead .* \(3 refusals/)
  expect(post.summary).toContain('proven dead')
})

for (const how of ['input', 'file'] as const) {
  onEachCi(
    `the identity is a ServiceAccount token from ${how === 'input' ? 'an input' : 'a file'}`,
    async ({ ci, proxy, step, job, identityOf }) => {
      const identity = await identityOf('issuer')
      const file = join(job.home, 'identity')
      if (how === 'file') writeFileSync(file, `${identity}\n`)
      const given = how === 'input' ? { token: identity } : { token_file: file }
      const main = await step({ command: 'kubectl get ns kubepass -o name', ...given }).main()
      expect(main.code).toBe(0)
      expect(main.log).toContain(`Identity: token, because ${ci === 'gitlab' ? 'it was asked for' : 'a token was given'}.`)
      expect(proxy.seen('POST', SECRETS)[0]?.bearer).toBe(identity)
      if (how === 'file') writeFileSync(file, '')
    },
    { idToken: false },
  )
}

onEachCi(
  'the identity is the token of a legacy token Secret, which never expires',
  async ({ info, step }) => {
    const { create, get, delete: remove, whoami } = admin(info)
    const where = '/api/v1/namespaces/kubepass-issuer/secrets'
    await create(where, {
      metadata: { name: 'legacy', annotations: { 'kubernetes.io/service-account.name': 'issuer' } },
      type: 'kubernetes.io/service-account-token',
    })
    let token: string | undefined
    while (token === undefined) token = (await get<{ data?: { token?: string } }>(`${where}/legacy`)).body.data?.token
    const legacy = Buffer.from(token, 'base64').toString()
    while ((await whoami(legacy)).status !== 201) await delay(20)
    const main = await step({ command: 'kubectl get ns kubepass -o name', token: legacy }).main()
    expect(main.code).toBe(0)
    await remove(`${where}/legacy`)
  },
  { idToken: false },
)

onEachCi('delivery: env gives the command the token in a variable', async ({ step }) => {
  const main = await step({
    command: 'echo ${#SCAN_TOKEN}; kubectl --token="$SCAN_TOKEN" get ns kubepass -o name',
    delivery: 'env',
    token_variable: 'SCAN_TOKEN',
  }).main()
  expect(main.code).toBe(0)
  expect(main.log).toMatch(/^\d{3,4}$/m)
})

onGithub(
  'delivery: env and output without a command mask the token before the later steps get it',
  async ({ proxy, step, allowLeftover }) => {
    for (const [delivery, read] of [
      ['env', 'env'],
      ['output', 'outputs'],
    ] as const) {
      const use = step({ delivery })
      const main = await use.main()
      const token = proxy.tokens.at(-1) ?? ''
      expect(main[read][delivery === 'env' ? 'KUBE_TOKEN' : 'token']).toBe(token)
      expect(main.masks).toContain(token)
      allowLeftover(new RegExp(`^a token can be read in (${read} of main|env of post|file .*set_(env|output)_.*)`))
      expect((await use.post()).code).toBe(0)
    }
  },
)

onGithub('main masks the token, its segments, and their base64 at every alignment, before it uses the token', async ({ proxy, step }) => {
  const main = await step({ command: 'true' }).main()
  const [token = ''] = proxy.tokens
  const [, payload = '', signature = ''] = token.split('.')
  for (const mask of [token, payload, signature]) expect(main.masks).toContain(mask)
  for (const shift of [0, 1, 2]) {
    const document = Buffer.from(`${'x'.repeat(shift)}${token} and more`).toString('base64')
    expect(main.masks.some((mask) => document.includes(mask))).toBe(true)
  }
  const firstOther = main.commands.findIndex(({ name }) => name !== 'add-mask')
  expect(main.commands.slice(0, firstOther).map(({ data }) => data)).toContain(token)
  expect(main.stdout.indexOf(`::add-mask::${token}\n`)).toBeLessThan(main.stdout.indexOf('Issued a credential'))
})

onGithub('two kubepass steps of a job do not disturb each other', async ({ proxy, step }) => {
  const [one, two] = [step(), step()]
  const first = await one.main()
  const second = await two.main()
  expect(first.outputs['kubeconfig']).not.toBe(second.outputs['kubeconfig'])
  expect((await two.post()).log).toContain('proven dead')
  expect((await one.post()).log).toContain('proven dead')
  expect(new Set(proxy.tokens).size).toBe(2)
})

onGithub('token_audiences without the API server skips verification and proof, and the log says so', async ({ step }) => {
  const use = step({ token_audiences: 'https://vault.example.com', service_account: 'for-vault/scanner' })
  const main = await use.main()
  expect(main.code).toBe(0)
  expect(main.annotations).toMatchObject([{ message: expect.stringContaining('The API server is not among token_audiences') as unknown }])
  const post = await use.post()
  expect(post.code).toBe(0)
  expect(post.log).toMatch(/Credential: revoked .*, not proven; dead by/)
})
