/** One block of a PEM text. */
export interface PemBlock {
  readonly label: string
  readonly der: Buffer
  /** Old tools write headers into the block of an encrypted key. */
  readonly hasHeaders: boolean
}

/** A dash in the body (a header can hold one) must not begin the next block: so a text of many beginnings takes linear time. */
const BLOCK = /^[ \t]*-----BEGIN ([A-Z0-9 ]+)-----[ \t\r]*\n((?:[^-]|-(?!----))*)-----END \1-----/gm

/** The blocks of a PEM text, in their order. What stands between them is skipped, as Go and OpenSSL do. */
export function pemBlocks(text: string): PemBlock[] {
  return [...text.matchAll(BLOCK)].map(([, label = '', body = '']) => ({
    label,
    der: Buffer.from(body, 'base64'),
    hasHeaders: body.includes(':'),
  }))
}
