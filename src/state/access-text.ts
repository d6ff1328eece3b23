import { escapeText, markdownCell } from '../base/quote.ts'
import type { UsedAccess } from '../rbac/used-access.ts'
import type { Evidence } from './evidence.ts'

/** Requests that the API server or kubepass allowed. The evidence file has all. */
const SHOWN_USES = 10
const SHOWN_REFUSALS = 50
const LONGEST_NAME = 100

/** How the scan reached the API server; undefined where it did not. */
export function accessText({ api_access, delivered_to_later_steps, used }: Evidence): string | undefined {
  if (api_access === null) return used === null && !delivered_to_later_steps ? undefined : 'the scan had the token'
  const { ended_at, requests, streams_cut } = api_access
  if (ended_at === null) return 'through the API proxy'
  const cut = streams_cut === 0 ? '' : `, which cut ${counted(streams_cut, 'open stream')}`
  return `through the API proxy, ${counted(requests ?? 0, 'request')}; ended ${ended_at}${cut}`
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

interface AccessList {
  readonly frequent: readonly UsedAccess[]
  readonly refused: readonly UsedAccess[]
  /** Distinct requests that neither list has. */
  readonly more: number
  /** Requests that the evidence does not list. */
  readonly notListed: number
}

/** The most frequent requests, and the refused ones. */
function listOf({ api_access }: Evidence): AccessList {
  const { uses = [], not_listed: notListed = 0 } = api_access ?? {}
  const frequent = uses.filter(({ refused_by }) => refused_by === null).slice(0, SHOWN_USES)
  const refused = uses.filter(({ refused_by }) => refused_by !== null).slice(0, SHOWN_REFUSALS)
  return { frequent, refused, more: uses.length - frequent.length - refused.length, notListed }
}

/** For the log: one line for each request. */
export function accessLines(evidence: Evidence): string[] {
  const list = listOf(evidence)
  return [...list.frequent, ...list.refused].map((use) => `${use.count} x ${requestText(use)}: ${answerText(use)}`).concat(endText(list))
}

/** For a summary: a table; empty where the scan sent no request through the API proxy. */
export function accessTable(evidence: Evidence): string {
  const list = listOf(evidence)
  const rows = [...list.frequent, ...list.refused].map((use) => `| ${use.count} | ${markdownCell(requestText(use))} | ${answerText(use)} |`)
  if (rows.length === 0) return ''
  return ['| Count | Request of the scan | Answer |', '| --: | :-- | :-- |', ...rows, ...endText(list).flatMap((line) => ['', line])].join(
    '\n',
  )
}

function endText({ more, notListed }: AccessList): string[] {
  return [
    ...(more > 0 ? [`${more} more: see the evidence file.`] : []),
    ...(notListed > 0 ? [`The evidence does not list ${counted(notListed, 'request')}.`] : []),
  ]
}

function requestText({ verb, group, resource, subresource, namespace, name, path }: UsedAccess): string {
  if (resource === null) return `${verb} ${cut(path ?? '')}`
  const kind = `${cut(resource)}${group === null || group === '' ? '' : `.${cut(group)}`}`
  const object = `${kind}${subresource === null ? '' : `/${cut(subresource)}`}${name === null ? '' : ` ${cut(name)}`}`
  return `${verb} ${object}${namespace === null || resource === 'namespaces' ? '' : ` in ${cut(namespace)}`}`
}

/** A name is foreign text. */
function cut(text: string): string {
  return escapeText(text, LONGEST_NAME)
}

function answerText({ refused_by, statuses }: UsedAccess): string {
  if (refused_by === 'kubepass') return 'refused by kubepass'
  const codes = Object.keys(statuses).join(', ')
  if (refused_by === 'api-server') return `refused by the API server (${codes})`
  return codes === '' ? 'no answer' : codes
}
