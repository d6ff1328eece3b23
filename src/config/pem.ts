/** One block of a PEM text. */
export interface PemBlock {
  readonly label: string
  readonly der: Buffer
  /** Old tools write headers into the block of an encrypted key. */
  readonly hasHeaders: boolean
}

/** The body ends before five dashes, so that a text of many beginnings takes linear time. A header can hold single dashes. */
const BLOCK = /^[ \t]*-----BEGIN ([A-Z0-9 ]+)-----[ \t\r]*\n((?:[^-]|-(?!----))*)-----END \1-----/gm

/** The blocks of a PEM text, in order. Like Go and OpenSSL, this function skips the text between them. */
export function pemBlocks(text: string): PemBlock[] {
  return [...text.matchAll(BLOCK)].map(([, label = '', body = '']) => ({
    label,
    der: Buffer.from(body, 'base64'),
    hasHeaders: body.includes(':'),
  }))
}

/** The text itself, or what its base64 says; undefined when neither is PEM. */
export function pemOf(text: string): string | undefined {
  if (text.includes('-----BEGIN')) return text
  const decoded = Buffer.from(text, 'base64').toString('latin1')
  return decoded.includes('-----BEGIN') ? decoded : undefined
}
