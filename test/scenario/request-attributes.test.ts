import { afterAll, beforeAll, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { Agent } from 'node:https'
import { type RequestAttributes, requestAttributes } from '../../src/rbac/request-attributes.ts'
import { admin, kubectl } from '../cluster/admin.ts'
import { request } from '../cluster/request.ts'
import { isLongRun } from '../long-run.ts'
import { newSeed, runEach } from '../seed.ts'
import { clusters } from './scenario.ts'

const info = clusters.quick
const NAMESPACE = 'request-attributes'
const COUNT = 4_000
const ROUNDS = isLongRun ? 5 : 1
const AT_ONCE = 16

interface Sample {
  method: string
  target: string
}

beforeAll(async () => {
  await kubectl(info, 'create', 'namespace', NAMESPACE)
  await kubectl(info, 'create', 'serviceaccount', 'nobody', '-n', NAMESPACE)
})
afterAll(async () => {
  await kubectl(info, 'delete', 'namespace', NAMESPACE, '--wait=false')
})

const oneOf = (...texts: string[]): fc.Arbitrary<string> => fc.constantFrom(...texts)
const maybe = (text: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.oneof({ weight: 2, arbitrary: fc.constant('') }, text)

/** A character as it is, or percent-encoded in upper or lower case, more often if it must be. */
function encoded(text: string): fc.Arbitrary<string> {
  const characters = Array.from(text, (character) => {
    const bytes = [...Buffer.from(character)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
    const needs = !/^[A-Za-z0-9._~!$'()*:@-]$/.test(character)
    return needs ? oneOf(bytes, bytes.toUpperCase()) : fc.oneof({ weight: 9, arbitrary: fc.constant(character) }, fc.constant(bytes))
  })
  return fc.tuple(...characters).map((parts) => parts.join(''))
}

const name = fc
  .oneof(
    oneOf(
      'web',
      'web-0',
      'system:node:x',
      'a.b-c',
      'true',
      'watch',
      'proxy',
      'namespaces',
      'status',
      'finalize',
      '.',
      '..',
      '',
      'x y',
      'a=b,c',
      'ä€𝄞',
      'a%b',
      'a\\b',
      '*',
      '~',
      'A_B',
      'a+b',
      'a;b',
      'a&b',
      '\0',
    ),
    fc.string({ maxLength: 5, unit: 'grapheme-ascii' }),
  )
  .chain(encoded)
const resource = fc.oneof(
  oneOf('pods', 'secrets', 'configmaps', 'deployments', 'namespaces', 'nodes', 'selfsubjectreviews', 'widgets', 'watch', 'proxy'),
  name,
)
const subresource = fc.oneof(
  oneOf('log', 'exec', 'attach', 'portforward', 'proxy', 'status', 'scale', 'finalize', 'token', 'eviction', 'proxy/a/b', 'log/more'),
  name,
)
const root = fc.oneof(
  { weight: 5, arbitrary: oneOf('/api/v1') },
  { weight: 5, arbitrary: oneOf('/apis/apps/v1', '/apis/rbac.authorization.k8s.io/v1', '/apis/example.com/v1beta1', '/apis/a%2Fb/v1') },
  oneOf(
    '/api',
    '/apis',
    '/apis/apps',
    '/API/v1',
    '//api/v1',
    '/%61pi/v1',
    '/api%2Fv1',
    '/api//v1',
    '/apis//v1',
    '/metrics',
    '/healthz',
    '/x',
    '',
  ),
)
const prefix = fc.oneof({ weight: 6, arbitrary: fc.constant('') }, oneOf('/watch', '/proxy', '/watch/watch', '/watc%68'))
const namespace = maybe(
  fc.oneof(
    oneOf('/namespaces/kubepass', '/namespaces/request-attributes', '/namespaces', '/namespaces//x'),
    name.map((text) => `/namespaces/${text}`),
  ),
)
const tail = fc.oneof({ weight: 6, arbitrary: fc.constant('') }, oneOf('/', '//', '/x', '/.', '/..'))
const path = fc
  .tuple(
    root,
    prefix,
    namespace,
    maybe(resource.map((text) => `/${text}`)),
    maybe(name.map((text) => `/${text}`)),
    maybe(subresource.map((text) => `/${text}`)),
    tail,
  )
  .map((parts) => parts.join('') || '/')

/** An equals sign or another character that means something in a query, encoded or not. */
const sign = oneOf('=', '%3D', '==', '%3d%3D', '!=', '%21=', '\\=')
const selected = fc.oneof(
  oneOf('web', 'a%5C,b', 'a%5C%5Cb', 'a%5Cb', 'a%5C%3Db', '..', '', 'a/b', 'a%2Fb', 'a%25b', '%E2%82%AC', 'a+b', 'a%2Bb', 'a%00', '%zz'),
  name,
)
const fieldTerm = fc.tuple(
  oneOf(
    'metadata.name',
    'metadata.name',
    'metadata.name',
    'metadata.name',
    'metadata.namespace',
    'spec.nodeName',
    'Metadata.name',
    'metadata%2Ename',
    '',
    '+metadata.name',
  ),
  fc.oneof({ weight: 5, arbitrary: sign }, fc.constant('')),
  selected,
)
const fieldSelector = fc.oneof(
  oneOf(
    'metadata.name=b,metadata.name=a',
    'metadata.name=b,metadata.name==a',
    'metadata.name=%F0%9D%84%9E,metadata.name=%EF%BF%BD',
    'metadata.name=,metadata.name=a',
    'metadata.name=b%2Cmetadata.name!=b',
  ),
  fc
    .array(
      fieldTerm.map((parts) => parts.join('')),
      { maxLength: 3 },
    )
    .chain((terms) => oneOf(',', '%2C', ',,', ';').map((comma) => terms.join(comma))),
)
const labelSelector = fc.oneof(
  oneOf(
    '',
    'a',
    '!a',
    'a=b',
    'a==b',
    'a!=b',
    '!a=b',
    'a%20in%20(b,c)',
    'a+in+()',
    'a+in+(,)',
    'a+in+(b+c)',
    'a+notin+(in)',
    'in+in+(in)',
    'a>5',
    'a<-5',
    'a>b',
    'a>',
    'a=,b',
    'a,',
    ',a',
    'a,,b',
    'x/y/z',
    'a.b/c=d',
    'A.b/c',
    '/a',
    'a b'.replace(' ', '+'),
    'a=b%00',
    'a%00b',
    '%00',
    '-a',
    'a=-',
    'a=%C3%A4',
    `a=${'x'.repeat(63)}`,
    `a=${'x'.repeat(64)}`,
    'a===b',
    'a=!b',
    '(a)',
    '%0Aa%09',
    '%0Ba',
  ),
  fc
    .array(oneOf('a', 'in', 'notin', 'b-c', '+', ',', '(', ')', '!', '=', '!=', '>', '5', '%00', 'x.y/z', '_'), { maxLength: 7 })
    .map((parts) => parts.join('')),
)
const flag = oneOf('true', 'false', '1', '0', '', 'True', 'FALSE', 'False', 'yes', '%66alse', 'fal%C5%BFe', 'false+', '00', '%zz', 'true;x')
const number = oneOf(
  '5',
  '0',
  '-1',
  '+5',
  '',
  'x',
  '9223372036854775807',
  '9223372036854775808',
  '-9223372036854775808',
  '-9223372036854775809',
  '1_000',
  '0x10',
  '007',
  '5+',
)
const parameter = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(oneOf('watch', 'watch', 'wat%63h', 'Watch'), flag) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('fieldSelector'), fieldSelector) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('labelSelector'), labelSelector) },
  { weight: 2, arbitrary: fc.tuple(oneOf('limit', 'timeoutSeconds'), number) },
  fc.tuple(
    oneOf('resourceVersion', 'resourceVersionMatch', 'sendInitialEvents', 'allowWatchBookmarks', 'continue', 'x', '', '%zz', 'a;b'),
    oneOf('0', 'x', '', 'NotOlderThan'),
  ),
)
const query = fc.oneof(
  fc.constant(''),
  fc
    .array(
      parameter.chain(([key, value]) => oneOf(`${key}=${value}`, `${key}=${value}`, `${key}=${value}`, key)),
      { maxLength: 4 },
    )
    .chain((parts) => oneOf('&', '&', '&&', ';').map((and) => `?${parts.join(and)}`)),
)
const anyRequest = fc
  .tuple(oneOf('GET', 'GET', 'GET', 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'DELETE', 'OPTIONS', 'PROPFIND'), path, query)
  .map(([method, ...target]): Sample => ({ method, target: target.join('').replaceAll(/[^!-~]/g, encodeURIComponent) }))

interface AuditEvent {
  verb: string
  requestURI: string
  userAgent: string
  objectRef?: { resource?: string; namespace?: string; name?: string; apiGroup?: string; apiVersion?: string; subresource?: string }
}

/** The event in the terms of requestAttributes(). */
function attributesIn({ verb, requestURI, objectRef }: AuditEvent): RequestAttributes {
  if (objectRef === undefined) return { isResource: false, verb, path: decodeURIComponent(requestURI.split('?')[0] ?? '') }
  const { apiGroup = '', apiVersion = '', resource: kind = '', ...place } = objectRef
  return {
    isResource: true,
    verb,
    group: apiGroup,
    version: apiVersion,
    resource: kind,
    subresource: place.subresource,
    namespace: place.namespace,
    name: place.name,
  }
}

/** Gives what the audit log gains after this call, also if the API server begins a new file meanwhile. */
function followAuditLog(): () => string[] {
  const descriptor = openSync(info.auditLog, 'r')
  const { size: start, ino } = fstatSync(descriptor)
  return () => {
    const bytes = Buffer.alloc(fstatSync(descriptor).size - start)
    readSync(descriptor, bytes, 0, bytes.length, start)
    closeSync(descriptor)
    const newer = statSync(info.auditLog).ino === ino ? '' : readFileSync(info.auditLog, 'utf8')
    return `${bytes.toString()}${newer}`.split('\n')
  }
}

test(`requestAttributes() gives what the API server's audit log shows, for ${String(ROUNDS * COUNT)} requests`, async () => {
  for (let round = 0; round < ROUNDS; round += 1) await compare(newSeed())
}, 600_000)

async function compare(seed: number): Promise<void> {
  const { body } = await admin(info).create<{ status: { token: string } }>(`/api/v1/namespaces/${NAMESPACE}/serviceaccounts/nobody/token`, {
    spec: {},
  })
  const requests = fc.sample(anyRequest, { seed, numRuns: COUNT }).map((each, number) => ({ ...each, number }))
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE, ca: readFileSync(info.ca) })
  const auditLog = followAuditLog()
  const statuses = new Map<number, number>()
  await runEach(
    requests,
    AT_ONCE,
    async ({ method, target, number }) => {
      const headers = { authorization: `Bearer ${body.status.token}`, 'user-agent': `attributes/${String(number)}` }
      const { status } = await request(info.server, { method, path: target, headers, agent })
      statuses.set(number, status)
    },
    seed,
  )
  agent.destroy()
  const events = new Map(
    auditLog()
      .filter((line) => line.includes('"userAgent":"attributes/'))
      .map((line) => JSON.parse(line) as AuditEvent)
      .map((event) => [Number(event.userAgent.split('/')[1]), event]),
  )
  const wrong = requests.flatMap(({ method, target, number }): object[] => {
    const event = events.get(number)
    // Go refuses a bad escape before Kubernetes sees the request, and Kubernetes a prefix without a resource.
    if (event === undefined) return [400, 500].includes(statuses.get(number) ?? 0) ? [] : [{ method, target, status: statuses.get(number) }]
    const [ours, theirs] = [requestAttributes(method, target), attributesIn(event)]
    const same = JSON.stringify(fieldsOf(ours)) === JSON.stringify(fieldsOf(theirs))
    return same ? [] : [{ method, target, ours, theirs }]
  })
  expect({ KUBEPASS_TEST_SEED: seed, wrong: wrong.slice(0, 5) }).toEqual({ KUBEPASS_TEST_SEED: seed, wrong: [] })
  expect(events.size).toBeGreaterThan(COUNT * 0.7)
  // Nothing changes, because the user may read nothing but the discovery.
  expect([...new Set(statuses.values())].filter((status) => ![200, 400, 403, 404, 405, 406, 415, 500].includes(status))).toEqual([])
}

/** The fields in one order. The audit log also shows the name of a created object, which the request does not have. */
function fieldsOf(attributes: RequestAttributes): unknown[] {
  if (!attributes.isResource) return [attributes.verb, attributes.path]
  const { verb, group, version, resource: kind, subresource: sub, namespace: place, name: object } = attributes
  return [verb, group, version, kind, sub ?? '', place ?? '', object ?? '']
}
