import { createPrivateKey, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'

export type Claims = Record<string, unknown>

/** The claims of a JWT, unverified. */
export function claimsOf(token: string): Claims {
  return decode(token, 1)
}

/** A JWT signed RS256 with the PEM key at `keyPath`. */
export function signToken(claims: Claims, header: Claims, keyPath: string): string {
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${signed}.${sign('RSA-SHA256', Buffer.from(signed), createPrivateKey(readFileSync(keyPath))).toString('base64url')}`
}

/** The same token, again signed, with other claims. */
export function resign(token: string, change: (claims: Claims) => Claims, keyPath: string): string {
  return signToken(change(claimsOf(token)), decode(token, 0), keyPath)
}

function decode(token: string, part: number): Claims {
  return JSON.parse(Buffer.from(token.split('.')[part] ?? '', 'base64url').toString()) as Claims
}
