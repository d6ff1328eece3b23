import { afterAll, expect, test } from '@jest/globals'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { allowAsJson, parseAllow } from '../../src/config/allow-input.ts'
import { inputs } from '../../src/config/inputs.ts'
import { InvalidValue } from '../../src/config/invalid-value.ts'
import { readSmallFile } from '../../src/config/small-file.ts'
import type { Allow } from '../../src/rbac/allow.ts'

const folder = mkdtempSync(join(tmpdir(), 'allow-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function parse(text: string): Promise<Allow> {
  return parseAllow(text, await allowAsJson(text, readSmallFile))
}

async function fault(text: string): Promise<string> {
  try {
    await parse(text)
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidValue)
    return (error as Error).message
  }
  throw new Error(`accepted: ${text}`)
}

const NONE = { apiGroups: [], resources: [], resourceNames: [], verbs: [], nonResourceURLs: [], namespaces: [] }
const PODS = { ...NONE, apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }

test('granted and read are words', async () => {
  expect([await parse('granted'), await parse('read')]).toEqual(['granted', 'read'])
})

test.each<[string, object[]]>([
  ['[{apiGroups: [""], resources: [pods], verbs: [get, list]}]', [PODS]],
  ['[{resources: [pods], verbs: [get, list]}]', [PODS]],
  ['{rules: [{resources: [pods], verbs: [get, list]}]}', [PODS]],
  ['rules: [{resources: [pods], verbs: [get, list]}]', [PODS]],
  ['rules:\n- resources: [pods]\n  verbs:\n  - get\n  - list\n', [PODS]],
  [
    '- resources: [pods]\n  verbs: [get, list]\n- nonResourceURLs: [/metrics, /logs/*]\n  verbs: [get]',
    [PODS, { ...NONE, nonResourceURLs: ['/metrics', '/logs/*'], verbs: ['get'] }],
  ],
  [
    '[{apiGroups: [apps, batch], resources: [deployments/scale, "*/status", "*"], resourceNames: ["system:x"], verbs: ["*"], namespaces: [a, b]}]',
    [
      {
        ...NONE,
        apiGroups: ['apps', 'batch'],
        resources: ['deployments/scale', '*/status', '*'],
        resourceNames: ['system:x'],
        verbs: ['*'],
        namespaces: ['a', 'b'],
      },
    ],
  ],
])('these are rules: %s', async (text, expected) => {
  expect(await parse(text)).toEqual(expected)
  const file = join(folder, 'rules.yaml')
  writeFileSync(file, text)
  expect(await parse(file)).toEqual(expected)
})

test.each<[string, RegExp]>([
  ['[]', /^holds 0 rules, not 1 to 1000$/],
  ['{}', /^holds no list of rules\. A correct rule: \{apiGroups: \[apps\], resources: \[deployments\], verbs: \[get, list\]\}$/],
  ['{rules: x}', /^holds no list of rules/],
  ['[x]', /^has rules\[0\], which is no mapping/],
  ['{kind: Role, rules: []}', /^has "kind", which is not known/],
  [
    '[{resources: [pods], verbs: [get]}, {resource: [pods], verbs: [get]}]',
    /^has rules\[1\]\.resource, which is no field of a rule; the fields are apiGroups, resources, /,
  ],
  ['[{resources: [pods]}]', /^has rules\[0\]\.verbs, which is missing or empty/],
  ['[{verbs: [get]}]', /^has rules\[0\]\.resources, which is missing or empty/],
  ['[{apiGroups: [], resources: [pods], verbs: [get]}]', /^has rules\[0\]\.apiGroups, which is empty/],
  ['[{resources: pods, verbs: [get]}]', /^has rules\[0\]\.resources, which is no list/],
  ['[{resources: [pods/*], verbs: [get]}]', /^has rules\[0\]\.resources\[0\], which is not "\*", a resource such as pods/],
  ['[{resources: [pods/log/x], verbs: [get]}]', /^has rules\[0\]\.resources\[0\]/],
  ['[{resources: [Pods], verbs: [get]}]', /^has rules\[0\]\.resources\[0\]/],
  ['[{resources: [pods], verbs: [GET]}]', /^has rules\[0\]\.verbs\[0\], which is not "\*" or a verb in lower case/],
  ['[{resources: [pods], verbs: [get, 5]}]', /^has rules\[0\]\.verbs\[1\]/],
  ['[{resources: [pods], verbs: [get], resourceNames: [""]}]', /^has rules\[0\]\.resourceNames\[0\]/],
  ['[{resources: [pods], verbs: [get], namespaces: [A]}]', /^has rules\[0\]\.namespaces\[0\]/],
  ['[{nonResourceURLs: [metrics], verbs: [get]}]', /^has rules\[0\]\.nonResourceURLs\[0\]/],
  ['[{nonResourceURLs: [/a*b], verbs: [get]}]', /^has rules\[0\]\.nonResourceURLs\[0\]/],
  ['[{nonResourceURLs: [/a], namespaces: [a], verbs: [get]}]', /^has rules\[0\]\.nonResourceURLs, beside which only verbs may stand/],
  ['[{resources: [pods], nonResourceURLs: [/a], verbs: [get]}]', /beside which only verbs may stand/],
  ['[{a: &x [get], verbs: *x}]', /^holds YAML aliases/],
  ['[{verbs: [get], verbs: [list]}]', /^is no YAML \(DUPLICATE_KEY in line 1\)$/],
  ['[{\n', /^is no YAML \(\w+ in line \d\)$/],
  ['a: b\n---\nc: d', /^holds more than one YAML document/],
  [`[${'{resources: [pods], verbs: [get]}, '.repeat(1001)}]`, /^holds 1001 rules/],
  [`[{resources: [${'pods, '.repeat(1001)}], verbs: [get]}]`, /^has rules\[0\]\.resources, which has over 1000 values/],
  [`- ${'x'.repeat(100_001)}: 1\n`, /^holds more than 100000 characters/],
  ['reed', /^names "reed", which cannot be read \(ENOENT\)$/],
  ['eyJhbGciOiJSUzI1NiIsImtpZCI6IiJ9.e30.x', /^is none of granted, read, rules, or the path of a file with rules$/],
])('a fault is named: %s', async (text, expected) => {
  expect(await fault(text)).toMatch(expected)
})

test('the name of an unknown field is quoted and cut', async () => {
  expect(await fault(`[{"::error::\\n${'x'.repeat(200)}": 1}]`)).toMatch(/^has rules\[0\]\.::error::\\nx{50}…?/)
  expect(await fault(`[{"a\\nb": 1}]`)).not.toContain('\n')
})

test('the pattern for GitLab lets rules without quotes pass, and refuses what could end the quotes around the flag', async () => {
  const pattern = new RegExp(inputs.allow.guard ?? '')
  const flow = '[{resources: [pods, pods/log], verbs: [get, list]}, {nonResourceURLs: [/metrics], verbs: [get]}]'
  for (const text of ['granted', 'read', 'ci/allow.yaml', flow, 'rules:\n- resources: [*]\r\n'])
    expect([text, pattern.test(text)]).toEqual([text, true])
  for (const text of ["'", '"', '\\', '$x', '`id`', '$(id)', ';', '&', '|', '<', '\0', 'ä'])
    expect([text, pattern.test(`a${text}`)]).toEqual([text, false])
  expect(await parse(flow)).toHaveLength(2)
})
