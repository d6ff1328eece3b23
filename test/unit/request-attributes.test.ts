import { expect, test } from '@jest/globals'
import { isLabelSelector } from '../../src/rbac/label-selector.ts'
import { type RequestAttributes, requestAttributes } from '../../src/rbac/request-attributes.ts'

/** The attributes on one line: verb, group, version, resource, subresource, namespace and name, or verb and path. */
function line(attributes: RequestAttributes): string {
  if (!attributes.isResource) return `${attributes.verb} ${attributes.path}`
  const { verb, group, version, resource, subresource, namespace, name } = attributes
  return [verb, group, version, resource, subresource, namespace, name].map((text) => text ?? '-').join(' | ')
}

test.each<[string, string, string]>([
  ['GET', '/api/v1/pods', 'list |  | v1 | pods | - | - | -'],
  ['GET', '/api/v1/pods/', 'list |  | v1 | pods | - | - | -'],
  ['GET', '/api/v1/namespaces/a/pods/b', 'get |  | v1 | pods | - | a | b'],
  ['GET', '/api/v1/namespaces/a/pods/b/', 'get |  | v1 | pods | - | a | b'],
  ['HEAD', '/api/v1/namespaces/a/pods/b', 'get |  | v1 | pods | - | a | b'],
  ['HEAD', '/api/v1/namespaces/a/pods', 'list |  | v1 | pods | - | a | -'],
  ['GET', '/api/v1/namespaces/a/pods/b/log?follow=true', 'get |  | v1 | pods | log | a | b'],
  ['POST', '/api/v1/namespaces/a/pods/b/exec?command=sh', 'create |  | v1 | pods | exec | a | b'],
  ['GET', '/api/v1/namespaces/a/pods/b/proxy/c/d', 'get |  | v1 | pods | proxy | a | b'],
  ['POST', '/api/v1/namespaces/a/secrets', 'create |  | v1 | secrets | - | a | -'],
  ['PUT', '/apis/apps/v1/namespaces/a/deployments/b/scale', 'update | apps | v1 | deployments | scale | a | b'],
  ['PATCH', '/apis/apps/v1/namespaces/a/deployments/b', 'patch | apps | v1 | deployments | - | a | b'],
  ['DELETE', '/apis/apps/v1/namespaces/a/deployments/b', 'delete | apps | v1 | deployments | - | a | b'],
  ['DELETE', '/apis/apps/v1/namespaces/a/deployments', 'deletecollection | apps | v1 | deployments | - | a | -'],
  ['DELETE', '/api/v1/pods?fieldSelector=metadata.name%3Da', 'deletecollection |  | v1 | pods | - | - | -'],
  ['OPTIONS', '/api/v1/pods', ' |  | v1 | pods | - | - | -'],
  ['get', '/api/v1/pods', ' |  | v1 | pods | - | - | -'],
  ['GET', '/api/v1/namespaces', 'list |  | v1 | namespaces | - | - | -'],
  ['GET', '/api/v1/namespaces/a', 'get |  | v1 | namespaces | - | a | a'],
  ['PUT', '/api/v1/namespaces/a/finalize', 'update |  | v1 | namespaces | finalize | a | a'],
  ['GET', '/api/v1/namespaces/a/status', 'get |  | v1 | namespaces | status | a | a'],
  ['GET', '/api/v1/namespaces/a/finalizers', 'list |  | v1 | finalizers | - | a | -'],
  ['GET', '/api/v1/namespaces//pods', 'list |  | v1 | pods | - | - | -'],
  ['GET', '/api/v1//pods', 'get |  | v1 |  | - | - | pods'],
  ['GET', '/api/v1/watch/namespaces/a/pods/b', 'watch |  | v1 | pods | - | a | b'],
  ['DELETE', '/api/v1/watch/pods', 'watch |  | v1 | pods | - | - | -'],
  ['GET', '/api/v1/watch/namespaces/a/serviceaccounts/b/token', 'watch |  | v1 | serviceaccounts | token | a | b'],
  ['GET', '/api/v1/proxy/nodes/a/b', 'proxy |  | v1 | nodes | - | - | a'],
  ['GET', '/api/v1/watch', 'watch |  | v1 |  | - | - | -'],
  ['GET', '/%61pi/v1/p%6Fds/a%2Fb', 'get |  | v1 | pods | b | - | a'],
  [
    'GET',
    '/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode',
    'get | rbac.authorization.k8s.io | v1 | clusterroles | - | - | system:node',
  ],
  ['GET', '/api/v1/pods/%C3%A4', 'get |  | v1 | pods | - | - | ä'],
  ['GET', '/api/v1/pods/a+b', 'get |  | v1 | pods | - | - | a+b'],
  ['GET', '//api/v1/pods', 'list |  | v1 | pods | - | - | -'],
  ['GET', 'https://host/api/v1/pods?watch=1', 'watch |  | v1 | pods | - | - | -'],
  ['GET', '/', 'get /'],
  ['GET', '/api', 'get /api'],
  ['GET', '/api/v1/', 'get /api/v1/'],
  ['GET', '/apis/apps/v1', 'get /apis/apps/v1'],
  ['HEAD', '/healthz?verbose', 'head /healthz'],
  ['POST', '/API/v1/pods', 'post /API/v1/pods'],
  ['GET', '/metrics/%2e%2e', 'get /metrics/..'],
  ['OPTIONS', '*', 'options *'],
  ['GET', '/x%zz', 'get /x%zz'],
])('requestAttributes() of %s %s', (method, target, expected) => {
  expect(line(requestAttributes(method, target))).toBe(expected)
})

test.each<[string, string, string | undefined]>([
  ['watch', 'watch', undefined],
  ['watch=', 'watch', undefined],
  ['watch=true', 'watch', undefined],
  ['watch=no', 'watch', undefined],
  ['watch=FALSE', 'list', undefined],
  ['watch=0', 'list', undefined],
  ['watch=00', 'watch', undefined],
  ['watch=fal%C5%BFe', 'list', undefined],
  ['watch=fal%C5%BFe&limit=x', 'watch', undefined],
  ['watch=False&limit=x', 'list', undefined],
  ['wat%63h=1', 'watch', undefined],
  ['Watch=1', 'list', undefined],
  ['watch=0&watch=1', 'list', undefined],
  ['watch=1;x', 'list', undefined],
  ['watch=%zz', 'list', undefined],
  [`${'x&'.repeat(10_000)}watch=1`, 'list', undefined],
  ['fieldSelector=metadata.name%3Da', 'list', 'a'],
  ['fieldSelector=metadata.name=a&watch=1', 'watch', 'a'],
  ['fieldSelector=metadata.name%3D%3Da', 'list', 'a'],
  ['fieldSelector=metadata.name!=a', 'list', undefined],
  ['fieldSelector=metadata.name=a,spec.x=b', 'list', 'a'],
  ['fieldSelector=metadata.name=b,metadata.name=a', 'list', 'a'],
  ['fieldSelector=metadata.name=b,metadata.name==a', 'list', 'a'],
  ['fieldSelector=metadata.name=a,x', 'list', undefined],
  ['fieldSelector=metadata.name=a%5C,b', 'list', 'a,b'],
  ['fieldSelector=metadata.name=a%5Cb', 'list', undefined],
  ['fieldSelector=metadata.name=a=b', 'list', undefined],
  ['fieldSelector=metadata.name=..', 'list', undefined],
  ['fieldSelector=metadata.name=a%2Fb', 'list', undefined],
  ['fieldSelector=metadata.name=', 'list', undefined],
  ['fieldSelector=metadata.name=a+b', 'list', 'a b'],
  ['fieldSelector=metadata.name=a&labelSelector=a,', 'list', undefined],
  ['fieldSelector=metadata.name=a&labelSelector=a+in+(b,c)', 'list', 'a'],
  ['fieldSelector=metadata.name=a&limit=9223372036854775807', 'list', 'a'],
  ['fieldSelector=metadata.name=a&limit=9223372036854775808', 'list', undefined],
  ['fieldSelector=metadata.name=a&timeoutSeconds=', 'list', undefined],
])('the query %s of a collection', (query, verb, name) => {
  expect(requestAttributes('GET', `/api/v1/pods?${query}`)).toMatchObject({ verb, name, resource: 'pods' })
})

test.each([
  '',
  ' ',
  'a',
  '!a',
  'a=b',
  'a==b',
  'a!=',
  'a=,b',
  'a in (b,c)',
  'a in ()',
  'a in (,)',
  'a notin (in)',
  'in in (in)',
  'a>5',
  'a.b/c=d',
])('the API server reads the label selector %j', (selector) => {
  expect(isLabelSelector(selector)).toBe(true)
})

test.each([
  'a,',
  ',a',
  'a,,b',
  '!a=b',
  'a b',
  'a in (b c)',
  'a in b',
  'a in (b',
  'a>b',
  'a>',
  'x/y/z',
  '/a',
  '-a',
  'a=-',
  'a===b',
  '(a)',
  `a=${'x'.repeat(64)}`,
])('the API server refuses the label selector %j', (selector) => {
  expect(isLabelSelector(selector)).toBe(false)
})
