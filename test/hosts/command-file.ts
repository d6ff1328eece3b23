/** Parses GITHUB_ENV, GITHUB_OUTPUT and GITHUB_STATE like the runner: `NAME=VALUE` or `NAME<<END`. Throws for text that the runner rejects. */
export function parseCommandFile(text: string): Map<string, string> {
  const values = new Map<string, string>()
  // Each line keeps its newline, so that the parser notices a missing one.
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? []
  for (let at = 0; at < lines.length; at += 1) {
    const line = withoutNewline(lines[at] ?? '')
    if (line === '') continue
    const [, name, mark, rest] = /^(.*?)(=|<<)(.*)$/s.exec(line) ?? []
    if (name === undefined || rest === undefined) throw new Error(`Invalid format '${line}'`)
    if (name === '') throw new Error(`Invalid format '${line}'. Name must not be empty`)
    if (mark === '=') {
      values.set(name, rest)
      continue
    }
    if (rest === '') throw new Error(`Invalid format '${line}'. Name must not be empty and delimiter must not be empty`)
    const body = linesBefore(rest, lines.slice(at + 1))
    values.set(name, body.join('\n'))
    at += body.length + 1
  }
  return values
}

/** The lines before the delimiter. */
function linesBefore(delimiter: string, lines: string[]): string[] {
  const end = lines.findIndex((line) => withoutNewline(line) === delimiter)
  const body = end < 0 ? lines : lines.slice(0, end)
  if (body.some((line) => !line.endsWith('\n'))) throw new Error('Invalid value. EOF marker missing new line.')
  if (end < 0) throw new Error(`Invalid value. Matching delimiter not found '${delimiter}'`)
  return body.map(withoutNewline)
}

function withoutNewline(line: string): string {
  return line.endsWith('\n') ? line.slice(0, -1) : line
}
