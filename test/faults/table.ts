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

Each row is something that goes wrong between kubepass and the API server, each column the call of a run that it happens to, and each cell how that
run ended when the tests played it; [how it works](how-it-works.md#on-the-wire) has the calls. In the first table the fault comes once, in the second
as often as the call is tried, until the step ends. Whatever the cell, nothing was left when the job was over: no living token, no Secret, no file.
A renewal, for a scan that outlives its token, makes the calls from the creation to the check again, and is tried again as a whole until the old token's
end. The first column is the request for an ID token, which goes to GitHub's service, not to the API server. kubepass tries that request for 20 s at most.

| word              | meaning                                                                                                               |
| ----------------- | --------------------------------------------------------------------------------------------------------------------- |
| healed            | the scan ran, the credential was revoked, and seen to be dead                                                         |
| warned            | the same, and a warning says what was odd                                                                             |
| not proven        | the scan ran and the credential was revoked; the log says of what was issued that nobody saw it refused               |
| not renewed       | the scan went on when its credential had expired; warnings said that it would, and that it had                        |
| \`CODE\` and number | the step failed with this code and exit status; what had been issued was revoked by then, if only its answer was lost |
| post deletes      | the step could not delete the Secret, to which no token was bound; the post step, without the fault, did              |
| post revokes      | the step could not revoke, and says when the token dies by itself; the post step, without the fault, did              |
| again: revoked    | the same of the post step; run again, without the fault, it did                                                       |
| -                 | the fault makes no sense there, or is never tried again, so that once is always                                       |
`

/** The document: generated, and compared with the one that is committed. */
export function documentOf(outcomes: Outcomes): string {
  const tables = (['once', 'always'] as const).map((often) => `## ${often === 'once' ? 'Once' : 'Always'}\n\n${tableOf(outcomes, often)}`)
  const codes = Object.keys(errorCodes).filter((code) => [...outcomes.values()].some((outcome) => outcome.startsWith(`${code} `)))
  const hints = codes.map((code) => {
    const heading = `${String(errorCodes[code as keyof typeof errorCodes].exit)}: ${code}`
    return `[${code}](troubleshooting.md#${heading.toLowerCase().replace(': ', '-')})`
  })
  return `${INTRODUCTION}\nEach error names what to do; [troubleshooting](troubleshooting.md) has it by code: ${hints.join(', ')}.\n\n${tables.join('\n')}`
}

function tableOf(outcomes: Outcomes, often: Often): string {
  const columns = Object.keys(calls) as CallName[]
  const rows = faults
    .map((fault) => [fault.title, ...columns.map((call) => outcomes.get(keyOf({ call, fault, often })) ?? '-')])
    .filter(([, ...cells]) => cells.some((cell) => cell !== '-'))
  return markdownTable([['', ...columns.map((call) => calls[call].title)], ...rows])
}

/** The cells of such a document, by name. */
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
