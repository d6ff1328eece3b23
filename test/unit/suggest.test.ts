import { afterAll, expect, test } from '@jest/globals'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { KubepassError } from '../../src/base/errors.ts'
import { suggest } from '../../src/commands/suggest.ts'
import type { UsedAccess } from '../../src/rbac/used-access.ts'

const folder = mkdtempSync(join(tmpdir(), 'suggest-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

function write(name: string, content: unknown): string {
  const path = join(folder, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

const use = (resource: string, refusedBy: 'kubepass' | null = null): UsedAccess => ({
  ...{ verb: 'list', group: '', resource, subresource: null, namespace: 'a', name: null, path: null },
  ...{ refused_by: refusedBy, count: 3, statuses: { 200: 3 }, first_at: '2026-01-01T00:00:00Z', last_at: '2026-01-01T00:00:00Z' },
})
const evidence = (name: string, uses: UsedAccess[], account = 'kubepass/scanner'): string =>
  write(name, {
    requested: { service_account: account },
    api_access: { ended_at: null, streams_cut: 0, requests: 3 * uses.length, unauthenticated: 0, uses, not_listed: 0 },
  })
const kindsIn = (yaml: string): unknown[] =>
  parseAllDocuments(yaml).map((document) => (document.toJS() as { metadata: { name: string; namespace: string } }).metadata)

test('several runs become one Role for each ServiceAccount and namespace', async () => {
  const files = [
    evidence('one.json', [use('pods'), use('secrets', 'kubepass')]),
    evidence('two.json', [use('services')]),
    evidence('three.json', [use('pods')], 'b/other'),
  ]
  const { text, failure } = await suggest(files, undefined)
  expect(failure).toBeUndefined()
  expect(text).toMatch(
    /^# The rights that 3 runs used, without those of every user\. Requests: 12\.\n# Refused requests, whose rights are left out: 3\.\n---\n/,
  )
  expect(text).toContain('    resources:\n      - pods\n      - services\n    verbs:\n      - list\n')
  expect(text).not.toContain('secrets')
  const names = ['kubepass:kubepass:scanner', 'kubepass:b:other'].flatMap((name) => [name, name])
  expect(kindsIn(text)).toEqual(names.map((name) => ({ name, namespace: 'a' })))
})

test('without a used right there is only a comment', async () => {
  const { text } = await suggest([evidence('none.json', [])], undefined)
  expect(text).toBe(
    '# The rights that one run used, without those of every user. Requests: 0.\n# The requests used no other right, so they need no Role.\n',
  )
})

test('--check lists new rights and unused rules', async () => {
  const old = write(
    'old.yaml',
    'kind: Role\nmetadata: {namespace: a, name: x}\nrules: [{apiGroups: [""], resources: [pods, "e\\nvil"], verbs: [list]}]\n',
  )
  const same = await suggest([evidence('one.json', [use('pods')])], old)
  expect([same.failure, same.text.split('\n').slice(-4)]).toEqual([
    undefined,
    [
      `# ${JSON.stringify(old)} grants every used right.`,
      `# Granted by ${JSON.stringify(old)}, but not used:`,
      String.raw`#   {apiGroups: [""], resources: ["e\nvil"], verbs: ["list"]} in "a"`,
      '',
    ],
  ])
  const more = await suggest([evidence('two.json', [use('pods'), use('services')])], old)
  expect(more.failure).toBe(`The runs used rights that ${JSON.stringify(old)} does not grant: standard output lists them.`)
  expect(more.text).toContain(`# Used, but not granted by ${JSON.stringify(old)}:\n#   list "services" in the namespace "a"\n`)
})

test.each<[unknown, RegExp]>([
  ['no JSON', /^The evidence ".*" is no JSON\.$/],
  ['null', /is no evidence: requested\.service_account is missing or wrong\.$/],
  [{ requested: { service_account: 'a/b' } }, /has no field api_access: an older kubepass wrote it\.$/],
  [
    { requested: { service_account: 'a/b' }, api_access: null },
    /has null in api_access: the scan had the token, so kubepass did not see its requests\.$/,
  ],
  [{ requested: { service_account: 'a/b' }, api_access: {} }, /has api_access\.ended_at, which is not as kubepass writes it\.$/],
  [{ requested: { service_account: 'a\nb' }, api_access: {} }, /is no evidence/],
])('the evidence %j is refused', async (content, message) => {
  const failed = suggest([write('wrong.json', content)], undefined)
  await expect(failed).rejects.toThrow(KubepassError)
  await expect(failed).rejects.toThrow(message)
})

test.each([
  ['kind: Secret', /^The file ".*" of --check has no rule of a Role or ClusterRole\.$/],
  ['a: [', /^The file ".*" of --check is no YAML \(\w+ in line 1\)\.$/],
])('the manifest %j is refused', async (content, message) => {
  await expect(suggest([evidence('one.json', [])], write('old.yaml', content))).rejects.toThrow(message)
  await expect(suggest([evidence('one.json', [])], join(folder, 'missing'))).rejects.toThrow(/cannot be read \(ENOENT\)/)
})
