import { expect, test } from '@jest/globals'
import fc from 'fast-check'
import type { Evidence } from '../../src/state/evidence.ts'
import { jobSummary, asText, markdownParts } from '../../src/state/evidence-text.ts'
import { ended, evidenceOf, granted, whole } from './evidence-fixture.ts'

const lines = (markdown: string): string[] => markdown.split('\n').filter((line) => line !== '')
const rowsOf = (markdown: string): string[] => lines(markdown).filter((line) => line.startsWith('| ') && !/^\| (:--|Fact)/.test(line))

const everything: Partial<Evidence> = {
  ...whole,
  renewed: Array.from({ length: 99 }, () => granted),
  renewed_not_listed: 12,
  warnings: Array.from({ length: 30 }, (_, index) => `warning ${index}`),
  error: 'TAMPERED',
  error_reason: 'The scan wrote to GITHUB_ENV.',
}

test('the summary has the verdict as heading, the reason, the subject, a table of at most ten rows, and the warnings', () => {
  const markdown = jobSummary(evidenceOf(everything))
  expect(lines(markdown).slice(0, 3)).toEqual([
    "### Scan tampered with the runner's command files (exit code 0). The 112 credentials lived 41 s from the first issue to the last revocation, were revoked, and are refused by the API server.",
    '**TAMPERED**: `The scan wrote to GITHUB_ENV.`',
    'kubepass, ServiceAccount `kubepass/scanner`, API server `https://k8s.example.com:6443`',
  ])
  expect(rowsOf(markdown).map((row) => row.split(' | ')[0])).toEqual([
    '| Scan',
    '| Credential',
    '| Isolated',
    '| Access',
    '| Issued',
    '| Renewed',
    '| Credential&nbsp;id',
    '| Accepted&nbsp;as',
    '| Identity',
    '| Run',
  ])
  expect(lines(markdown).slice(-12)).toEqual([
    '**Warnings**',
    ...Array.from({ length: 10 }, (_, index) => `- \`warning ${index}\``),
    '- 20 more: see the evidence file or the log.',
  ])
})

test('the renewals of a run are one row with their number', () => {
  const renewals = (change: Partial<Evidence>): string[] =>
    rowsOf(jobSummary(evidenceOf({ ...whole, ...change }))).filter((row) => row.includes('Renewed'))
  expect(renewals({})).toEqual([])
  expect(renewals({ renewed: [granted] })).toEqual([expect.stringContaining('`once; the last credential: 2026-01-01T00:00:00Z, expires')])
  expect(renewals(everything)).toEqual([expect.stringContaining('`111 times; the last credential: ')])
})

const use = {
  ...{ verb: 'list', group: '', resource: 'pods', subresource: null, namespace: 'a', name: null, path: null },
  ...{ refused_by: null, statuses: { 200: 2, 410: 1 }, first_at: ended.started_at, last_at: ended.ended_at },
}
const access = { ended_at: '2026-01-01T00:00:40.500Z', streams_cut: 0, requests: 1, unauthenticated: 0, uses: [], not_listed: 0 }

test.each<[string, Partial<Evidence>, string[]]>([
  ['the token in its hands', {}, ['the scan had the token']],
  ['an end that nobody saw', { api_access: { ...access, ended_at: null, requests: null } }, ['through the API proxy']],
  ['one request', { api_access: access }, ['through the API proxy, 1 request; ended 2026-01-01T00:00:40.500Z']],
  [
    'open streams',
    { api_access: { ...access, requests: 7, streams_cut: 2 } },
    ['through the API proxy, 7 requests; ended 2026-01-01T00:00:40.500Z, which cut 2 open streams'],
  ],
  ['no command', { used: null, delivered_to_later_steps: true }, ['the scan had the token']],
  ['no start', { used: null }, []],
])('the row Access tells how a scan with %s reached the API server', (_what, change, expected) => {
  const rows = rowsOf(jobSummary(evidenceOf({ ...whole, ...change }))).filter((row) => row.startsWith('| Access |'))
  expect(rows).toEqual(expected.map((text) => `| Access | \`${text}\` |`))
})

test('the summary and the text have the ten most frequent requests of the scan, every refusal, and the number of the others', () => {
  const uses = [
    ...Array.from({ length: 12 }, (_, index) => ({ ...use, namespace: null, name: `pod-${index}`, verb: 'get', count: 20 - index })),
    { ...use, count: 3, refused_by: 'api-server' as const, statuses: { 403: 3 } },
    { ...use, ...{ verb: 'create', resource: 'tokenreviews', group: 'authentication.k8s.io', namespace: null, statuses: { 403: 1 } } },
    { ...use, ...{ verb: 'get', group: null, resource: null, namespace: null, path: '/version|x' }, statuses: {} },
  ].map((each, index) => (index < 13 ? each : { ...each, count: 1, refused_by: index === 13 ? ('kubepass' as const) : null }))
  const evidence = evidenceOf({ ...whole, api_access: { ...access, uses } as Evidence['api_access'] })
  const table = markdownParts(evidence).access.split('\n')
  expect(table.slice(0, 3)).toEqual([
    '| Count | Request of the scan | Answer |',
    '| --: | :-- | :-- |',
    '| 20 | `get pods pod-0` | 200, 410 |',
  ])
  expect(table.slice(11)).toEqual([
    '| 11 | `get pods pod-9` | 200, 410 |',
    '| 3 | `list pods in a` | refused by the API server (403) |',
    '| 1 | `create tokenreviews.authentication.k8s.io` | refused by kubepass |',
    '',
    '3 more: see the evidence file.',
  ])
  expect(jobSummary(evidence)).toContain(table.join('\n'))
  const requests = asText(evidence)
    .split('\n')
    .filter((line) => line.startsWith('  Request '))
  expect(requests).toHaveLength(13)
  expect(requests[10]).toBe('  Request         3 x list pods in a: refused by the API server (403)')
  const few = evidenceOf({ ...whole, api_access: { ...access, uses: uses.slice(-1) } as Evidence['api_access'] })
  expect(markdownParts(few).access.split('\n').at(-1)).toBe('| 1 | `get /version\\|x` | no answer |')
  expect(markdownParts(evidenceOf(whole)).access).toBe('')
})

test('a run without a credential has only the rows that it has facts for', () => {
  const markdown = jobSummary(
    evidenceOf({ finished: true, error: 'REFUSED', error_reason: String.raw`The API server refused: "\"x\" 403".` }),
  )
  expect(rowsOf(markdown)).toEqual(['| Credential | `none was issued` |', '| Run | `octo/repo 7/1 scan` |'])
  expect(markdown).toMatch(
    /^### No scan started: the run ended with REFUSED\. No credential was issued\.\n\n\*\*REFUSED\*\*: `The API server refused: "'x' 403"\.`\n/,
  )
  expect(markdown).not.toContain('Warnings')
})

test('the text has the same facts in the same order as the summary', () => {
  const evidence = evidenceOf({ ...everything, finished: false, warnings: ['one\ntwo'] })
  const text = asText(evidence).split('\n')
  const { verdict, table } = markdownParts(evidence)
  expect(text[0]).toBe(`  ${verdict}`)
  expect(text[1]).toBe('  Error           TAMPERED: The scan wrote to GITHUB_ENV.')
  expect(text.slice(2, 4)).toEqual(['  ServiceAccount  kubepass/scanner', '  Server          https://k8s.example.com:6443'])
  const names = rowsOf(table).map((row) => /^\| (.+?) \|/.exec(row)?.[1]?.replaceAll('&nbsp;', ' '))
  expect(text.slice(4, -1).map((line) => line.slice(2, 17).trim())).toEqual(names)
  expect(text.at(-1)).toBe('  Warning         one two')
})

test('the text of a finished run leaves the end of the credential to its own line in the log', () => {
  expect(asText(evidenceOf(whole))).not.toMatch(/^ {2}Credential {2}/m)
})

test('the summary shows a pipe as it is, and escapes it in the table alone', () => {
  const verified = { username: 'a|b', at: '2026-01-01T00:00:00Z' }
  const markdown = jobSummary(evidenceOf({ ...whole, verified, warnings: ['c|d'], error: 'REFUSED', error_reason: 'e|f' }))
  expect(markdown).toContain('| Accepted&nbsp;as | `a\\|b` |')
  expect(markdown).toContain('- `c|d`')
  expect(markdown).toContain('**REFUSED**: `e|f`')
})

test('foreign text cannot leave its place in the summary or in the text', () => {
  const hostile = fc.string({
    unit: fc.constantFrom('`', '|', '\n', '\\', '[', '](', '#', '<b>', '::', '##[', ' ', 'x', '*', '-'),
    maxLength: 30,
  })
  fc.assert(
    fc.property(hostile, hostile, hostile, (username, warning, reason) => {
      const evidence = evidenceOf({
        ...whole,
        used: { ...ended, exit_code: 3, accepted: false },
        verified: { username, at: '2026-01-01T00:00:00Z' },
        warnings: [warning],
        error: 'REFUSED',
        error_reason: reason,
      })
      const plain = evidenceOf({ ...evidence, verified: { username: 'x', at: '2026-01-01T00:00:00Z' }, warnings: ['x'], error_reason: 'x' })
      expect(asText(evidence).split('\n').length).toBe(asText(plain).split('\n').length - (username === '' ? 1 : 0))
      expect(asText(evidence)).not.toContain('##[')
      expect(lines(jobSummary(evidence)).length).toBe(lines(jobSummary(plain)).length - (username === '' ? 1 : 0))
    }),
  )
})
