import { errorCodes } from '../../src/base/errors.ts'
import { markdownTable } from '../markdown.ts'
import { calls, type CallName } from './calls.ts'
import { faults } from './faults.ts'
import type { Cell, Often } from './run-cell.ts'

/** The outcomes by fault, call and frequency, in the form of docs/faults.md. */
export type Outcomes = Map<string, string>

export function keyOf({ call, fault, often }: Cell): string {
  return `${fault.title}, ${calls[call].title}, ${often}`
}

const INTRODUCTION = `# Faults

Each row is a fault between kubepass and the API server. Each column is a call of a run; [how it works](how-it-works.md#on-the-wire) describes the
calls. Each cell is the outcome of a run whose call met the fault, as the tests recorded it. In the first table, the fault happens once. In the second
table, the fault happens at each attempt of the call, until the step ends. After each run, the tests checked that no living token, no Secret and no
file was left.

If a scan outlives its token, a renewal repeats the calls from the creation to the check. If one of these calls fails, kubepass repeats the whole
renewal until the old token expires. The first column is the request for an ID token, which goes to GitHub's service and not to the API server.
kubepass tries this request for at most 20 s.

The last column is the proof after \`prove: post\`, which needs \`delivery: kubeconfig\`. With the API proxy, no file has the token for a proof in post.

| word              | meaning                                                                                                                                |
| ----------------- | -------------------------------------------------------------------------------------------------------------------------------------- |
| healed            | the scan ran; kubepass revoked the credential and proved that it is dead                                                               |
| warned            | like healed, and a warning names the anomaly                                                                                           |
| not proven        | the scan ran and kubepass revoked the credential; the log says that the proof is missing                                               |
| not renewed       | the scan ran on after its credential had expired; one warning announced this, another one reported it                                  |
| \`CODE\` and number | the step failed with this code and exit status; if no further words follow, it had deleted each Secret that the API server had created |
| post deletes      | the step could not delete the Secret, to which no token was bound; the post step, without the fault, deleted it                        |
| post revokes      | the step could not revoke the credential and named the time of its expiry; the post step, without the fault, revoked it                |
| again: revoked    | the post step could not revoke the credential; a second post step, without the fault, revoked it                                       |
| -                 | the fault cannot happen to this call, or kubepass does not retry after it, so only the second table shows it                           |
`

/** The text of docs/faults.md. The test compares it with the committed page. */
export function documentOf(outcomes: Outcomes): string {
  const tables = (['once', 'always'] as const).map((often) => `## ${often === 'once' ? 'Once' : 'Always'}\n\n${tableOf(outcomes, often)}`)
  const codes = Object.keys(errorCodes).filter((code) => [...outcomes.values()].some((outcome) => outcome.startsWith(`${code} `)))
  const hints = codes.map((code) => {
    const heading = `${String(errorCodes[code as keyof typeof errorCodes].exit)}: ${code}`
    return `[${code}](troubleshooting.md#${heading.toLowerCase().replace(': ', '-')})`
  })
  return `${INTRODUCTION}\nEach error has a hint. [Troubleshooting](troubleshooting.md) describes the errors by code: ${hints.join(', ')}.\n\n${tables.join('\n')}`
}

function tableOf(outcomes: Outcomes, often: Often): string {
  const columns = Object.keys(calls) as CallName[]
  const rows = faults
    .map((fault) => [fault.title, ...columns.map((call) => outcomes.get(keyOf({ call, fault, often })) ?? '-')])
    .filter(([, ...cells]) => cells.some((cell) => cell !== '-'))
  return markdownTable([['', ...columns.map((call) => calls[call].title)], ...rows])
}

/** The outcomes in a text of docs/faults.md. */
export function outcomesIn(document: string): Outcomes {
  const outcomes: Outcomes = new Map()
  for (const often of ['once', 'always'] as const) {
    const [head = [], , ...rows] = (document.split(/^## /m).find((part) => part.toLowerCase().startsWith(often)) ?? '')
      .split('\n')
      .filter((text) => text.startsWith('|'))
      .map((text) =>
        text
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      )
    for (const [title = '', ...cells] of rows)
      for (const [column, cell] of cells.entries()) if (cell !== '-') outcomes.set(`${title}, ${head[column + 1] ?? ''}, ${often}`, cell)
  }
  return outcomes
}
