export interface Command {
  name: string
  properties: Record<string, string>
  data: string
}

/** The workflow command in a line, if its name is known. The forms are `::name key=value::data` and the older `##[name]data`. */
export function parseCommand(line: string, known: (name: string) => boolean): Command | undefined {
  return parseNew(line, known) ?? parseOld(line, known)
}

function parseNew(line: string, known: (name: string) => boolean): Command | undefined {
  const [, info, data] = /^[\s\u0085]*::(.*?)::(.*)$/s.exec(line) ?? []
  if (info === undefined || data === undefined) return undefined
  return command({ info, data }, known, {
    separator: ',',
    unescape: unescapeData,
    unescapeProperty: (text) => unescapeData(text.replaceAll('%3A', ':').replaceAll('%2C', ',')),
  })
}

// The older form may stand anywhere in the line. Only the first `##[` counts.
function parseOld(line: string, known: (name: string) => boolean): Command | undefined {
  const [, info, data] = /##\[([^\]]*)\](.*)$/s.exec(line) ?? []
  if (info === undefined || data === undefined) return undefined
  const unescape = (text: string): string => unescapeData(text.replaceAll('%3B', ';').replaceAll('%5D', ']'))
  return command({ info, data }, known, { separator: ';', unescape, unescapeProperty: unescape })
}

interface Syntax {
  separator: string
  unescape: (text: string) => string
  unescapeProperty: (text: string) => string
}

function command(
  { info, data }: { info: string; data: string },
  known: (name: string) => boolean,
  { separator, unescape, unescapeProperty }: Syntax,
): Command | undefined {
  const space = info.indexOf(' ')
  const name = space < 0 ? info : info.slice(0, space)
  if (!known(name)) return undefined
  const properties: Record<string, string> = {}
  for (const pair of space < 0
    ? []
    : info
        .slice(space + 1)
        .trim()
        .split(separator)) {
    const [, key, value] = /^([^=]+)=(.+)$/s.exec(pair) ?? []
    if (key !== undefined && value !== undefined) properties[key] = unescapeProperty(value)
  }
  return { name: name.toLowerCase(), properties, data: unescape(data) }
}

function unescapeData(text: string): string {
  return text.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%')
}
