import { describe, expect, test } from '@jest/globals'
import { type Allow, isNamedByAllow, refusalOf } from '../../src/rbac/allow.ts'
import type { AllowRule } from '../../src/rbac/allow-rule.ts'
import { alwaysRefused } from '../../src/rbac/always-refused.ts'
import { requestAttributes } from '../../src/rbac/request-attributes.ts'

const rule = (fields: Partial<AllowRule>): AllowRule => ({
  apiGroups: [''],
  resources: [],
  resourceNames: [],
  verbs: ['*'],
  nonResourceURLs: [],
  namespaces: [],
  ...fields,
})
const refusal = (allow: Allow, method: string, target: string): string | undefined => refusalOf(allow, requestAttributes(method, target))
const always = (method: string, target: string, allow: Allow = 'granted'): string | undefined =>
  alwaysRefused(requestAttributes(method, target), allow)

const POD = '/api/v1/namespaces/a/pods/web'

test('granted lets every request pass', () => {
  expect(refusal('granted', 'DELETE', '/api/v1/nodes')).toBeUndefined()
  expect(refusal('granted', 'POST', '/metrics')).toBeUndefined()
})

describe('read', () => {
  test.each([
    ['GET', '/api/v1/secrets'],
    ['GET', '/api/v1/pods?watch=1'],
    ['GET', '/api/v1/watch/pods'],
    ['HEAD', POD],
    ['GET', `${POD}/log?follow=1`],
    ['GET', '/apis/apps/v1/namespaces/a/deployments/b/scale'],
    ['GET', '/version'],
    ['HEAD', '/healthz'],
    ['POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews'],
    ['POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'],
    ['POST', '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews'],
  ])('lets pass: %s %s', (method, target) => {
    expect(refusal('read', method, target)).toBeUndefined()
  })

  test.each([
    ['GET', `${POD}/exec?command=sh`],
    ['GET', `${POD}/attach`],
    ['GET', `${POD}/portforward`],
    ['GET', `${POD}/proxy/x`],
    ['GET', '/api/v1/nodes/n/proxy/'],
    ['GET', '/api/v1/watch/namespaces/a/pods/web/exec'],
    ['GET', '/api/v1/proxy/nodes/n'],
    ['GET', '/apis/subresources.kubevirt.io/v1/namespaces/a/virtualmachineinstances/b/portforward'],
    ['POST', `${POD}/exec`],
    ['POST', '/api/v1/namespaces/a/pods'],
    ['PUT', POD],
    ['PATCH', POD],
    ['DELETE', POD],
    ['DELETE', '/api/v1/namespaces/a/pods'],
    ['OPTIONS', POD],
    ['POST', '/version'],
    ['POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews'],
    ['POST', '/apis/authorization.k8s.io/v1/namespaces/a/localsubjectaccessreviews'],
    ['POST', '/apis/example.com/v1/selfsubjectreviews'],
    ['POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews/a/b'],
  ])('refuses: %s %s', (method, target) => {
    expect(refusal('read', method, target)).toBe('allow: read lets only get, list, watch, logs and self reviews pass')
  })
})

describe('a rule', () => {
  const pods = rule({ resources: ['pods'], verbs: ['get', 'list'] })
  test.each<[string, AllowRule[], string, string]>([
    ['the verb', [pods], 'GET', POD],
    ['any verb', [rule({ resources: ['pods'] })], 'DELETE', POD],
    ['any group', [rule({ apiGroups: ['*'], resources: ['deployments'] })], 'GET', '/apis/apps/v1/deployments'],
    ['any resource', [rule({ resources: ['*'] })], 'GET', `${POD}/log`],
    ['a subresource', [rule({ resources: ['pods/log'] })], 'GET', `${POD}/log`],
    ['a subresource of any resource', [rule({ resources: ['*/log'] })], 'GET', `${POD}/log`],
    ['the name', [rule({ resources: ['pods'], resourceNames: ['x', 'web'] })], 'GET', POD],
    [
      'the name of a field selector',
      [rule({ resources: ['pods'], resourceNames: ['web'] })],
      'GET',
      '/api/v1/pods?watch=1&fieldSelector=metadata.name%3Dweb',
    ],
    ['the namespace', [rule({ resources: ['pods'], namespaces: ['b', 'a'] })], 'GET', POD],
    ['the namespace itself', [rule({ resources: ['namespaces'], namespaces: ['a'] })], 'GET', '/api/v1/namespaces/a'],
    ['a path', [rule({ nonResourceURLs: ['/metrics'] })], 'GET', '/metrics'],
    ['the begin of a path', [rule({ nonResourceURLs: ['/logs/*'] })], 'GET', '/logs/a/b'],
    ['any path', [rule({ nonResourceURLs: ['*'] })], 'GET', '/'],
    ['get and create in one rule', [rule({ resources: ['pods/exec'], verbs: ['get', 'create'] })], 'GET', `${POD}/exec`],
    [
      'get and create in two rules',
      [rule({ resources: ['pods/exec'], verbs: ['get'] }), rule({ resources: ['pods/exec'], verbs: ['create'] })],
      'GET',
      `${POD}/exec`,
    ],
    ['create alone for SPDY', [rule({ resources: ['pods/exec'], verbs: ['create'] })], 'POST', `${POD}/exec`],
  ])('allows %s', (_, rules, method, target) => {
    expect(refusal(rules, method, target)).toBeUndefined()
  })

  test.each<[string, AllowRule[], string, string]>([
    ['another verb', [pods], 'DELETE', POD],
    ['another group', [pods], 'GET', '/apis/metrics.k8s.io/v1/pods'],
    ['a subresource of its resource', [pods], 'GET', `${POD}/log`],
    ['a resource for its subresource', [rule({ resources: ['pods/log'] })], 'GET', POD],
    ['the form pods/*, which matches nothing', [rule({ resources: ['pods/*'] })], 'GET', `${POD}/log`],
    ['the form */log without a subresource', [rule({ resources: ['*/log'] })], 'GET', '/api/v1/pods/log'],
    ['another name', [rule({ resources: ['pods'], resourceNames: ['x'] })], 'GET', POD],
    ['a request without a name', [rule({ resources: ['pods'], resourceNames: ['web'] })], 'GET', '/api/v1/pods'],
    ['a creation under names', [rule({ resources: ['pods'], resourceNames: ['web'] })], 'POST', '/api/v1/namespaces/a/pods'],
    [
      'a deletion of all under names',
      [rule({ resources: ['pods'], resourceNames: ['web'] })],
      'DELETE',
      '/api/v1/namespaces/a/pods?fieldSelector=metadata.name=web',
    ],
    ['another namespace', [rule({ resources: ['pods'], namespaces: ['b'] })], 'GET', POD],
    ['all namespaces', [rule({ resources: ['pods'], namespaces: ['a'] })], 'GET', '/api/v1/pods'],
    ['a path below its path', [rule({ nonResourceURLs: ['/metrics'] })], 'GET', '/metrics/a'],
    ['a path of a rule with resources', [rule({ resources: ['*'] })], 'GET', '/metrics'],
    ['a resource of a rule with paths', [rule({ nonResourceURLs: ['*'] })], 'GET', POD],
    ['a path in a namespace', [rule({ nonResourceURLs: ['*'], namespaces: ['a'] })], 'GET', '/metrics'],
    ['a WebSocket with get alone', [rule({ resources: ['pods/exec'], verbs: ['get'] })], 'GET', `${POD}/exec`],
    ['a WebSocket with create alone', [rule({ resources: ['pods/attach'], verbs: ['create'] })], 'GET', `${POD}/attach`],
    ['everything without rules', [], 'GET', '/metrics'],
  ])('does not allow %s', (_, rules, method, target) => {
    expect(refusal(rules, method, target)).toMatch(/^allow: no rule lets this request pass: /)
  })

  test.each([
    ['GET', '/version'],
    ['GET', '/apis/apps/v1'],
    ['GET', '/openapi/v3/api/v1'],
    ['POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews'],
    ['POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'],
  ])('every user may send %s %s, so no rule need allow it', (method, target) => {
    expect(refusal([], method, target)).toBeUndefined()
  })

  test.each([
    ['/apis/subresources.kubevirt.io/v1/namespaces/a/virtualmachineinstances/x/console', true],
    ['/apis/example.com/v1/namespaces/a/things/x/connect', true],
    ['/api/v1/namespaces/a/pods?watch=true', false],
    ['/api/v1/namespaces/a/pods/x/log?follow=true', false],
  ])('allow: read refuses another protocol for %s: %s', (target, isRefused) => {
    expect(refusalOf('read', requestAttributes('GET', target), true) !== undefined).toBe(isRefused)
    expect(refusalOf('read', requestAttributes('GET', target))).toBeUndefined()
  })

  test('the reason names the request that no rule allows', () => {
    expect(refusal([rule({ resources: ['pods/exec'], verbs: ['get'] })], 'GET', `${POD}/exec`)).toBe(
      'allow: no rule lets this request pass: create "pods/exec" in the namespace "a"',
    )
    expect(refusal([pods], 'GET', '/metrics')).toBe('allow: no rule lets this request pass: get the path "/metrics"')
  })
})

test.each<[string, string, RegExp]>([
  ['POST', '/api/v1/namespaces/a/serviceaccounts/b/token', /serviceaccounts\/token is always refused/],
  ['GET', '/api/v1/watch/namespaces/a/serviceaccounts/b/token', /serviceaccounts\/token/],
  ['POST', '/api/v1/namespaces/a/serviceaccounts/b/%74oken', /serviceaccounts\/token/],
  ['POST', '/apis/authentication.k8s.io/v1/tokenreviews', /tokenreviews are always refused/],
  ['POST', '/apis/certificates.k8s.io/v1/certificatesigningrequests', /certificatesigningrequests/],
  ['PUT', '/apis/certificates.k8s.io/v1/certificatesigningrequests/a/approval', /certificatesigningrequests/],
  ['DELETE', '/apis/certificates.k8s.io/v1/certificatesigningrequests', /certificatesigningrequests/],
  ['GET', '/api/v1/nodes/n/proxy/metrics', /^nodes\/proxy is refused unless a rule of allow names it/],
  ['GET', '/api/v1/proxy/nodes/n', /^the verb proxy is refused unless/],
])('always refused: %s %s', (method, target, reason) => {
  expect(always(method, target)).toMatch(reason)
  expect(always(method, target, [rule({ apiGroups: ['*'], resources: ['*'] })])).toMatch(reason)
})

test.each([
  ['GET', '/api/v1/namespaces/a/serviceaccounts/token'],
  ['POST', '/api/v1/namespaces/a/serviceaccounts'],
  ['GET', '/apis/certificates.k8s.io/v1/certificatesigningrequests?watch=1'],
  ['POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews'],
  ['GET', '/api/v1/namespaces/a/pods/proxy'],
  ['GET', '/proxy'],
])('not always refused: %s %s', (method, target) => {
  expect(always(method, target)).toBeUndefined()
})

test.each<[boolean, AllowRule, string]>([
  [true, rule({ resources: ['nodes/proxy'] }), '/api/v1/nodes/n/proxy'],
  [true, rule({ resources: ['*/proxy'] }), '/api/v1/namespaces/a/services/s/proxy/x'],
  [true, rule({ resources: ['nodes'], verbs: ['proxy'] }), '/api/v1/proxy/nodes/n'],
  [false, rule({ resources: ['*'] }), '/api/v1/nodes/n/proxy'],
  [false, rule({ resources: ['pods/proxy', '*'] }), '/api/v1/nodes/n/proxy'],
  [false, rule({ resources: ['nodes/proxy'], verbs: ['create'] }), '/api/v1/nodes/n/proxy'],
  [false, rule({ resources: ['nodes/proxy'], resourceNames: ['m'] }), '/api/v1/nodes/n/proxy'],
  [false, rule({ resources: ['nodes'] }), '/api/v1/proxy/nodes/n'],
  [false, rule({ nonResourceURLs: ['*'] }), '/api/v1/nodes/n/proxy'],
])('a proxy is named by allow: %s for %j and %s', (isNamed, named, target) => {
  expect(isNamedByAllow([named], requestAttributes('GET', target))).toBe(isNamed)
  expect(always('GET', target, [named]) === undefined).toBe(isNamed)
  for (const allow of ['granted', 'read'] as const) expect(isNamedByAllow(allow, requestAttributes('GET', target))).toBe(false)
})
