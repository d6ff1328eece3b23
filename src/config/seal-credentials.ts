import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import type { ClientCertificate } from '../net/http.ts'
import type { Seal, SealedString } from '../redact/sealed-string.ts'
import { damageOfPem, damageOfToken, placeholderProblem, tokenIn } from './damage.ts'
import { InvalidValue } from './invalid-value.ts'
import { pemBlocks, pemOf } from './pem.ts'

/** API servers accept no header of this size. */
const LONGEST_TOKEN = 64 * 1024

/** Reads the first private key in PEM or its base64, even if its label names the wrong format. Returns it as PKCS#8. */
export function sealKey(text: string, seal: Seal): SealedString {
  const pem = pemOf(text)
  if (pem === undefined) {
    if (text.length >= 16) seal(text)
    throw noKeyIn(text)
  }
  const sealed = seal(pem)
  // Sealed as the kubeconfig has it, too: the base64 of a kubeconfig contains the base64 of this text.
  if (pem !== text) seal(text.replaceAll(/\s/g, ''))
  const block = pemBlocks(pem).find(({ label }) => / ?PRIVATE KEY$/.test(label))
  if (block?.label === 'ENCRYPTED PRIVATE KEY' || block?.hasHeaders === true)
    throw new InvalidValue('is encrypted, and kubepass cannot ask for its password: decrypt it (openssl pkey)')
  const key = block && keyIn(block.der)
  if (key === undefined) throw noKeyIn(text)
  const usable = key.export({ type: 'pkcs8', format: 'pem' }).toString()
  return usable.trim() === pem.trim() ? sealed : seal(usable)
}

function noKeyIn(text: string): InvalidValue {
  return new InvalidValue(damageOfPem(text, 'private key') ?? 'holds no private key that can be read')
}

/** Tries each format, because tools disagree on the label. */
function keyIn(der: Buffer): KeyObject | undefined {
  for (const type of ['pkcs1', 'pkcs8', 'sec1'] as const) {
    try {
      return createPrivateKey({ key: der, format: 'der', type })
    } catch {
      // The key has another format.
    }
  }
  return undefined
}

export function sealToken(text: string, seal: Seal): SealedString {
  const token = text.trim()
  const placeholder = placeholderProblem(token)
  if (placeholder !== undefined) throw new InvalidValue(placeholder)
  if (token.length < 16) throw new InvalidValue('is too short to be a token')
  if (token.length > LONGEST_TOKEN) throw new InvalidValue('is too long to be a token')
  // Sealed before the checks, so that no message can show it.
  const sealed = seal(token)
  const damage = damageOfToken(token)
  if (damage !== undefined) {
    seal(tokenIn(token) ?? token)
    throw new InvalidValue(damage)
  }
  if (!/^[\x21-\x7e]+$/.test(token)) throw new InvalidValue('holds characters that no bearer token has (white space, line ends, non-ASCII)')
  return sealed
}

/** @throws InvalidValue if the key does not belong to the certificate */
export function checkKeyPair(pair: ClientCertificate): ClientCertificate {
  if (new X509Certificate(pair.certificate).checkPrivateKey(createPrivateKey(pair.key.reveal()))) return pair
  throw new InvalidValue('does not belong to its key')
}
