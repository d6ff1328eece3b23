import { expect, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { admin, kubectl } from '../cluster/admin.ts'
import { boundSecretOf, makeRoom } from '../cluster/bound-secrets.ts'
import { request } from '../cluster/request.ts'
import { clusters, inTerminal, onGithub, SECRETS as CREATION, status } from './scenario.ts'

const info = clusters.quick
const SECRETS = '/api/v1/namespaces/kubepass/secrets'

/** Requests with the rights of the issuer of deploy/base. */
async function asIssuer(method: string, path: string, body: object): Promise<{ status: number; text: string }> {
  const tokens = '/api/v1/namespaces/kubepass-issuer/serviceaccounts/issuer/token'
  const { body: answer } = await admin(info).create<{ status: { token: string } }>(tokens, { spec: {} })
  const text = JSON.stringify(body)
  const headers = {
    authorization: `Bearer ${answer.status.token}`,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  }
  const reply = await request(info.server + path, { method, headers, ca: readFileSync(info.ca) }, text)
  return { status: reply.status, text: reply.body.toString() }
}

const secret = (change: object): object => ({ apiVersion: 'v1', kind: 'Secret', metadata: { generateName: 'attack-' }, ...change })

test('the policies of deploy/base refuse the creation of a token Secret, which would make a token that never expires', async () => {
  const annotations = { 'kubernetes.io/service-account.name': 'scanner' }
  const create = await asIssuer(
    'POST',
    SECRETS,
    secret({ metadata: { name: 'attack', annotations }, type: 'kubernetes.io/service-account-token' }),
  )
  expect(create).toMatchObject({ status: 403, text: expect.stringContaining('only empty Opaque Secrets are allowed here') as unknown })
})

test('the policies of deploy/base refuse to read an existing Secret by the dry run of a DELETE', async () => {
  await admin(info).create('/api/v1/namespaces', { metadata: { name: 'late' } })
  await admin(info).create('/api/v1/namespaces/late/secrets', { metadata: { name: 'database' }, stringData: { password: 'hunter2' } })
  await kubectl(info, 'create', 'role', 'issuer', '-n', 'late', '--verb=create,delete', '--resource=secrets')
  await kubectl(info, 'create', 'rolebinding', 'issuer', '-n', 'late', '--role=issuer', '--serviceaccount=kubepass-issuer:issuer')
  const read = (): Promise<{ status: number; text: string }> =>
    asIssuer('DELETE', '/api/v1/namespaces/late/secrets/database', {
      kind: 'DeleteOptions',
      apiVersion: 'v1',
      propagationPolicy: 'Foreground',
      dryRun: ['All'],
    })
  // Without the policies this request reads a Secret, as soon as the API server has seen the Role.
  let before = await read()
  while (before.status === 403) before = await read()
  expect(before.text).toContain(Buffer.from('hunter2').toString('base64'))
  await kubectl(info, 'label', 'namespace', 'late', 'kubepass.dev/guarded=true')
  let answer = await read()
  while (answer.status === 200) answer = await read()
  expect(answer).toMatchObject({ status: 403, text: expect.stringContaining('only empty Opaque Secrets are allowed here') as unknown })
})

const many = (count: number, value = 'x'): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`example.com/${String(index)}`, value]))
/** The creator of an object sets its managed fields, and the API server keeps them. */
const managed = (fieldsV1: object): object => ({
  managedFields: [{ manager: 'attack', operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1 }],
})
const named = (metadata: object): object => secret({ metadata: { generateName: 'attack-', ...metadata } })

test.each<[string, object, RegExp]>([
  ['a Secret with an annotation of 250 kB', named({ annotations: { a: 'x'.repeat(250_000) } }), /annotations, of 1024 characters/],
  ['a Secret with an annotation of 1025 characters', named({ annotations: { a: 'ü'.repeat(1025) } }), /annotations, of 1024 characters/],
  ['a Secret with 9 annotations', named({ annotations: many(9) }), /more than 8 annotations/],
  ['a Secret with 9 labels', named({ labels: many(9) }), /more than 8 labels/],
  [
    'a Secret with an owner',
    named({ ownerReferences: [{ apiVersion: 'v1', kind: 'Namespace', name: 'kubepass', uid: 'x' }] }),
    /may not have owners/,
  ],
  [
    'a Secret with 250 kB in managedFields, as many names',
    named(
      managed({
        'f:metadata': { 'f:annotations': Object.fromEntries(Array.from({ length: 250 }, (_, n) => [`f:${n}${'x'.repeat(1000)}`, {}])) },
      }),
    ),
    /more managedFields/,
  ],
  [
    'a Secret with 250 kB in managedFields, as one name',
    named(managed({ 'f:metadata': { 'f:annotations': { [`f:${'x'.repeat(250_000)}`]: {} } } })),
    /more managedFields/,
  ],
  [
    'a Secret with nested managedFields',
    named(managed({ 'f:metadata': { 'f:annotations': { 'f:a': { 'f:b': {} } } } })),
    /more managedFields/,
  ],
  ['a Secret that holds data', secret({ stringData: { a: 'b' } }), /only empty Opaque Secrets/],
  [
    'a Secret of another type',
    secret({ type: 'kubernetes.io/basic-auth', stringData: { username: 'u', password: 'p' } }),
    /only empty Opaque Secrets/,
  ],
  [
    'a Secret with a finalizer, which would keep its token alive',
    secret({ metadata: { generateName: 'attack-', finalizers: ['example.com/x'] } }),
    /may not have finalizers/,
  ],
])('the policies of deploy/base refuse %s', async (_name, body, why) => {
  const { status, text } = await asIssuer('POST', SECRETS, body)
  expect(text).toMatch(why)
  expect(status).toBe(403)
})

const OWN_AUDIENCE = 'https://kubernetes.default.svc'
const bound = { expirationSeconds: 900, boundObjectRef: { apiVersion: 'v1', kind: 'Secret', name: 'x', uid: 'y' } }

test.each<[string, object, RegExp]>([
  ['bound to nothing', { expirationSeconds: 900 }, /must be bound to a Secret/],
  [
    'bound to a Pod',
    { expirationSeconds: 900, boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'x', uid: 'y' } },
    /must be bound to a Secret/,
  ],
  ['bound by name alone', { expirationSeconds: 900, boundObjectRef: { apiVersion: 'v1', kind: 'Secret', name: 'x' } }, /by its uid/],
  [
    'for longer than an hour',
    { expirationSeconds: 3601, boundObjectRef: { apiVersion: 'v1', kind: 'Secret', name: 'x', uid: 'y' } },
    /3601 s is over the cap of 3600 s/,
  ],
  [
    'for an outside party',
    { ...bound, audiences: ['https://vault.example.com'] },
    /of the audiences https:\/\/vault.example.com not all are in/,
  ],
  ['for an outside party and the API server', { ...bound, audiences: [OWN_AUDIENCE, 'x'] }, /of the audiences .*svc x not all are in/],
])('the policies of deploy/base refuse a token %s', async (_name, spec, why) => {
  const { status, text } = await asIssuer('POST', '/api/v1/namespaces/kubepass/serviceaccounts/scanner/token', { spec })
  expect(text).toMatch(why)
  expect(status).toBe(403)
})

test.each([
  [
    'request a token of another ServiceAccount',
    'POST',
    '/api/v1/namespaces/kubepass/serviceaccounts/default/token',
    { spec: { expirationSeconds: 900 } },
  ],
  ['list Secrets', 'GET', SECRETS, {}],
  ['create Secrets in another namespace', 'POST', '/api/v1/namespaces/default/secrets', secret({})],
])('RBAC forbids the issuer of deploy/base to %s', async (_name, method, path, body) => {
  expect((await asIssuer(method, path, method === 'GET' ? {} : body)).status).toBe(403)
})

test('the policies of deploy/base accept the largest bound Secret that kubepass creates', async () => {
  const created = await asIssuer('POST', SECRETS, named({ annotations: many(8, 'ü'.repeat(1024)), labels: many(8, 'x'.repeat(63)) }))
  expect(created.status).toBe(201)
  const { name } = (JSON.parse(created.text) as { metadata: { name: string } }).metadata
  expect((await asIssuer('DELETE', `${SECRETS}/${name}`, {})).status).toBe(200)
})

test('the policies of deploy/base let the issuer delete a Secret that was too large before they existed', async () => {
  const { create } = admin(info)
  await create('/api/v1/namespaces', { metadata: { name: 'large' } })
  const annotations = { a: 'x'.repeat(250_000) }
  const path = '/api/v1/namespaces/large/secrets'
  await create(path, { metadata: { name: 'large', annotations } })
  await kubectl(info, 'create', 'role', 'issuer', '-n', 'large', '--verb=create,delete', '--resource=secrets')
  await kubectl(info, 'create', 'rolebinding', 'issuer', '-n', 'large', '--role=issuer', '--serviceaccount=kubepass-issuer:issuer')
  await kubectl(info, 'label', 'namespace', 'large', 'kubepass.dev/guarded=true')
  // Repeat until the policies see the label, and RBAC sees the Role.
  const again = (): Promise<{ text: string }> => asIssuer('POST', `${path}?dryRun=All`, named({ annotations }))
  for (let { text } = await again(); !text.includes('more than 8 annotations');) ({ text } = await again())
  expect((await asIssuer('DELETE', `${path}/large`, {})).status).toBe(200)
})

test('if the namespace names the audiences of its tokens, the policies refuse other audiences', async () => {
  const path = '/api/v1/namespaces/for-vault/serviceaccounts/scanner/token'
  const created = await asIssuer('POST', '/api/v1/namespaces/for-vault/secrets', named({}))
  const { name, uid } = (JSON.parse(created.text) as { metadata: { name: string; uid: string } }).metadata
  const boundObjectRef = { apiVersion: 'v1', kind: 'Secret', name, uid }
  const ask = async (...audiences: string[]): Promise<number> =>
    (await asIssuer('POST', path, { spec: { expirationSeconds: 600, boundObjectRef, audiences } })).status
  expect([await ask('https://vault.example.com'), await ask(OWN_AUDIENCE), await ask()]).toEqual([201, 403, 403])
  expect((await asIssuer('DELETE', `/api/v1/namespaces/for-vault/secrets/${name}`, {})).status).toBe(200)
})

test('the quota of deploy/base allows 2,000 Secrets', async () => {
  const { body } = await admin(info).get('/api/v1/namespaces/kubepass/resourcequotas/kubepass')
  expect(body['spec']).toEqual({ hard: { 'count/secrets': '2k' } })
})

inTerminal('the hint for a used-up quota has a command that deletes the expired Secrets', async ({ terminal, flags, identityOf }) => {
  const room = await makeRoom(info, 'full', ['list', 'delete'])
  const { create, get } = admin(info)
  const space = '/api/v1/namespaces/full'
  await create(`${space}/serviceaccounts`, { metadata: { name: 'scanner' } })
  await kubectl(info, 'create', 'role', 'issuer', '-n', 'full', '--verb=create,delete', '--resource=secrets,serviceaccounts/token')
  await kubectl(info, 'create', 'rolebinding', 'issuer', '-n', 'full', '--role=issuer', '--serviceaccount=kubepass-issuer:issuer')
  await room.fill([boundSecretOf({ run: '1' }), boundSecretOf({ run: '2' })])
  await create(`${space}/resourcequotas`, { metadata: { name: 'small' }, spec: { hard: { 'count/secrets': '2' } } })
  const counted = async (): Promise<unknown> => (await get<{ status: { used?: object } }>(`${space}/resourcequotas/small`)).body.status.used
  while (JSON.stringify(await counted()) !== '{"count/secrets":"2"}');
  const words = flags.map((word) => (word === 'kubepass/scanner' ? 'full/scanner' : word))
  const run = async (): ReturnType<typeof terminal.run> =>
    terminal.run(['run', ...words, '--token-file', '-', '--', 'true'], { stdin: await identityOf('issuer') })

  // RBAC may not have seen the Role yet.
  let refused = await run()
  while (refused.stderr.includes('Add this RBAC rule')) refused = await run()
  expect(refused.code).toBe(82)
  expect(refused.stderr).toMatch(
    /refused to create a Secret in namespace "full": 403 ".*exceeded quota: small, .*\nThe quota of namespace "full" is used up\./,
  )
  const [, command = ''] = /^kubectl create token sweeper .* \| npx kubepass (sweep .*)$/m.exec(refused.stderr) ?? []
  const sweep = command.split(' ').map((word) => (word === 'ca.crt' ? info.ca : word))
  expect(sweep).toContain(flags[flags.indexOf('--server') + 1])
  expect((await terminal.run(sweep, { stdin: await identityOf('sweeper') })).code).toBe(0)
  while (JSON.stringify(await counted()) !== '{"count/secrets":"0"}');
  expect((await run()).code).toBe(0)
})

onGithub('kubepass repeats the request when another API server changed the quota at the same moment', async ({ step, proxy }) => {
  const { body } = status(409, 'Conflict', 'Operation cannot be fulfilled on resourcequotas "kubepass": the object has been modified')
  const answer = { ...(JSON.parse(body) as object), details: { name: 'kubepass', kind: 'resourcequotas' } }
  proxy.on({ method: 'POST', path: CREATION, times: 3 }, () => ({ status: 409, body: JSON.stringify(answer) }))
  const use = step({ command: 'true' })
  expect((await use.main()).code).toBe(0)
  expect(proxy.seen('POST', CREATION).map(({ status: code }) => code)).toEqual([409, 409, 409, 201])
  expect((await use.post()).code).toBe(0)
})
