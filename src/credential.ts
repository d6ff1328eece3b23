import { KubepassError } from './errors.ts'
import { quote, quoteValue } from './quote.ts'
import type { Secret } from './secret.ts'

/** A token with what is known of it. Times are seconds since 1970. */
export interface Credential {
  readonly token: Secret
  readonly jwt: Jwt
  readonly jti: string | undefined
  readonly issuedAt: number
  readonly expiresAt: number
}

export interface Jwt {
  header: Record<string, unknown>
  claims: Record<string, unknown>
}

/** What the token must say. */
export interface Expected {
  namespace: string
  name: string
  /** Seconds. */
  duration: number
  /** The Secret that it is bound to; undefined when it is bound to nothing. */
  anchor: { name: string; uid: string } | undefined
  audiences: readonly string[]
  /** The expiry that the TokenRequest's answer states, ISO 8601. */
  stated: string | undefined
}

/** The API server accepts a token for this long after its `exp`: 60 s of leeway and 10 s of cache. */
export const OVERRUN_S = 70

const CLOCK_SKEW_S = 120

/** When it ends by our own clock, ms since 1970, as what counts is how long it lives from when it was received: clocks may differ. */
export function endsAt({ issuedAt, expiresAt }: Pick<Credential, 'issuedAt' | 'expiresAt'>, receivedAt: number): number {
  return receivedAt + (expiresAt - issuedAt) * 1000
}

/** When to renew it: at 65 to 75 % of the life that was granted, so that many jobs do not come at once. */
export function renewAt(credential: Pick<Credential, 'issuedAt' | 'expiresAt'>, receivedAt: number, random = Math.random()): number {
  return receivedAt + Math.round((endsAt(credential, receivedAt) - receivedAt) * (0.65 + random / 10))
}

/**
 * When to delete the anchor of one that has been replaced: at its own end, as there are clients that never learn of the
 * new one, or earlier, if all are said to.
 * @param grace seconds
 */
export function retireAt(end: number, replacedAt: number, grace: number | undefined): number {
  return grace === undefined ? end : Math.min(end, replacedAt + grace * 1000)
}

/** Header and claims of a JWT; undefined when the text is none. The signature is not looked at. */
export function decodeJwt(text: string): Jwt | undefined {
  const [header, claims, signature, ...more] = text.split('.')
  if (header === undefined || claims === undefined || !signature || more.length > 0) return undefined
  const parsed = { header: parseSegment(header), claims: parseSegment(claims) }
  return parsed.header !== undefined && parsed.claims !== undefined ? (parsed as Jwt) : undefined
}

/** The same of a secret. */
export function jwtOf(token: Secret): Jwt | undefined {
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

/**
 * What the token says of itself, before it is judged: the latest expiry must be known even of a wrong one.
 * @throws RIGHTS when it is no JWT, or its times make no sense
 */
export function readCredential(token: Secret): Credential {
  const jwt = jwtOf(token)
  if (jwt === undefined) throw notAsAsked('it is no JWT')
  const { iat, exp, nbf, jti } = jwt.claims
  if (!isTime(iat) || !isTime(exp) || exp <= iat || (nbf !== undefined && (!isTime(nbf) || nbf >= exp)))
    throw notAsAsked('its times make no sense')
  return { token, jwt, jti: typeof jti === 'string' ? jti : undefined, issuedAt: iat, expiresAt: exp }
}

/**
 * Compares the token's own claims with what was asked for.
 * @returns warnings
 * @throws RIGHTS when it is not the token that was asked for
 */
export function checkCredential({ jwt, issuedAt, expiresAt }: Credential, expected: Expected, now = Date.now() / 1000): string[] {
  const { header, claims } = jwt
  const kubernetes = objectAt(claims, 'kubernetes.io')
  const secret = secretOf(claims)
  const subject = `system:serviceaccount:${expected.namespace}:${expected.name}`

  // Asymmetric signatures only: "none" and shared keys prove nothing.
  if (typeof header['alg'] !== 'string' || !/^(RS|ES|PS)(256|384|512)$|^EdDSA$/.test(header['alg']))
    throw notAsAsked(`its algorithm is ${shown(header['alg'])}`)
  if (claims['sub'] !== subject) throw notAsAsked(`its subject is ${shown(claims['sub'])}, not ${quote(subject)}`)
  if (kubernetes['namespace'] !== expected.namespace) throw notAsAsked(`its namespace is ${shown(kubernetes['namespace'])}`)
  if (objectAt(kubernetes, 'serviceaccount')['name'] !== expected.name) throw notAsAsked('it names another ServiceAccount')
  if (expected.anchor !== undefined && (secret['name'] !== expected.anchor.name || secret['uid'] !== expected.anchor.uid)) {
    throw notAsAsked('it is not bound to the Secret of this run')
  }
  const audiences = [claims['aud']].flat()
  if (
    expected.audiences.length > 0 &&
    (expected.audiences.length !== audiences.length || !expected.audiences.every((audience) => audiences.includes(audience)))
  ) {
    throw notAsAsked(`its audiences are ${shown(audiences)}`)
  }
  const life = expiresAt - issuedAt
  if (life > expected.duration + 1) throw notAsAsked(`it lives ${life} s, longer than the ${expected.duration} s asked for`)
  if (expected.stated !== undefined && Math.abs(Date.parse(expected.stated) / 1000 - expiresAt) > 5) {
    throw notAsAsked('it expires at another time than the server states')
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
export function secretOf(claims: Jwt['claims']): Record<string, unknown> {
  return objectAt(objectAt(claims, 'kubernetes.io'), 'secret')
}

const GITLAB_CLAIMS = ['project_path', 'project_id', 'ref_protected', 'namespace']

/** What a refused ID token said of itself, one claim a line; undefined when it is no JWT. */
export function claimsOf(token: Secret, now = Date.now() / 1000): string | undefined {
  const jwt = jwtOf(token)
  if (jwt === undefined) return undefined
  const names = ['iss', 'aud', 'sub', 'repository', 'repository_id', 'ref', 'event_name', 'environment', ...GITLAB_CLAIMS]
  const lines = names.filter((name) => jwt.claims[name] !== undefined).map((name) => `  ${name}: ${shown(jwt.claims[name])}`)
  return [...lines, ...timesOf(jwt, now)].join('\n')
}

function timesOf({ claims }: Jwt, now: number): string[] {
  return ['iat', 'nbf', 'exp'].flatMap((name) => {
    const time = claims[name]
    return isTime(time) ? [`  ${name}: ${isoTime(time)} (${away(time, now)})`] : []
  })
}

/** The API server accepts an OpenID Connect token this long before its `nbf`. */
const EARLIEST_S = 300

/**
 * Why the API server cannot accept the token of the identity now, by the token's own times. The clocks of two machines
 * differ: within that difference the API server decides.
 */
export function untimely(token: Secret, now = Date.now() / 1000): string | undefined {
  const jwt = jwtOf(token)
  if (jwt === undefined) return undefined
  const { exp, nbf } = jwt.claims
  const expired = isTime(exp) && exp < now - CLOCK_SKEW_S ? `expired ${away(exp, now)}` : undefined
  const early = isTime(nbf) && nbf > now + EARLIEST_S ? `is not valid yet: it will be ${away(nbf, now)}` : undefined
  const why = expired ?? early
  return why === undefined ? undefined : `${why}. Its times:\n${timesOf(jwt, now).join('\n')}\nIt is now ${isoTime(Math.floor(now))}`
}

/** A moment, in words, as seen from now. Both are seconds since 1970. */
export function away(seconds: number, now: number): string {
  const between = Math.round(seconds - now)
  const [unit, size] =
    (
      [
        ['day', 86400],
        ['hour', 3600],
        ['minute', 60],
      ] as const
    ).find(([, length]) => Math.abs(between) >= length) ?? (['second', 1] as const)
  return new Intl.RelativeTimeFormat('en').format(Math.trunc(between / size), unit)
}

export function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}

/** The id as the audit log and SelfSubjectReview write it. */
export function credentialId(jti: string): string {
  return `JTI=${jti}`
}

function notAsAsked(what: string): KubepassError {
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
