/** One block of a PEM text. */
export interface PemBlock {
  readonly label: string
  readonly der: Buffer
  /** Old tools write headers into the block of an encrypted key. */
  readonly hasHeaders: boolean
}

/**
 * The body ends before five dashes, so that the search takes linear time in a text with many BEGIN lines. A header may contain
 * single dashes.
 */
const BLOCK = /^[ \t]*-----BEGIN ([A-Z0-9 ]+)-----[ \t\r]*\n((?:[^-]|-(?!----))*)-----END \1-----/gm

/** The blocks of a PEM text, in order. As in Go and OpenSSL, text between the blocks is skipped. */
export function pemBlocks(text: string): PemBlock[] {
  return [...text.matchAll(BLOCK)].map(([, label = '', body = '']) => ({
    label,
    der: Buffer.from(body, 'base64'),
    hasHeaders: body.includes(':'),
  }))
}

/** The PEM in the text or in its base64; undefined if neither is PEM. */
export function pemOf(text: string): string | undefined {
  if (text.includes('-----BEGIN')) return text
  const decoded = Buffer.from(text, 'base64').toString('latin1')
  return decoded.includes('-----BEGIN') ? decoded : undefined
}
