import { X509Certificate } from 'node:crypto'
import { damageOfPem } from './damage.ts'
import { InvalidValue } from './invalid-value.ts'
import { isNoPath } from './path-or-content.ts'
import { pemBlocks, pemOf } from './pem.ts'
import { readSmallFile } from './small-file.ts'

/** Returns the certificates as PEM. The input is PEM, its base64, or the path of a file with either. */
export function parseCertificateAuthority(text: string, readFile = readSmallFile): string {
  const pem = pemOf(text)
  if (pem === undefined && isNoPath(text))
    throw new InvalidValue(damageOfPem(text, 'certificate') ?? 'is neither a certificate nor the path of one')
  return parseCertificate(pem ?? readFile(text).trim())
}

/**
 * Returns the certificates in PEM or its base64, without any other block, such as a private key. As in the Go clients, unreadable
 * certificates are skipped, because the others trust no more than before.
 */
export function parseCertificate(text: string): string {
  const certificates = pemBlocks(pemOf(text) ?? '')
    .filter(({ label, hasHeaders }) => label === 'CERTIFICATE' && !hasHeaders)
    .flatMap(({ der }) => certificateIn(der) ?? [])
  if (certificates.length === 0) throw new InvalidValue(damageOfPem(text, 'certificate') ?? 'holds no certificate that can be read')
  return certificates.join('')
}

function certificateIn(der: Buffer): string | undefined {
  try {
    return new X509Certificate(der).toString()
  } catch {
    return undefined
  }
}
