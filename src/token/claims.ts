import { KubepassError } from '../base/errors.ts'
import { quote, quoteValue } from '../base/quote.ts'
import { relativeTime, isoTime } from '../base/time.ts'
import type { SealedString } from '../redact/sealed-string.ts'
import { type Jwt, jwtOf } from './jwt.ts'

/** A token with what is known of it. Times are seconds since 1970. */
export interface Credential {
  readonly token: SealedString
  readonly jwt: Jwt
  readonly jti: string | undefined
  readonly issuedAt: number
  readonly expiresAt: number
}

/** What the token must say. */
export interface ExpectedToken {
  namespace: string
  name: string
  /** Seconds. */
  duration: number
  /** The Secret that it is bound to; undefined when it is bound to nothing. */
  boundSecret: { name: string; uid: string } | undefined
  audiences: readonly string[]
  /** The expiry that the TokenRequest's answer states, ISO 8601. */
  statedExpiry: string | undefined
}

const CLOCK_SKEW_S = 120

/**
 * What the token says of itself, before it is judged: the latest expiry must be known even of a wrong one.
 * @throws RIGHTS when it is no JWT, or its times make no sense
 */
export function readCredential(token: SealedString): Credential {
  const jwt = jwtOf(token)
  if (jwt === undefined) throw unexpectedToken('it is no JWT')
  const { iat, exp, nbf, jti } = jwt.claims
  if (!isTime(iat) || !isTime(exp) || exp <= iat || (nbf !== undefined && (!isTime(nbf) || nbf >= exp)))
    throw unexpectedToken('its times make no sense')
  return { token, jwt, jti: typeof jti === 'string' ? jti : undefined, issuedAt: iat, expiresAt: exp }
}

/**
 * Compares the token's own claims with what was asked for.
 * @returns warnings
 * @throws RIGHTS when it is not the token that was asked for
 */
export function checkCredential({ jwt, issuedAt, expiresAt }: Credential, expected: ExpectedToken, now = Date.now() / 1000): string[] {
  const { header, claims } = jwt
  const kubernetes = objectAt(claims, 'kubernetes.io')
  const secret = boundSecretClaim(claims)
  const subject = `system:serviceaccount:${expected.namespace}:${expected.name}`

  // Asymmetric signatures only: "none" and shared keys prove nothing.
  if (typeof header['alg'] !== 'string' || !/^(RS|ES|PS)(256|384|512)$|^EdDSA$/.test(header['alg']))
    throw unexpectedToken(`its algorithm is ${shown(header['alg'])}`)
  if (claims['sub'] !== subject) throw unexpectedToken(`its subject is ${shown(claims['sub'])}, not ${quote(subject)}`)
  if (kubernetes['namespace'] !== expected.namespace) throw unexpectedToken(`its namespace is ${shown(kubernetes['namespace'])}`)
  if (objectAt(kubernetes, 'serviceaccount')['name'] !== expected.name) throw unexpectedToken('it names another ServiceAccount')
  if (expected.boundSecret !== undefined && (secret['name'] !== expected.boundSecret.name || secret['uid'] !== expected.boundSecret.uid)) {
    throw unexpectedToken('it is not bound to the Secret of this run')
  }
  const audiences = [claims['aud']].flat()
  if (
    expected.audiences.length > 0 &&
    (expected.audiences.length !== audiences.length || !expected.audiences.every((audience) => audiences.includes(audience)))
  ) {
    throw unexpectedToken(`its audiences are ${shown(audiences)}`)
  }
  const life = expiresAt - issuedAt
  if (life > expected.duration + 1) throw unexpectedToken(`it lives ${life} s, longer than the ${expected.duration} s asked for`)
  if (expected.statedExpiry !== undefined && Math.abs(Date.parse(expected.statedExpiry) / 1000 - expiresAt) > 5) {
    throw unexpectedToken('it expires at another time than the server states')
  }
  const warnings: string[] = []
  if (life < expected.duration - 1) warnings.push(`The credential lives ${life} s, shorter than the ${expected.duration} s asked for.`)
  const skew = Math.round(issuedAt - now)
  if (Math.abs(skew) > CLOCK_SKEW_S)
    warnings.push(
      `The API server's clock is ${Math.abs(skew)} s ${skew > 0 ? 'ahead of' : 'behind'} this machine's: the times told here are the server's.`,
    )
  return warnings
}

/** The Secret that a token says it is bound to. */
export function boundSecretClaim(claims: Jwt['claims']): Record<string, unknown> {
  return objectAt(objectAt(claims, 'kubernetes.io'), 'secret')
}

const GITLAB_CLAIMS = ['project_path', 'project_id', 'ref_protected', 'namespace']

/** What a refused ID token said of itself, one claim a line; undefined when it is no JWT. */
export function describeClaims(token: SealedString, now = Date.now() / 1000): string | undefined {
  const jwt = jwtOf(token)
  if (jwt === undefined) return undefined
  const names = ['iss', 'aud', 'sub', 'repository', 'repository_id', 'ref', 'event_name', 'environment', ...GITLAB_CLAIMS]
  const lines = names.filter((name) => jwt.claims[name] !== undefined).map((name) => `  ${name}: ${shown(jwt.claims[name])}`)
  return [...lines, ...describeTimes(jwt, now)].join('\n')
}

function describeTimes({ claims }: Jwt, now: number): string[] {
  return ['iat', 'nbf', 'exp'].flatMap((name) => {
    const time = claims[name]
    return isTime(time) ? [`  ${name}: ${isoTime(time)} (${relativeTime(time, now)})`] : []
  })
}

/** The API server accepts an OpenID Connect token this long before its `nbf`. */
const NOT_BEFORE_LEEWAY_S = 300

/**
 * Why the API server cannot accept the token of the identity now, by the token's own times. The clocks of two machines
 * differ: within that difference the API server decides.
 */
export function validityProblem(token: SealedString, now = Date.now() / 1000): string | undefined {
  const jwt = jwtOf(token)
  if (jwt === undefined) return undefined
  const { exp, nbf } = jwt.claims
  const expired = isTime(exp) && exp < now - CLOCK_SKEW_S ? `expired ${relativeTime(exp, now)}` : undefined
  const early = isTime(nbf) && nbf > now + NOT_BEFORE_LEEWAY_S ? `is not valid yet: it will be ${relativeTime(nbf, now)}` : undefined
  const why = expired ?? early
  return why === undefined ? undefined : `${why}. Its times:\n${describeTimes(jwt, now).join('\n')}\nIt is now ${isoTime(Math.floor(now))}`
}

/** The id as the audit log and SelfSubjectReview write it. */
export function credentialId(jti: string): string {
  return `JTI=${jti}`
}

function unexpectedToken(what: string): KubepassError {
  return new KubepassError('RIGHTS', `The token is not the one that was asked for: ${what}.`, {
    hint: 'Does the API server sign tokens by a plugin, or sit behind a gateway that changes them?',
  })
}

function objectAt(of: Record<string, unknown>, key: string): Record<string, unknown> {
  const value = of[key]
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 && value < 8.64e12
}

function shown(value: unknown): string {
  return quoteValue(value ?? 'missing')
}
