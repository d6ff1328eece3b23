/** Masks like the runner: each secret as a substring, and eleven encodings of it. */
export class Masker {
  readonly #values = new Set<string>()

  add(secret: string): void {
    for (const value of [secret, ...encoders.map((encode) => encode(secret))]) if (value !== '') this.#values.add(value)
  }

  /** Masks a text. Matches that overlap or touch become one mask. */
  mask(text: string): string {
    const hits: { start: number; end: number }[] = []
    for (const value of this.#values) {
      for (let start = text.indexOf(value); start >= 0; start = text.indexOf(value, start + 1))
        hits.push({ start, end: start + value.length })
    }
    hits.sort((a, b) => a.start - b.start)
    let masked = ''
    let at = 0
    let covered = -1
    for (const { start, end } of hits) {
      if (start > covered) {
        masked += `${text.slice(at, start)}***`
        covered = end
      } else covered = Math.max(covered, end)
      at = covered
    }
    return masked + text.slice(at)
  }
}

const encoders: ((secret: string) => string)[] = [
  (secret) => base64(secret, 0),
  (secret) => base64(secret, 1),
  (secret) => base64(secret, 2),
  (secret) => secret.replaceAll('"', '\\"'),
  (secret) => secret.replaceAll("'", "''"),
  (secret) => JSON.stringify(secret).slice(1, -1),
  (secret) => encodeURIComponent(secret.toWellFormed()).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`),
  (secret) => secret.replaceAll(/[<>"'&]/g, (c) => `&${{ '<': 'lt', '>': 'gt', '"': 'quot', "'": 'apos' }[c] ?? 'amp'};`),
  (secret) => (secret.length > 8 && secret.startsWith('"') && secret.endsWith('"') ? secret.slice(1, -1) : ''),
  (secret) => notShort(secret.slice(0, ampersand(secret))),
  // PowerShell colours the letter after `&+`, which breaks the secret there.
  (secret) => (secret.includes('&') ? notShort(secret.slice(ampersand(secret) + (secret.includes('&+') ? 1 : 0))) : ''),
]

function base64(secret: string, shift: number): string {
  const bytes = Buffer.from(secret)
  return bytes.subarray(bytes.length > shift ? shift : 0).toString('base64')
}

/** The position at which PowerShell may break a secret: after its first `&+`, or else after its last `&`. */
function ampersand(secret: string): number {
  return secret.includes('&+') ? secret.indexOf('&+') + 2 : secret.lastIndexOf('&') + 1
}

function notShort(section: string): string {
  return section.length >= 6 ? section : ''
}
