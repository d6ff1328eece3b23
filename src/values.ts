import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { damageOfPem, damageOfToken, standInOf, tokenIn } from './damage.ts'
import { errnoOf } from './errors.ts'
import type { ClientCertificate } from './http.ts'
import { pemBlocks } from './pem.ts'
import { quote } from './quote.ts'
import type { Seal, Secret } from './secret.ts'

/** What is wrong with a value: it follows the name of the input, or of the field, that holds it. */
export class Wrong extends Error {}

export function parseServer(text: string): string {
  const url = parseUrl(text)
  if (url.username !== '' || url.password !== '') throw new Wrong('holds a user name or password')
  if (url.protocol !== 'https:') throw new Wrong(`is ${quote(text)}: only https carries a token`)
  if (url.search !== '' || url.hash !== '') throw new Wrong('holds a query or fragment')
  return url.href.replace(/\/$/, '')
}

export function parseProxy(text: string): URL {
  const url = parseUrl(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new Wrong('is neither http nor https')
  if (url.username !== '' || url.password !== '')
    throw new Wrong('holds a user name or password, which the kubeconfig would show to the scan')
  return url
}

function parseUrl(text: string): URL {
  if (/[\s\p{Cc}]/u.test(text)) throw new Wrong('holds white space or control characters')
  const url = URL.parse(text)
  // Never echoed: it may hold a password.
  if (url === null) throw new Wrong('is not a URL (such as https://10.0.0.1:6443)')
  return url
}

// https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
export function isLabel(text: string): boolean {
  return text.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(text)
}

export function isSubdomain(text: string): boolean {
  return text.length <= 253 && text.split('.').every((part) => part !== '' && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(part))
}

export function parseServerName(text: string): string {
  if (!isSubdomain(text.toLowerCase()) && isIP(text) === 0) throw new Wrong(`is ${quote(text)}, neither a host name nor an IP address`)
  return text
}

/** No server takes headers of that size. */
const LONGEST_TOKEN = 64 * 1024

/** No file that kubepass reads is larger. */
export const LARGEST_FILE = 1024 * 1024

/** Letters with digits among them, or more letters than a name has. */
const RANDOM = /(?=[a-z]*\d)(?=\d*[a-z])[a-z\d]{12,}|[a-z\d]{24,}/i

/** PEM from PEM, its base64, or a file that holds either. */
export function parseCertificateAuthority(text: string, readFile = readSmallFile): string {
  const pem = pemOf(text)
  if (pem === undefined && isNoPath(text))
    throw new Wrong(damageOfPem(text, 'certificate') ?? 'is neither a certificate nor the path of one')
  return parseCertificate(pem ?? readFile(text).trim())
}

/**
 * PEM from PEM or its base64. The certificates alone: a key beside them must not go where they go. One that cannot be read is
 * skipped, as the Go clients do: what is left trusts nobody else.
 */
export function parseCertificate(text: string): string {
  const certificates = pemBlocks(pemOf(text) ?? '')
    .filter(({ label, hasHeaders }) => label === 'CERTIFICATE' && !hasHeaders)
    .flatMap(({ der }) => certificateIn(der) ?? [])
  if (certificates.length === 0) throw new Wrong(damageOfPem(text, 'certificate') ?? 'holds no certificate that can be read')
  return certificates.join('')
}

function certificateIn(der: Buffer): string | undefined {
  try {
    return new X509Certificate(der).toString()
  } catch {
    return undefined
  }
}

/** The text itself, or what its base64 says; undefined when neither is PEM. */
function pemOf(text: string): string | undefined {
  if (text.includes('-----BEGIN')) return text
  const decoded = Buffer.from(text, 'base64').toString('latin1')
  return decoded.includes('-----BEGIN') ? decoded : undefined
}

/** The text itself, or what its base64 says; undefined when it can only be the path of a kubeconfig. */
export function kubeconfigContent(text: string): string | undefined {
  const decoded = /^[\w+/=\s-]*$/.test(text) ? Buffer.from(text, 'base64').toString() : ''
  if (/\bclusters\b/.test(decoded)) return decoded
  return /[\n\r{]|:\s/.test(text) ? text : undefined
}

/** Whether it may be a token or a key, which was put where its file should be named. Then it must not be echoed. */
export function isNoPath(text: string, folder = ''): boolean {
  if (existsSync(resolve(folder, text))) return false
  if (/^eyJ|^LS0tLS1CRUdJTi|-----BEGIN|\n/.test(text) || text.length > 200) return true
  if (/^(\.{0,2}|~)\//.test(text)) return false
  return RANDOM.test(text) || !(text.includes('/') || /^[\w.-]+$/.test(text))
}

export function readSmallFile(path: string): string {
  try {
    const about = statSync(path)
    if (about.isFIFO()) throw new Wrong(`names ${quote(path)}, a pipe, which can be read only once: give a file`)
    if (!about.isFile()) throw new Wrong(`names ${quote(path)}, which is no file`)
    if (about.size > LARGEST_FILE) throw new Wrong(`names ${quote(path)}, which is over 1 MiB`)
    return textIn(readFileSync(path))
  } catch (error) {
    if (error instanceof Wrong) throw error
    throw new Wrong(`names ${quote(path, 120)}, which cannot be read (${errnoOf(error)})`)
  }
}

/** The text of a file, whose first bytes may tell its encoding: Windows PowerShell writes UTF-16. */
export function textIn(bytes: Buffer): string {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8'
  return new TextDecoder(encoding).decode(bytes)
}

/** A private key from PEM or its base64: the first one, in the form that Node.js takes, whatever its label says of the form. */
export function sealKey(text: string, seal: Seal): Secret {
  const pem = pemOf(text)
  if (pem === undefined) {
    if (text.length >= 16) seal(text)
    throw noKeyIn(text)
  }
  const sealed = seal(pem)
  // As the kubeconfig has it: who shows that in base64 shows the key in base64 twice over.
  if (pem !== text) seal(text.replaceAll(/\s/g, ''))
  const block = pemBlocks(pem).find(({ label }) => / ?PRIVATE KEY$/.test(label))
  if (block?.label === 'ENCRYPTED PRIVATE KEY' || block?.hasHeaders === true)
    throw new Wrong('is encrypted, and nobody is there to be asked for its password: decrypt it (openssl pkey)')
  const key = block && keyIn(block.der)
  if (key === undefined) throw noKeyIn(text)
  const usable = key.export({ type: 'pkcs8', format: 'pem' }).toString()
  return usable.trim() === pem.trim() ? sealed : seal(usable)
}

function noKeyIn(text: string): Wrong {
  return new Wrong(damageOfPem(text, 'private key') ?? 'holds no private key that can be read')
}

/** Tools disagree on the label, so that each form is tried. */
function keyIn(der: Buffer): KeyObject | undefined {
  for (const type of ['pkcs1', 'pkcs8', 'sec1'] as const) {
    try {
      return createPrivateKey({ key: der, format: 'der', type })
    } catch {
      // It is of another form.
    }
  }
  return undefined
}

export function sealToken(text: string, seal: Seal): Secret {
  const token = text.trim()
  const standIn = standInOf(token)
  if (standIn !== undefined) throw new Wrong(standIn)
  if (token.length < 16) throw new Wrong('is too short to be a token')
  if (token.length > LONGEST_TOKEN) throw new Wrong('is too long to be a token')
  // Sealed before it is judged, so that no message can show it.
  const sealed = seal(token)
  const damage = damageOfToken(token)
  if (damage !== undefined) {
    seal(tokenIn(token) ?? token)
    throw new Wrong(damage)
  }
  if (!/^[\x21-\x7e]+$/.test(token)) throw new Wrong('holds characters that no bearer token has (white space, line ends, non-ASCII)')
  return sealed
}

/** A certificate with the key that belongs to it. */
export function checkKeyPair(pair: ClientCertificate): ClientCertificate {
  if (new X509Certificate(pair.certificate).checkPrivateKey(createPrivateKey(pair.key.reveal()))) return pair
  throw new Wrong('does not belong to its key')
}
