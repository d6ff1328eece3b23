import type { SealedString } from '../redact/sealed-string.ts'

export interface Jwt {
  header: Record<string, unknown>
  claims: Record<string, unknown>
}

/** Header and claims of a JWT; undefined if the text is no JWT. The signature is not checked. */
export function decodeJwt(text: string): Jwt | undefined {
  const [header, claims, signature, ...more] = text.split('.')
  if (header === undefined || claims === undefined || !signature || more.length > 0) return undefined
  const parsed = { header: parseSegment(header), claims: parseSegment(claims) }
  return parsed.header !== undefined && parsed.claims !== undefined ? (parsed as Jwt) : undefined
}

/** Like decodeJwt(), for a sealed token. */
export function jwtOf(token: SealedString): Jwt | undefined {
  return decodeJwt(token.reveal())
}

function parseSegment(segment: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(segment, 'base64url').toString())
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
