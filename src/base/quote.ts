/**
 * Makes foreign text (claims, branch names, server messages) safe for a log line: quoted, cut and on one line. The result cannot
 * issue a workflow command. The runner reads `::x::` at the start of a line only, but `##[x]` anywhere.
 */
export function quote(text: string, longest = 300): string {
  return onOneLine(JSON.stringify(cut(text, longest)))
}

/** Like quote(), without the quotes. */
export function escapeText(text: string, longest = 300): string {
  return quote(text, longest).slice(1, -1)
}

/** Like quote(), for any value of a JSON document. The result is JSON, so that no text in it is quoted twice. */
export function quoteValue(value: unknown): string {
  return typeof value === 'string' ? quote(value) : cut(onOneLine(JSON.stringify(value ?? null)), 300)
}

/** Returns the text on one line, cut and without control characters, for a place that shows it as it is. */
export function oneLine(text: string, longest: number): string {
  const line = text.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim()
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line
}

/** Makes foreign text safe for a log line. Unlike quote(), it adds no quotation marks and does not escape those of the text. */
export function unquoted(text: string, longest: number): string {
  return onOneLine(oneLine(text, longest))
}

function cut(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text
}

function onOneLine(json: string): string {
  return json
    .replaceAll(
      /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
    )
    .replaceAll('##[', '##\\u005b')
}

/** Returns Markdown that shows the text literally in a cell of a table. Markdown removes the backslash before a pipe only inside a table. */
export function markdownCell(text: string): string {
  return markdownCode(text).replaceAll('|', '\\|')
}

/** Returns Markdown that shows the text literally outside of a table. */
export function markdownCode(text: string): string {
  const oneLine = text.replaceAll(/\s+/g, ' ')
  const longestRun = Math.max(0, ...[...oneLine.matchAll(/`+/g)].map((run) => run[0].length))
  const fence = '`'.repeat(longestRun + 1)
  const pad = longestRun > 0 ? ' ' : ''
  return `${fence}${pad}${oneLine}${pad}${fence}`
}
