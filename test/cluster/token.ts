import { createPrivateKey, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ClusterInfo } from './cluster.ts'

export type Claims = Record<string, unknown>

/** The claims of a JWT. This function does not verify the signature. */
export function claimsOf(token: string): Claims {
  return decode(token, 1)
}

/** Signs a JWT by RS256 with the PEM key at `keyPath`. */
export function signToken(claims: Claims, header: Claims, keyPath: string): string {
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  return `${signed}.${sign('RSA-SHA256', Buffer.from(signed), createPrivateKey(readFileSync(keyPath))).toString('base64url')}`
}

/** Signs an ID token with these claims. */
export function signIdToken(info: ClusterInfo, claims: Claims): string {
  const signedClaims = info.soleIssuer === undefined ? claims : { ...claims, ...forSoleIssuer(info, info.soleIssuer, claims) }
  return signToken(signedClaims, { typ: 'JWT', alg: 'RS256', kid: 'test' }, info.issuerKey)
}

/** An API server without claim rules reads user and group from separate claims, and accepts only its own URL as audience. */
function forSoleIssuer({ server, proxyPorts, ownPorts }: ClusterInfo, iss: string, claims: Claims): Claims {
  const urls = [...proxyPorts, ...ownPorts].map((port) => `https://127.0.0.1:${String(port)}`)
  const aud = [claims['aud']].flat()
  const [ci, group] =
    'project_id' in claims ? ['gitlab', `project:${String(claims['project_id'])}`] : ['github', `repo:${String(claims['repository_id'])}`]
  return {
    iss,
    aud: aud.some((each) => urls.includes(String(each))) ? [...aud, server] : claims['aud'],
    ci_user: `${ci}:${String(claims['sub'])}`,
    ci_group: `${ci}:${group}`,
  }
}

/** Signs a token again with changed claims. */
export function resign(token: string, change: (claims: Claims) => Claims, keyPath: string): string {
  return signToken(change(claimsOf(token)), decode(token, 0), keyPath)
}

function decode(token: string, part: number): Claims {
  return JSON.parse(Buffer.from(token.split('.')[part] ?? '', 'base64url').toString()) as Claims
}
