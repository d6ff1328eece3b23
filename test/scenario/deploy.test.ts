import { expect, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { admin, kubectl } from '../cluster/admin.ts'
import { request } from '../cluster/request.ts'
import { clusters } from './scenario.ts'

const info = clusters.quick
const SECRETS = '/api/v1/namespaces/kubepass/secrets'

/** The API server as the issuer of deploy/base sees it. */
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

test('the attack by which create and delete on Secrets make an eternal token is refused', async () => {
  const annotations = { 'kubernetes.io/service-account.name': 'scanner' }
  const create = await asIssuer(
    'POST',
    SECRETS,
    secret({ metadata: { name: 'attack', annotations }, type: 'kubernetes.io/service-account-token' }),
  )
  expect(create).toMatchObject({ status: 403, text: expect.stringContaining('only empty Opaque Secrets are allowed here') as unknown })
})

test('and so is its second half, the read by a DELETE: a Secret that was there before cannot be had by a dry run', async () => {
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
  // What the policies are for: without them this is how a Secret is read, as soon as the API server has heard of the role.
  let before = await read()
  while (before.status === 403) before = await read()
  expect(before.text).toContain(Buffer.from('hunter2').toString('base64'))
  await kubectl(info, 'label', 'namespace', 'late', 'kubepass.dev/guarded=true')
  let answer = await read()
  while (answer.status === 200) answer = await read()
  expect(answer).toMatchObject({ status: 403, text: expect.stringContaining('only empty Opaque Secrets are allowed here') as unknown })
})

test.each<[string, object, RegExp]>([
  ['a Secret that holds something', secret({ stringData: { a: 'b' } }), /only empty Opaque Secrets/],
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
])('refused: %s', async (_name, body, why) => {
  const { status, text } = await asIssuer('POST', SECRETS, body)
  expect(text).toMatch(why)
  expect(status).toBe(403)
})

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
])('refused: a token %s', async (_name, spec, why) => {
  const { status, text } = await asIssuer('POST', '/api/v1/namespaces/kubepass/serviceaccounts/scanner/token', { spec })
  expect(text).toMatch(why)
  expect(status).toBe(403)
})

test.each([
  [
    'a token of another ServiceAccount',
    'POST',
    '/api/v1/namespaces/kubepass/serviceaccounts/default/token',
    { spec: { expirationSeconds: 900 } },
  ],
  ['reading Secrets', 'GET', SECRETS, {}],
  ['Secrets elsewhere', 'POST', '/api/v1/namespaces/default/secrets', secret({})],
])('the issuer may not: %s', async (_name, method, path, body) => {
  expect((await asIssuer(method, path, method === 'GET' ? {} : body)).status).toBe(403)
})
