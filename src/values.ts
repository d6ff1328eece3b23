import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { damageOfPem, damageOfToken, standInOf, tokenIn } from './damage.ts'
import { errnoOf } from './errors.ts'
import type { ClientCertificate } from './http.ts'
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
  if (url === null) throw new Wrong('is not a URL')
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
  if (!isSubdomain(text.toLowerCase())) throw new Wrong(`is ${quote(text)}, not a host name`)
  return text
}

/** No server takes headers of that size. */
const LONGEST_TOKEN = 64 * 1024

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g
/** Letters with digits among them, or more letters than a name has. */
const RANDOM = /(?=[a-z]*\d)(?=\d*[a-z])[a-z\d]{12,}|[a-z\d]{24,}/i

/** PEM from PEM, its base64, or a file that holds either. */
export function parseCertificateAuthority(text: string): string {
  const pem = pemOf(text)
  if (pem === undefined && isNoPath(text))
    throw new Wrong(damageOfPem(text, 'certificate') ?? 'is neither a certificate nor the path of one')
  return parseCertificate(pem ?? readSmallFile(text).trim())
}

/** PEM from PEM or its base64. The certificates alone: a key beside them must not go where they go. */
export function parseCertificate(text: string): string {
  const blocks = pemOf(text)?.match(CERTIFICATES) ?? ['']
  try {
    for (const block of blocks) new X509Certificate(block)
  } catch {
    throw new Wrong(damageOfPem(text, 'certificate') ?? 'holds no certificate that can be read')
  }
  return `${blocks.join('\n')}\n`
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
    if (!about.isFile()) throw new Wrong(`names ${quote(path)}, which is no file`)
    if (about.size > 1024 * 1024) throw new Wrong(`names ${quote(path)}, which is over 1 MiB`)
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Wrong) throw error
    throw new Wrong(`names ${quote(path, 120)}, which cannot be read (${errnoOf(error)})`)
  }
}

/** A private key from PEM or its base64. */
export function sealKey(text: string, seal: Seal): Secret {
  const pem = pemOf(text)
  if (pem === undefined && text.length >= 16) seal(text)
  if (pem === undefined) throw new Wrong(damageOfPem(text, 'private key') ?? 'holds no private key that can be read')
  const sealed = seal(pem)
  // As the kubeconfig has it: who shows that in base64 shows the key in base64 twice over.
  if (pem !== text) seal(text.replaceAll(/\s/g, ''))
  if (pem.includes('ENCRYPTED')) throw new Wrong('is encrypted')
  try {
    createPrivateKey(pem)
  } catch {
    throw new Wrong(damageOfPem(text, 'private key') ?? 'holds no private key that can be read')
  }
  return sealed
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
  if (damage !== undefined) seal(tokenIn(token) ?? token)
  if (damage !== undefined) throw new Wrong(damage)
  if (!/^[\x21-\x7e]+$/.test(token)) throw new Wrong('holds characters that no bearer token has (white space, line ends, non-ASCII)')
  return sealed
}

/** A certificate with the key that belongs to it. */
export function checkKeyPair(pair: ClientCertificate): ClientCertificate {
  if (new X509Certificate(pair.certificate).checkPrivateKey(createPrivateKey(pair.key.reveal()))) return pair
  throw new Wrong('does not belong to its key')
}
