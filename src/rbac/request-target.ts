export interface RequestTarget {
  /** Decoded. */
  readonly path: string
  /** Percent-encoded, without the question mark. */
  readonly query: string
}

/** More parameters than these, and Go reads none of them. */
const MOST_PARAMETERS = 10_000

/** Splits the target of a request as Go's net/url does. The path of a target that Go refuses stays as it is. */
export function readTarget(target: string): RequestTarget {
  const [, rest = ''] = /^[a-z][a-z0-9+.-]*:(.*)$/is.exec(target) ?? [undefined, target]
  const isAbsolute = rest !== target
  const mark = rest.indexOf('?')
  const encoded = mark === -1 ? rest : rest.slice(0, mark)
  const query = mark === -1 ? '' : rest.slice(mark + 1)
  const path = isAbsolute ? pathOfAbsolute(encoded) : encoded
  return { path: unescape(path) ?? path, query }
}

/** @param text a URL without its scheme and its query */
function pathOfAbsolute(text: string): string {
  if (!text.startsWith('/')) return ''
  return text.startsWith('//') ? text.replace(/^\/\/[^/]*/, '') : text
}

/** The first value of each parameter, as Go reads a query: it skips a part with a semicolon or a bad escape. */
export function firstValues(query: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>()
  const parts = query.split('&')
  if (parts.length > MOST_PARAMETERS) return values
  for (const part of parts) {
    if (part === '' || part.includes(';')) continue
    const sign = part.indexOf('=')
    const [key, value] = (sign === -1 ? [part, ''] : [part.slice(0, sign), part.slice(sign + 1)]).map((text) =>
      unescape(text.replaceAll('+', ' ')),
    )
    if (key !== undefined && value !== undefined && !values.has(key)) values.set(key, value)
  }
  return values
}

/** Decodes percent-encoded bytes as UTF-8; undefined if an escape is bad. Node.js gives each other byte as one character. */
function unescape(text: string): string | undefined {
  if (/%(?![0-9a-f]{2})/i.test(text)) return undefined
  const bytes = text.replaceAll(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  return Buffer.from(bytes, 'latin1').toString()
}
