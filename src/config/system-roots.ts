import { existsSync } from 'node:fs'
import { parseCertificate } from './certificates.ts'
import { InvalidValue } from './invalid-value.ts'
import { readSmallFile } from './small-file.ts'

/**
 * The files in which distributions keep the public CAs. The paths are fixed: an earlier step can set variables such as
 * SSL_CERT_FILE, which Go and OpenSSL obey. https://github.com/golang/go/blob/go1.26.0/src/crypto/x509/root_linux.go
 */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

/** The public CAs that the distribution trusts, as PEM. */
export function systemRoots(): string {
  const bundle = BUNDLES.find((path) => existsSync(path))
  if (bundle === undefined) throw new InvalidValue('is system, but this machine has no CAs: install the package ca-certificates')
  return parseCertificate(readSmallFile(bundle))
}
