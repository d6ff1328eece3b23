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
    '| Issued',
    '| Renewed',
    '| Credential&nbsp;id',
    '| Bound&nbsp;to',
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
