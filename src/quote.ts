/**
 * Foreign text (claims, branch names, server messages) for a log line: quoted, cut, on one line, and
 * unable to issue a workflow command (`::x::` needs to start a line, `##[x]` may stand anywhere).
 */
export function quote(text: string, longest = 300): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}…` : text
  return JSON.stringify(cut)
    .replaceAll(
      /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
    )
    .replaceAll('##[', '##\\u005b')
}

/** Text as Markdown that shows it literally, also inside a table. */
export function markdownCode(text: string): string {
  const oneLine = text.replaceAll(/\s+/g, ' ').replaceAll('|', '\\|')
  const longestRun = Math.max(0, ...[...oneLine.matchAll(/`+/g)].map((run) => run[0].length))
  const fence = '`'.repeat(longestRun + 1)
  const pad = longestRun > 0 ? ' ' : ''
  return `${fence}${pad}${oneLine}${pad}${fence}`
}
