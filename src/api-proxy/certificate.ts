import { createHash, createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/** A certificate that is its own CA certificate, with its key. Both are PEM. */
export interface ServerCertificate {
  readonly certificate: string
  readonly key: string
}

/** The clock of a client in a virtual machine may be behind the clock of this machine. */
const CLOCK_SKEW_MS = 3_600_000

/**
 * Makes a P-256 certificate for 127.0.0.1 and localhost. It is DER by hand, because each library for it takes more time to load than
 * the whole start of the proxy.
 * https://www.rfc-editor.org/rfc/rfc5280#section-4.1
 * @param validUntil ms since 1970
 */
export function makeServerCertificate(validUntil: number): ServerCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  const publicKeyInfo = createPublicKey(publicKey).export({ type: 'spki', format: 'der' })
  const keyId = createHash('sha256').update(publicKeyInfo).digest().subarray(0, 20)
  const name = sequence(set(sequence(oid(OIDS.commonName), utf8String('kubepass API proxy'))))
  const signed = sequence(
    tagged(0, integer(Buffer.of(2))),
    integer(positive(randomBytes(16))),
    sequence(oid(OIDS.ecdsaWithSha256)),
    name,
    sequence(time(Date.now() - CLOCK_SKEW_MS), time(validUntil)),
    name,
    publicKeyInfo,
    tagged(3, sequence(...extensions(keyId))),
  )
  const certificate = sequence(signed, sequence(oid(OIDS.ecdsaWithSha256)), bitString(0, sign('sha256', signed, privateKey)))
  const lines = certificate.toString('base64').replaceAll(/.{64}/g, '$&\n')
  return { certificate: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`, key: privateKey }
}

/** Each has the encoded form of its object identifier. */
const OIDS = {
  commonName: '550403',
  subjectKeyIdentifier: '551d0e',
  keyUsage: '551d0f',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  authorityKeyIdentifier: '551d23',
  extendedKeyUsage: '551d25',
  serverAuth: '2b06010505070301',
  ecdsaWithSha256: '2a8648ce3d040302',
}

function extensions(keyId: Buffer): Buffer[] {
  const names = sequence(der(0x82, Buffer.from('localhost')), der(0x87, Buffer.of(127, 0, 0, 1)))
  return [
    critical(OIDS.basicConstraints, sequence()),
    // The first bit: digitalSignature.
    critical(OIDS.keyUsage, bitString(7, Buffer.of(0x80))),
    extension(OIDS.extendedKeyUsage, sequence(oid(OIDS.serverAuth))),
    extension(OIDS.subjectAltName, names),
    extension(OIDS.subjectKeyIdentifier, octetString(keyId)),
    // Strict verifiers want it, although the certificate is its own issuer.
    extension(OIDS.authorityKeyIdentifier, sequence(der(0x80, keyId))),
  ]
}

function extension(id: string, value: Buffer): Buffer {
  return sequence(oid(id), octetString(value))
}

function critical(id: string, value: Buffer): Buffer {
  return sequence(oid(id), der(0x01, Buffer.of(0xff)), octetString(value))
}

/** The certificate has no part of 65,536 bytes or more. */
function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  const lengthBytes = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.of(tag, ...lengthBytes), content])
}

function sequence(...content: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(content))
}

function set(...content: readonly Buffer[]): Buffer {
  return der(0x31, Buffer.concat(content))
}

function tagged(tag: number, content: Buffer): Buffer {
  return der(0xa0 + tag, content)
}

function integer(bytes: Buffer): Buffer {
  return der(0x02, bytes)
}

/** The number with its first bit 0 and its second bit 1, so that its encoding is neither negative nor longer than needed. */
function positive(bytes: Buffer): Buffer {
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes
}

function oid(encoded: string): Buffer {
  return der(0x06, Buffer.from(encoded, 'hex'))
}

function bitString(unusedBits: number, bytes: Buffer): Buffer {
  return der(0x03, Buffer.concat([Buffer.of(unusedBits), bytes]))
}

function octetString(bytes: Buffer): Buffer {
  return der(0x04, bytes)
}

function utf8String(text: string): Buffer {
  return der(0x0c, Buffer.from(text))
}

/** RFC 5280 wants a UTCTime for dates before 2050, and a GeneralizedTime for later ones. */
function time(at: number): Buffer {
  const digits = new Date(at).toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  return digits < '2050' ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits))
}
