/** Parses GITHUB_ENV, _OUTPUT and _STATE as the runner does: `NAME=VALUE` or `NAME<<END`. Throws what the runner rejects. */
export function parseCommandFile(text: string): Map<string, string> {
  const values = new Map<string, string>()
  // A line keeps its newline, so that a missing one is noticed.
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
    const body: string[] = []
    for (at += 1; withoutNewline(lines[at] ?? '\n') !== rest; at += 1) {
      const next = lines[at]
      if (next === undefined) throw new Error(`Invalid value. Matching delimiter not found '${rest}'`)
      if (!next.endsWith('\n')) throw new Error('Invalid value. EOF marker missing new line.')
      body.push(withoutNewline(next))
    }
    values.set(name, body.join('\n'))
  }
  return values
}

function withoutNewline(line: string): string {
  return line.endsWith('\n') ? line.slice(0, -1) : line
}
