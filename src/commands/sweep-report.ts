import { codeOf } from '../base/errors.ts'
import { escapeText, quote } from '../base/quote.ts'
import type { Options } from '../config/options.ts'
import type { ListedSecret } from '../kube/list-secrets.ts'

export interface SweepCandidate {
  readonly listed: ListedSecret
  /** What kubepass knows of the run that created it. */
  state: 'expired' | 'finished' | 'living' | 'foreign'
  /** due: to be deleted, and not deleted yet. gone: another process deleted it first. */
  outcome: 'deleted' | 'gone' | 'kept' | 'due'
}

export function progressBar(done: number, all: number): string {
  const width = 30
  return `deleting [${'#'.repeat(Math.floor((width * done) / all)).padEnd(width, '-')}] ${done} of ${all}`
}

export function countOfSecrets(count: number): string {
  return `${count} ${count === 1 ? 'bound Secret' : 'bound Secrets'}`
}

export function summary(found: readonly SweepCandidate[], namespace: string, dryRun: boolean): string {
  const count = (...outcomes: SweepCandidate['outcome'][]): number => found.filter(({ outcome }) => outcomes.includes(outcome)).length
  if (found.length === 0) return `There are no bound Secrets in namespace ${quote(namespace)}.`
  const kept = `${count('kept')} kept`
  if (dryRun) return `Of ${countOfSecrets(found.length)} in namespace ${quote(namespace)} ${count('due')} would be deleted, ${kept}.`
  const left = count('due') === 0 ? '' : `, ${count('due')} left that should be`
  return `Of ${countOfSecrets(found.length)} in namespace ${quote(namespace)} ${count('deleted', 'gone')} deleted, ${kept}${left}.`
}

/** One bound Secret as the report shows it. Labels and annotations are foreign text. */
function row({ listed: { name, uid, origin, labels, annotations }, state, outcome }: SweepCandidate): Record<string, string> {
  const label = (key: string): string => labels[`kubepass.dev/${key}`] ?? ''
  const note = (key: string): string => annotations[`kubepass.dev/${key}`] ?? ''
  return {
    name,
    uid,
    platform: label('platform'),
    run: label('run'),
    attempt: label('attempt'),
    repository: note('repository'),
    job: note('job'),
    dead_by: note('dead-by'),
    state,
    outcome,
    why: 'foreign' in origin ? origin.foreign : '',
  }
}

export function asJson(found: readonly SweepCandidate[], { server, serviceAccount }: Options, dryRun: boolean, failure: unknown): string {
  const { namespace } = serviceAccount
  const error = failure === undefined ? null : codeOf(failure)
  return `${JSON.stringify({ version: 1, server, namespace, dry_run: dryRun, error, secrets: found.map(row) }, undefined, 2).replaceAll('##[', '##\\u005b')}\n`
}

export function asTable(found: readonly SweepCandidate[]): string {
  if (found.length === 0) return ''
  const lines = found
    .map(row)
    .map(({ name = '', platform, run, attempt, repository, job, dead_by = '', state = '', outcome = '', why = '' }) => {
      const whose = `${platform} ${run}/${attempt} ${repository} ${job}`.trim()
      // Only state and outcome are not foreign text.
      return [...[name, whose, dead_by].map((text) => escapeText(text, 80)), state, why === '' ? outcome : `${outcome}: ${why}`]
    })
  const table = [['SECRET', 'RUN', 'DEAD BY', 'STATE', 'OUTCOME'], ...lines]
  const widths = [0, 1, 2, 3].map((column) => table.reduce((widest, line) => Math.max(widest, line[column]?.length ?? 0), 0))
  return table.map((line) => `${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}\n`).join('')
}
