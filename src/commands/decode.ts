import { KubepassError } from '../base/errors.ts'
import { escapeText, quote } from '../base/quote.ts'
import { relativeTime } from '../base/time.ts'
import { decodeJwt } from '../token/jwt.ts'

const TIMES = ['iat', 'nbf', 'exp']

/** The header and the claims of a token, with its times in words, without the signature. */
export function decode(text: string, now = Date.now()): string {
  const jwt = decodeJwt(text.trim())
  if (jwt === undefined) throw new KubepassError('INPUT', 'The text on standard input is no JWT.', { hint: 'kubepass decode < token' })
  const show = (value: unknown): string => (typeof value === 'string' ? quote(value, 2000) : JSON.stringify(value, undefined, 2))
  const section = (name: string, values: Record<string, unknown>): string[] => [
    `${name}:`,
    ...Object.entries(values).map(([key, value]) => {
      const inWords = TIMES.includes(key) && typeof value === 'number' ? `  (${momentInWords(value, now)})` : ''
      return `  ${escapeText(key)}: ${show(value).replaceAll('\n', '\n  ')}${inWords}`
    }),
  ]
  return [...section('header', jwt.header), ...section('claims', jwt.claims)].join('\n')
}

function momentInWords(seconds: number, now: number): string {
  const date = new Date(seconds * 1000)
  if (Number.isNaN(date.getTime())) return 'no date'
  return `${date.toISOString()}, ${relativeTime(seconds, now / 1000)}`
}
