import { describe, expect, test } from '@jest/globals'
import { hintFor, transientHint, type AnswerFacts } from '../../src/kube/hint.ts'
import { attributesOf } from '../../src/kube/request-attributes.ts'
import { type ApiRequest, type BodyKind } from '../../src/kube/answer.ts'
import { Redactor } from '../../src/redact/redactor.ts'

const { seal } = new Redactor()
const bearer = { bearer: seal('abcdefghijklmnopqrstuvwxyz') }
const USER = 'system:serviceaccount:kubepass-issuer:issuer'

const CALLS = {
  create: { method: 'POST', path: '/api/v1/namespaces/kubepass/secrets' },
  token: { method: 'POST', path: '/api/v1/namespaces/kubepass/serviceaccounts/scaner/token' },
  review: { method: 'POST', path: '/apis/authentication.k8s.io/v1/selfsubjectreviews' },
  delete: { method: 'DELETE', path: '/api/v1/namespaces/kubepass/secrets/kubepass-1-1-0123456789abcdef' },
  list: { method: 'GET', path: '/api/v1/namespaces/kubepass/secrets?labelSelector=x&limit=250' },
} as const satisfies Record<string, Pick<ApiRequest, 'method' | 'path'>>
type Call = keyof typeof CALLS

function asked(call: Call, prefix = ''): ApiRequest {
  return { server: `https://10.0.0.1:6443${prefix}`, ...CALLS[call] }
}

function status(code: number, reason: string, message: string, details?: object): AnswerFacts {
  const kubeStatus = { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message, ...(details && { details }) }
  return { status: code, bodyKind: 'a Kubernetes Status', kubeStatus }
}

interface Denied {
  verb: string
  resource: string
  group?: string
  namespace?: string
}

function denied({ verb, resource, group = '', namespace }: Denied, details: object): AnswerFacts {
  const place = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`
  return status(
    403,
    'Forbidden',
    `x is forbidden: User "${USER}" cannot ${verb} resource "${resource}" in API group "${group}" ${place}`,
    details,
  )
}

const noPath = (path: string, verb = 'post'): AnswerFacts =>
  status(403, 'Forbidden', `forbidden: User "${USER}" cannot ${verb} path "${path}"`, {})
const unknownResource = status(404, 'NotFound', 'the server could not find the requested resource', {})
const foreign = (code: number, bodyKind: BodyKind): AnswerFacts => ({ status: code, bodyKind, kubeStatus: undefined })

const hint = (call: Call, answered: AnswerFacts, prefix = ''): string => hintFor(asked(call, prefix), answered, bearer)

test.each<[Call, object]>([
  ['create', { verb: 'create', group: '', resource: 'secrets', namespace: 'kubepass', name: undefined }],
  ['token', { verb: 'create', group: '', resource: 'serviceaccounts/token', namespace: 'kubepass', name: 'scaner' }],
  ['review', { verb: 'create', group: 'authentication.k8s.io', resource: 'selfsubjectreviews', namespace: undefined, name: undefined }],
  ['delete', { verb: 'delete', group: '', resource: 'secrets', namespace: 'kubepass', name: 'kubepass-1-1-0123456789abcdef' }],
  ['list', { verb: 'list', group: '', resource: 'secrets', namespace: 'kubepass', name: undefined }],
])('attributesOf() gives the RBAC attributes of the request: %s', (call, attributes) => {
  expect(attributesOf(CALLS[call])).toEqual(attributes)
})

describe("the hint for a path in the server's URL that is not part of it", () => {
  // These are answers of kube-apiserver 1.36: the first ones to an identity without rights, the others to one that may do everything.
  test.each<[string, Call, AnswerFacts]>([
    ['/api', 'create', denied({ verb: 'create', resource: 'v1/kubepass' }, { name: 'namespaces', kind: 'v1' })],
    ['/api', 'token', denied({ verb: 'create', resource: 'v1/kubepass' }, { name: 'namespaces', kind: 'v1' })],
    [
      '/api',
      'review',
      denied({ verb: 'create', resource: 'authentication.k8s.io/selfsubjectreviews' }, { name: 'v1', kind: 'authentication.k8s.io' }),
    ],
    ['/api', 'delete', denied({ verb: 'delete', resource: 'v1/kubepass' }, { name: 'namespaces', kind: 'v1' })],
    ['/api', 'list', denied({ verb: 'get', resource: 'v1/kubepass' }, { name: 'namespaces', kind: 'v1' })],
    [
      '/apis',
      'create',
      denied({ verb: 'create', resource: 'secrets', group: 'api', namespace: 'kubepass' }, { group: 'api', kind: 'secrets' }),
    ],
    [
      '/apis',
      'token',
      denied(
        { verb: 'create', resource: 'serviceaccounts/token', group: 'api', namespace: 'kubepass' },
        { name: 'scaner', group: 'api', kind: 'serviceaccounts' },
      ),
    ],
    [
      '/apis',
      'list',
      denied({ verb: 'list', resource: 'secrets', group: 'api', namespace: 'kubepass' }, { group: 'api', kind: 'secrets' }),
    ],
    ['/api/v1', 'create', denied({ verb: 'create', resource: 'api/namespaces' }, { name: 'v1', kind: 'api' })],
    [
      '/api/v1/namespaces/kubepass',
      'create',
      denied({ verb: 'create', resource: 'api/namespaces', namespace: 'kubepass' }, { name: 'v1', kind: 'api' }),
    ],
    ['/foo', 'create', noPath('/foo/api/v1/namespaces/kubepass/secrets')],
    ['/foo', 'delete', noPath('/foo/api/v1/namespaces/kubepass/secrets/kubepass-1-1-0123456789abcdef', 'delete')],
    ['/k8s/clusters/c-1', 'create', noPath('/k8s/clusters/c-1/api/v1/namespaces/kubepass/secrets')],
    [
      '/api/v1/namespaces/x/services/y/proxy',
      'create',
      denied({ verb: 'create', resource: 'services/proxy', namespace: 'x' }, { name: 'y', kind: 'services' }),
    ],
    ['/api/v1/namespaces/x/services/y/proxy', 'create', status(404, 'NotFound', 'services "y" not found', { name: 'y', kind: 'services' })],
    ['/api', 'create', unknownResource],
    ['/api', 'list', unknownResource],
    ['/version', 'token', unknownResource],
    ['/apis/apps/v1', 'delete', status(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {})],
  ])('names the path and no RBAC rule: %s, %s', (prefix, call, answered) => {
    const text = hint(call, answered, prefix)
    expect(text).toContain(`the server's URL has the path "${prefix}", which is not part of it. Give https://10.0.0.1:6443 as server`)
    expect(text).not.toMatch(/RBAC rule|kubectl|1\.28/)
  })

  test.each<[string, AnswerFacts]>([
    ['/foo', foreign(404, 'plain text')],
    ['/foo', foreign(404, 'HTML')],
  ])('names the path if the answer is not a Status: %s', (prefix, answered) => {
    expect(hint('create', answered, prefix)).toMatch(/its sender is not a Kubernetes API server.* the server's URL has the path "\/foo"/)
  })

  test('names the RBAC rule if the path belongs to the URL', () => {
    const answered = denied({ verb: 'create', resource: 'secrets', namespace: 'kubepass' }, { kind: 'secrets' })
    expect(hint('create', answered, '/k8s/clusters/c-1')).toContain('Add this RBAC rule to a Role in namespace "kubepass"')
  })
})

test.each<[string, Call, AnswerFacts]>([
  ['an aggregated API', 'create', status(403, 'Forbidden', 'no', { group: 'metrics.k8s.io', kind: 'pods' })],
  ['another resource', 'create', status(404, 'NotFound', 'pods "x" not found', { name: 'x', kind: 'pods' })],
  ['another namespace', 'create', status(404, 'NotFound', 'namespaces "x" not found', { name: 'x', kind: 'namespaces' })],
  ['another ServiceAccount', 'token', status(404, 'NotFound', 'serviceaccounts "x" not found', { name: 'x', kind: 'serviceaccounts' })],
  ['another verb', 'delete', denied({ verb: 'create', resource: 'secrets', namespace: 'kubepass' }, { kind: 'secrets' })],
  [
    'a namespace that is not in the request',
    'create',
    denied({ verb: 'create', resource: 'secrets', namespace: 'default' }, { kind: 'secrets' }),
  ],
  ['an unknown resource', 'create', unknownResource],
  ['a method that is not allowed', 'create', status(405, 'MethodNotAllowed', 'the server does not allow this method', {})],
])('the hint has no RBAC rule if the API server answers for another request: %s', (_, call, answered) => {
  const text = hint(call, answered)
  expect(text).toMatch(/^The API server answered for .*, but kubepass asked for .*does a proxy or gateway in between change requests/)
  expect(text).not.toMatch(/RBAC rule|kubectl/)
})

describe('the hint for an answer that no API server sent', () => {
  test.each<[number, BodyKind]>([
    ...[200, 400, 401, 403, 404, 405, 406, 413, 415, 421, 422, 431].flatMap((code) =>
      (['HTML', 'JSON of another kind', 'plain text', 'an empty body', 'something else'] as const).map((bodyKind): [number, BodyKind] => [
        code,
        bodyKind,
      ]),
    ),
  ])('does not speak of Kubernetes: %d with %s', (code, bodyKind) => {
    for (const call of Object.keys(CALLS) as Call[]) {
      const text = hint(call, foreign(code, bodyKind))
      expect(text).toContain(`The answer is ${bodyKind}, not a Kubernetes Status: its sender is not a Kubernetes API server`)
      expect(text).not.toMatch(/RBAC|kubectl|namespace|ServiceAccount|1\.28|authentication-config/)
    }
  })

  test.each<[number, BodyKind]>([
    [431, 'an empty body'],
    [431, 'plain text'],
    [400, 'HTML'],
  ])('names the length of a long token: %d with %s', (code, bodyKind) => {
    const long = { bearer: seal('x'.repeat(60_000)) }
    expect(hintFor(asked('create'), foreign(code, bodyKind), long)).toBe(
      'The token has 60000 characters. The server may not accept a header of that length. Is it the right token?',
    )
  })

  test('says that kubepass follows no redirect', () => {
    expect(hint('create', foreign(307, 'an empty body'))).toContain('Set server to the URL that the redirect leads to')
  })
})

const RULES: [Call, AnswerFacts, RegExp[]][] = [
  [
    'create',
    denied({ verb: 'create', resource: 'secrets', namespace: 'kubepass' }, { kind: 'secrets' }),
    [
      /^Is service_account right\? The namespace "kubepass" may not exist\./,
      /Add this RBAC rule to a Role in namespace "kubepass" that is bound to ".*:issuer": \{apiGroups: \[""\], resources: \["secrets"\], verbs: \["create", "delete"\]\}/,
      /revocation: best-effort/,
    ],
  ],
  [
    'token',
    denied({ verb: 'create', resource: 'serviceaccounts/token', namespace: 'kubepass' }, { name: 'scaner', kind: 'serviceaccounts' }),
    [
      /^The ServiceAccount "scaner" may not exist in namespace "kubepass", or the Role of ".*:issuer" does not have its name in resourceNames\./,
      /kubectl get serviceaccounts -n kubepass\n/,
      /If it is right: Add this RBAC rule .* resourceNames: \["scaner"\], verbs: \["create"\]/,
    ],
  ],
  [
    'delete',
    denied({ verb: 'delete', resource: 'secrets', namespace: 'kubepass' }, { name: 'kubepass-1-1-0123456789abcdef', kind: 'secrets' }),
    [/^Add this RBAC rule .*verbs: \["delete"\]/],
  ],
  [
    'list',
    denied({ verb: 'list', resource: 'secrets', namespace: 'kubepass' }, { kind: 'secrets' }),
    [/verbs: \["list", "delete"\]/, /deploy\/sweeper/],
  ],
  [
    'review',
    denied(
      { verb: 'create', resource: 'selfsubjectreviews', group: 'authentication.k8s.io' },
      {
        group: 'authentication.k8s.io',
        kind: 'selfsubjectreviews',
      },
    ),
    [/a ClusterRole .*apiGroups: \["authentication.k8s.io"\]/],
  ],
]
test.each(RULES)('the hint for a 403 names the missing RBAC rule: %s', (call, answered, says) => {
  for (const each of says) expect(hint(call, answered)).toMatch(each)
})

const terminating = { name: 'x', kind: 'secrets', causes: [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }] }
const ERRORS: [string, Call, AnswerFacts, RegExp][] = [
  [
    'a namespace that does not exist',
    'create',
    status(404, 'NotFound', 'namespaces "kubepass" not found', { name: 'kubepass', kind: 'namespaces' }),
    /does not exist[^]*\n {2}kubectl create namespace kubepass\n {2}kubectl label namespace kubepass kubepass\.dev\/guarded=true\n/,
  ],
  [
    'a namespace that does not exist, for a token',
    'token',
    status(404, 'NotFound', 'namespaces "kubepass" not found', { name: 'kubepass', kind: 'namespaces' }),
    /kubectl label namespace kubepass kubepass\.dev\/guarded=true/,
  ],
  [
    'a ServiceAccount that does not exist',
    'token',
    status(404, 'NotFound', 'serviceaccounts "scaner" not found', { name: 'scaner', kind: 'serviceaccounts' }),
    /"scaner" does not exist in namespace "kubepass"\. Correct service_account, or create it:\n {2}kubectl create serviceaccount -n kubepass scaner$/,
  ],
  [
    'the bound Secret was deleted',
    'token',
    status(404, 'NotFound', 'secrets "kubepass-1" not found', { name: 'kubepass-1', kind: 'secrets' }),
    /^Another program deleted the bound Secret before the API server issued the token/,
  ],
  [
    'the bound Secret is another one',
    'token',
    status(409, 'Conflict', 'Operation cannot be fulfilled on Secret "x": the UID in the bound object reference', {
      name: 'x',
      kind: 'Secret',
    }),
    /^Another program deleted the bound Secret/,
  ],
  [
    'a namespace that is being deleted',
    'create',
    status(
      403,
      'Forbidden',
      'secrets "x" is forbidden: unable to create new content in namespace kubepass because it is being terminated',
      terminating,
    ),
    /^The namespace "kubepass" is being deleted/,
  ],
  [
    'a quota',
    'create',
    status(
      403,
      'Forbidden',
      'secrets "x" is forbidden: exceeded quota: kubepass, requested: count/secrets=1, used: count/secrets=1, limited: count/secrets=1',
      { name: 'x', kind: 'secrets' },
    ),
    /^The quota of namespace "kubepass" is used up\.[^]*kubepass sweep --server/,
  ],
  [
    'a policy',
    'token',
    status(403, 'Forbidden', "serviceaccounts \"scaner\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' denied request: no", {
      name: 'scaner',
      kind: 'serviceaccounts',
    }),
    /^An admission policy of the cluster forbids this/,
  ],
  [
    'a webhook',
    'create',
    status(400, 'BadRequest', 'admission webhook "w.example.com" denied the request: no'),
    /^The API server's message is quoted above/,
  ],
  [
    'a webhook with 403',
    'create',
    status(403, 'Forbidden', 'admission webhook "w.example.com" denied the request: no'),
    /^An admission policy/,
  ],
  [
    'a request without identity',
    'create',
    status(
      403,
      'Forbidden',
      'secrets is forbidden: User "system:anonymous" cannot create resource "secrets" in API group "" in the namespace "kubepass"',
      { kind: 'secrets' },
    ),
    /arrived without a token/,
  ],
  ['an old API server', 'review', unknownResource, /1\.28 or later/],
  ...[400, 403, 404, 406, 409, 415, 422].map((code): [string, Call, AnswerFacts, RegExp] => [
    `${String(code)} without details`,
    'create',
    status(code, 'Whatever', 'this is no'),
    /^The API server's message is quoted above/,
  ]),
  [
    'a duration that the API server rejects',
    'token',
    status(422, 'Invalid', 'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds', {
      group: 'authentication.k8s.io',
      kind: 'TokenRequest',
    }),
    /^The API server's message is quoted above/,
  ],
]
test.each(ERRORS)("the hint follows from the API server's error: %s", (_, call, answered, says) => {
  const text = hint(call, answered)
  expect(text).toMatch(says)
  expect(text).not.toContain('RBAC rule')
})

describe('the hint for a 401', () => {
  const unauthorized = status(401, 'Unauthorized', 'Unauthorized')
  const NOW = 1_800_000_000
  const of = (claims: object): string => {
    const [header, body] = [{ alg: 'RS256' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    return hintFor(asked('create'), unauthorized, { bearer: seal(`${String(header)}.${String(body)}.c2lnbmF0dXJl`) }, NOW)
  }
  test("shows the token's times, and how far away they are", () => {
    const text = of({ iss: 'x', aud: ['a', 'b'], iat: NOW - 7200, nbf: NOW + 600, exp: NOW - 180 })
    expect(text).toContain('  aud: ["a","b"]\n')
    expect(text).toMatch(/ {2}iat: 2027-01-15T06:00:00Z \(2 hours ago\)\n {2}nbf: .* \(in 10 minutes\)\n {2}exp: .* \(3 minutes ago\)\n/)
    expect(text).toContain('--authentication-config, or with its --oidc flags: ')
  })
  test('does not speak of OpenID Connect for a ServiceAccount token', () => {
    expect(of({ iss: 'x', 'kubernetes.io': { namespace: 'x' } })).toMatch(/does it come from this cluster/)
  })
})

test.each<[string, AnswerFacts, RegExp]>([
  [
    'a webhook that is down',
    status(500, 'InternalError', 'Internal error occurred: failed calling webhook "w": failed to call webhook: Post'),
    /webhook of the cluster does not answer.*failurePolicy/,
  ],
  ['too many requests', status(429, 'TooManyRequests', 'x'), /more requests than it accepts/],
  [
    'a Service that the path of server names, from Kubernetes 1.37 on',
    status(503, 'ServiceUnavailable', 'no endpoints available for service "x"'),
    /^The API server answered for the service "x", but kubepass asked for create "secrets"/,
  ],
  ['500', status(500, 'InternalError', 'x'), /overloaded, or starting/],
  ['504', status(504, 'Timeout', 'x'), /overloaded, or starting/],
  ['a gateway', foreign(502, 'HTML'), /The answer is HTML, not a Kubernetes Status: it comes from a gateway or a load balancer/],
  ['an empty answer', foreign(503, 'an empty body'), /a gateway or a load balancer/],
])('transientHint() names the cause of a status that does not go away: %s', (_, answered, says) => {
  expect(transientHint(asked('create'), answered)).toMatch(says)
})
