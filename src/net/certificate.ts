import { X509Certificate } from 'node:crypto'
import { quote } from '../base/quote.ts'

/** Subject, issuer and validity of the first certificate, one a line. */
export function certificateLines(pem: string): string {
  const { subject, issuer, validFrom, validTo } = new X509Certificate(pem)
  return Object.entries({ subject, issuer, 'not before': validFrom, 'not after': validTo })
    .map(([name, value]) => `  ${name}: ${quote(value.replaceAll('\n', ', '))}`)
    .join('\n')
}
