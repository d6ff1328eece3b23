import { KubepassError } from '../base/errors.ts'
import { quote, quoteValue } from '../base/quote.ts'
import { relativeTime, isoTime } from '../base/time.ts'
import type { SealedString } from '../redact/sealed-string.ts'
import { type Jwt, jwtOf } from './jwt.ts'

/** A token with its own claims. Times are seconds since 1970. */
export interface Credential {
  readonly token: SealedString
  readonly jwt: Jwt
  readonly jti: string | undefined
  readonly issuedAt: number
  readonly expiresAt: number
}

/** The claims that the token must have. */
export interface ExpectedToken {
  namespace: string
  name: string
  /** Seconds. */
  duration: number
  /** undefined if the token must not be bound to a Secret. */
  boundSecret: { name: string; uid: string } | undefined
  audiences: readonly string[]
  /** The expiry in the response to the TokenRequest, ISO 8601. */
  statedExpiry: string | undefined
}

const CLOCK_SKEW_S = 120

/**
 * Reads the claims. It does not compare them with the request: kubepass must know the expiry even of a wrong token.
 * @throws RIGHTS if the token is no JWT, or its times contradict each other
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
 * Compares the token's claims with those of the request.
 * @returns warnings
 * @throws RIGHTS if the claims differ
 */
export function checkCredential({ jwt, issuedAt, expiresAt }: Credential, expected: ExpectedToken, now = Date.now() / 1000): string[] {
  const life = { from: issuedAt, to: expiresAt }
  const difference =
    differentSignature(jwt) ??
    differentAccount(jwt, expected) ??
    differentBinding(jwt, expected) ??
    differentAudiences(jwt, expected) ??
    differentLife(life, expected)
  if (difference !== undefined) throw unexpectedToken(difference)
  return [...shortLifeWarnings(life, expected), ...clockWarnings(issuedAt, now)]
}

function differentSignature({ header: { alg } }: Jwt): string | undefined {
  // Asymmetric signatures only: "none" and shared keys prove nothing.
  const isAsymmetric = typeof alg === 'string' && /^(RS|ES|PS)(256|384|512)$|^EdDSA$/.test(alg)
  return isAsymmetric ? undefined : `its algorithm is ${shown(alg)}`
}

function differentAccount({ claims }: Jwt, { namespace, name }: ExpectedToken): string | undefined {
  const kubernetes = objectAt(claims, 'kubernetes.io')
  const subject = `system:serviceaccount:${namespace}:${name}`
  if (claims['sub'] !== subject) return `its subject is ${shown(claims['sub'])}, not ${quote(subject)}`
  if (kubernetes['namespace'] !== namespace) return `its namespace is ${shown(kubernetes['namespace'])}`
  return objectAt(kubernetes, 'serviceaccount')['name'] === name ? undefined : 'it names another ServiceAccount'
}

function differentBinding({ claims }: Jwt, { boundSecret }: ExpectedToken): string | undefined {
  const { name, uid } = boundSecretClaim(claims)
  const isBound = boundSecret === undefined || (name === boundSecret.name && uid === boundSecret.uid)
  return isBound ? undefined : 'it is not bound to the Secret of this run'
}

function differentAudiences({ claims }: Jwt, { audiences: expected }: ExpectedToken): string | undefined {
  const audiences = [claims['aud']].flat()
  const areSame = expected.length === audiences.length && expected.every((audience) => audiences.includes(audience))
  // Where none is asked for, the API server chooses.
  return expected.length === 0 || areSame ? undefined : `its audiences are ${shown(audiences)}`
}

/** From the issue of a token to its expiry, both seconds since 1970. */
interface Life {
  readonly from: number
  readonly to: number
}

function differentLife({ from, to }: Life, { duration, statedExpiry }: ExpectedToken): string | undefined {
  if (to - from > duration + 1) return `it lives ${to - from} s, longer than the ${duration} s asked for`
  const isOther = statedExpiry !== undefined && Math.abs(Date.parse(statedExpiry) / 1000 - to) > 5
  return isOther ? 'it expires at another time than the server states' : undefined
}

function shortLifeWarnings({ from, to }: Life, { duration }: ExpectedToken): string[] {
  return to - from < duration - 1 ? [`The credential lives ${to - from} s, shorter than the ${duration} s asked for.`] : []
}

function clockWarnings(issuedAt: number, now: number): string[] {
  const skew = Math.round(issuedAt - now)
  if (Math.abs(skew) <= CLOCK_SKEW_S) return []
  return [
    `The API server's clock is ${Math.abs(skew)} s ${skew > 0 ? 'ahead of' : 'behind'} this machine's. The times in this log are the API server's.`,
  ]
}

/** The claim with the name and uid of the bound Secret; empty if the token has none. */
export function boundSecretClaim(claims: Jwt['claims']): Record<string, unknown> {
  return objectAt(objectAt(claims, 'kubernetes.io'), 'secret')
}

const GITLAB_CLAIMS = ['project_path', 'project_id', 'ref_protected', 'namespace']

/** Describes the claims of a refused ID token, one a line; undefined if the token is no JWT. */
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
 * Why the API server cannot accept the identity's token now, judged by the token's own times; undefined if it may. Two clocks may
 * differ by CLOCK_SKEW_S: within that time the API server decides.
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

/** The credential id in the form that the audit log and SelfSubjectReview use. */
export function credentialId(jti: string): string {
  return `JTI=${jti}`
}

function unexpectedToken(difference: string): KubepassError {
  return new KubepassError('RIGHTS', `The token is not the one that was asked for: ${difference}.`, {
    hint: 'Does the API server sign tokens with a plugin, or does a gateway in front of it change requests?',
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
