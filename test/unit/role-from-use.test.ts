import { describe, expect, test } from '@jest/globals'
import { compareRights } from '../../src/rbac/compare-rights.ts'
import { grantedRules } from '../../src/rbac/granted-rules.ts'
import { readApiAccess } from '../../src/rbac/read-api-access.ts'
import { rolesFor } from '../../src/rbac/role-from-use.ts'
import type { UsedAccess } from '../../src/rbac/used-access.ts'
import { usedRights } from '../../src/rbac/used-rights.ts'

/** A use of pods in the namespace a. */
const use = (fields: Partial<UsedAccess>): UsedAccess => ({
  verb: 'get',
  group: '',
  resource: 'pods',
  subresource: null,
  namespace: 'a',
  name: null,
  path: null,
  refused_by: null,
  count: 1,
  statuses: { 200: 1 },
  first_at: '2026-01-01T00:00:00Z',
  last_at: '2026-01-01T00:00:00Z',
  ...fields,
})
const ofPath = (path: string, verb = 'get'): UsedAccess => use({ verb, path, group: null, resource: null, namespace: null })
const SCANNER = { namespace: 'kubepass', name: 'scanner' }

/** The rules of each Role, by its namespace, or `cluster`. */
function rulesFor(...uses: UsedAccess[]): Record<string, unknown> {
  const roles = rolesFor(usedRights(uses), SCANNER).filter(({ kind }) => !kind.endsWith('Binding'))
  return Object.fromEntries(roles.map(({ metadata, ['rules']: rules }) => [metadata.namespace ?? 'cluster', rules]))
}

describe('the smallest Role', () => {
  test.each<[string, UsedAccess[], Record<string, unknown>]>([
    ['nothing was used', [], {}],
    [
      'objects with names',
      [use({ name: 'b' }), use({ name: 'a' }), use({ name: 'a', verb: 'delete' }), use({ name: 'b', verb: 'delete' })],
      { a: [{ apiGroups: [''], resources: ['pods'], resourceNames: ['a', 'b'], verbs: ['delete', 'get'] }] },
    ],
    [
      'different names for different verbs',
      [use({ name: 'a' }), use({ name: 'b', verb: 'patch' })],
      {
        a: [
          { apiGroups: [''], resources: ['pods'], resourceNames: ['a'], verbs: ['get'] },
          { apiGroups: [''], resources: ['pods'], resourceNames: ['b'], verbs: ['patch'] },
        ],
      },
    ],
    [
      'a list without a name beside one with a name',
      [use({ verb: 'list' }), use({ verb: 'list', name: 'a' }), use({ verb: 'watch', name: 'a' })],
      {
        a: [
          { apiGroups: [''], resources: ['pods'], resourceNames: ['a'], verbs: ['watch'] },
          { apiGroups: [''], resources: ['pods'], verbs: ['list'] },
        ],
      },
    ],
    [
      'the same verbs for two resources of a group',
      [use({ verb: 'list' }), use({ verb: 'list', resource: 'configmaps' }), use({ verb: 'list', resource: 'jobs', group: 'batch' })],
      {
        a: [
          { apiGroups: [''], resources: ['configmaps', 'pods'], verbs: ['list'] },
          { apiGroups: ['batch'], resources: ['jobs'], verbs: ['list'] },
        ],
      },
    ],
    [
      'a WebSocket of exec',
      [use({ subresource: 'exec', name: 'a', statuses: { 101: 1 } })],
      { a: [{ apiGroups: [''], resources: ['pods/exec'], resourceNames: ['a'], verbs: ['create', 'get'] }] },
    ],
    [
      'SPDY of exec',
      [use({ subresource: 'exec', name: 'a', verb: 'create' })],
      { a: [{ apiGroups: [''], resources: ['pods/exec'], resourceNames: ['a'], verbs: ['create'] }] },
    ],
    [
      'a patch that created the object',
      [use({ verb: 'patch', name: 'a', statuses: { 200: 1, 201: 1 } })],
      { a: [{ apiGroups: [''], resources: ['pods'], resourceNames: ['a'], verbs: ['create', 'patch'] }] },
    ],
    [
      'a create and a deletion of all',
      [use({ verb: 'create' }), use({ verb: 'deletecollection', name: 'a' })],
      { a: [{ apiGroups: [''], resources: ['pods'], verbs: ['create', 'deletecollection'] }] },
    ],
    [
      'a cluster-wide list, which covers that of a namespace',
      [use({ verb: 'list', namespace: null }), use({ verb: 'list' }), use({ verb: 'list', namespace: 'b' }), use({ name: 'a' })],
      {
        cluster: [{ apiGroups: [''], resources: ['pods'], verbs: ['list'] }],
        a: [{ apiGroups: [''], resources: ['pods'], resourceNames: ['a'], verbs: ['get'] }],
      },
    ],
    [
      'a Namespace object',
      [use({ resource: 'namespaces', namespace: 'a', name: 'a' })],
      { cluster: [{ apiGroups: [''], resources: ['namespaces'], resourceNames: ['a'], verbs: ['get'] }] },
    ],
    [
      'paths',
      [ofPath('/metrics'), ofPath('/logs/a'), ofPath('/x', 'post')],
      {
        cluster: [
          { nonResourceURLs: ['/logs/a', '/metrics'], verbs: ['get'] },
          { nonResourceURLs: ['/x'], verbs: ['post'] },
        ],
      },
    ],
    [
      'requests that every user may send, or that were refused',
      [
        ofPath('/apis/apps/v1'),
        ofPath('/version'),
        use({ verb: 'create', group: 'authentication.k8s.io', resource: 'selfsubjectreviews', namespace: null }),
        use({ refused_by: 'api-server' }),
        use({ refused_by: 'kubepass' }),
        use({ verb: '' }),
      ],
      {},
    ],
    [
      'an object that does not exist',
      [use({ name: 'x', statuses: { 404: 1 } })],
      { a: [{ apiGroups: [''], resources: ['pods'], resourceNames: ['x'], verbs: ['get'] }] },
    ],
  ])('for %s', (_, uses, expected) => {
    expect(rulesFor(...uses)).toEqual(expected)
  })

  test('has a binding to the ServiceAccount', () => {
    const objects = rolesFor(usedRights([use({ verb: 'list' }), use({ verb: 'list', resource: 'nodes', namespace: null })]), SCANNER)
    const subjects = [{ kind: 'ServiceAccount', name: 'scanner', namespace: 'kubepass' }]
    const roleRef = (kind: string): object => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name: 'kubepass:kubepass:scanner' })
    expect(objects.map(({ kind, metadata }) => [kind, metadata])).toEqual([
      ['ClusterRole', { name: 'kubepass:kubepass:scanner' }],
      ['ClusterRoleBinding', { name: 'kubepass:kubepass:scanner' }],
      ['Role', { name: 'kubepass:kubepass:scanner', namespace: 'a' }],
      ['RoleBinding', { name: 'kubepass:kubepass:scanner', namespace: 'a' }],
    ])
    expect(objects[1]).toMatchObject({ roleRef: roleRef('ClusterRole'), subjects })
    expect(objects[3]).toMatchObject({ roleRef: roleRef('Role'), subjects })
  })
})

describe('the rules of a manifest', () => {
  const role = (kind: string, name: string, namespace?: string): object => ({
    kind,
    metadata: { name, ...(namespace !== undefined && { namespace }) },
    rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
  })
  const binding = (kind: string, name: string, namespace?: string): object => ({
    kind,
    metadata: { name, ...(namespace !== undefined && { namespace }) },
    roleRef: { kind: 'ClusterRole', name },
  })
  test.each<[string, unknown[], string[][]]>([
    ['a Role', [role('Role', 'x', 'a')], [['a']]],
    ['a Role without a namespace', [role('Role', 'x')], [['default']]],
    ['a ClusterRole without a binding', [role('ClusterRole', 'x')], [[]]],
    [
      'a ClusterRole with a ClusterRoleBinding',
      [role('ClusterRole', 'x'), binding('ClusterRoleBinding', 'x'), binding('RoleBinding', 'x', 'a')],
      [[]],
    ],
    [
      'a ClusterRole with two RoleBindings',
      [binding('RoleBinding', 'x', 'a'), role('ClusterRole', 'x'), binding('RoleBinding', 'x', 'b')],
      [['a', 'b']],
    ],
    ['a List', [{ kind: 'List', items: [role('Role', 'x', 'a'), role('Role', 'y', 'b')] }], [['a'], ['b']]],
    [
      'other objects',
      [null, 'x', 5, [], { kind: 'Role' }, { kind: 'Secret', metadata: {} }, { kind: 'ClusterRole', metadata: {}, rules: [5] }],
      [],
    ],
  ])('count in these namespaces: %s', (_, documents, expected) => {
    expect(grantedRules(documents).map(({ namespaces }) => namespaces)).toEqual(expected)
  })

  test('are compared with what was used', () => {
    const rules = grantedRules([
      {
        kind: 'Role',
        metadata: { name: 'x', namespace: 'a' },
        rules: [{ apiGroups: [''], resources: ['pods', 'secrets'], verbs: ['get', 'list'] }],
      },
      {
        kind: 'ClusterRole',
        metadata: { name: 'y' },
        rules: [
          { nonResourceURLs: ['/metrics', '/x'], verbs: ['get'] },
          { apiGroups: ['apps'], resources: ['*'], verbs: ['*'] },
        ],
      },
    ])
    const { missing, unused } = compareRights(
      rules,
      usedRights([use({ verb: 'list' }), use({ verb: 'list', namespace: 'b' }), ofPath('/metrics')]),
    )
    expect(missing).toEqual([expect.objectContaining({ verb: 'list', namespace: 'b' })])
    expect(unused.map(({ resources, nonResourceURLs, verbs }) => [...resources, ...nonResourceURLs, ...verbs].join())).toEqual([
      'pods,get',
      'secrets,get,list',
      '/x,get',
      '*,*',
    ])
  })
})

describe('the field api_access', () => {
  const access = { ended_at: null, streams_cut: 0, requests: 1, unauthenticated: 0, not_listed: 0, uses: [use({}), ofPath('/x')] }
  test('is read', () => {
    expect(readApiAccess(JSON.parse(JSON.stringify(access)))).toEqual(access)
  })

  test.each<[unknown, string]>([
    [[], 'api_access'],
    ['x', 'api_access'],
    [{ ...access, more: 1 }, 'api_access'],
    [{ ...access, requests: -1 }, 'api_access.requests'],
    [{ ...access, uses: {} }, 'api_access.uses'],
    [{ ...access, uses: [use({}), null] }, 'api_access.uses[1]'],
    [{ ...access, uses: [{ ...use({}), verb: null }] }, 'api_access.uses[0].verb'],
    [{ ...access, uses: [{ ...use({}), refused_by: 'x' }] }, 'api_access.uses[0].refused_by'],
    [{ ...access, uses: [{ ...use({}), statuses: { 200: 'x' } }] }, 'api_access.uses[0].statuses'],
    [{ ...access, uses: [{ ...use({}), more: 1 }] }, 'api_access.uses[0]'],
    [{ ...access, uses: [use({ name: 'x'.repeat(10_001) })] }, 'api_access.uses[0].name'],
  ])('is refused if it is %j', (value, wrongField) => {
    expect(readApiAccess(value)).toEqual({ wrongField })
  })
})
