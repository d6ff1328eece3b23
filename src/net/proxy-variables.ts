import { KubepassError } from '../base/errors.ts'
import { percentDecoded } from '../base/percent-decode.ts'
import { quote } from '../base/quote.ts'
import type { Seal } from '../redact/sealed-string.ts'
import { isExcepted } from './no-proxy.ts'

/** An example of a proxy's URL with a password, for messages. */
export const PROXY_EXAMPLE = 'http://user:password@proxy.example.com:3128 (user and password percent-encoded)'

const NAME = /^(https?|all)_proxy$/i
/** Matches up to the last @, so that it also finds the password of a malformed URL. */
const PASSWORD = /^(?:\w+:\/\/)?[^:@/]*:(?!\/\/)(.+)@/
/** A shorter password may be part of other values, such as PATH, which would then count as secrets. */
const SHORTEST = 8

/** The password in a proxy variable; undefined for any other variable. */
export function proxyPassword(name: string, value: string): string | undefined {
  return NAME.test(name) ? PASSWORD.exec(value)?.[1] : undefined
}

/** Seals the password of each proxy variable, as written and percent-decoded. */
export function sealProxyPasswords(env: NodeJS.ProcessEnv, seal: Seal): void {
  for (const [name, value = ''] of Object.entries(env)) {
    const password = proxyPassword(name, value) ?? ''
    for (const form of new Set([password, percentDecoded(password) ?? ''])) if (form.length >= SHORTEST) seal(form)
  }
}

/**
 * The proxy of the environment for this URL, by the rules of Go's httpproxy: HTTPS_PROXY takes precedence over https_proxy, and
 * NO_PROXY over no_proxy.
 */
export function proxyFor(target: URL, env: NodeJS.ProcessEnv): URL | undefined {
  const { name, url } = proxyOf(env)
  if (url === undefined || isExcepted(target, env[env['NO_PROXY'] ? 'NO_PROXY' : 'no_proxy'] ?? '')) return undefined
  if (url !== 'wrong' && /^https?:$/.test(url.protocol)) return url
  throw new KubepassError('INPUT', `${name} names a proxy for ${quote(target.host)} that is neither http nor https.`, {
    hint: `kubepass supports no SOCKS proxy: give an http proxy, for example ${PROXY_EXAMPLE}. If the host needs no proxy, name it in NO_PROXY.`,
  })
}

/** The problem with the proxy variable; undefined if it has a valid URL or is not set. */
export function problemOfProxy(env: NodeJS.ProcessEnv): string | undefined {
  const { name, url } = proxyOf(env)
  return url === 'wrong' ? `${name} is no URL that can be used; for example: ${PROXY_EXAMPLE}` : undefined
}

function proxyOf(env: NodeJS.ProcessEnv): { name: string; url: URL | 'wrong' | undefined } {
  const name = env['HTTPS_PROXY'] ? 'HTTPS_PROXY' : 'https_proxy'
  const value = env[name] ?? ''
  if (value === '') return { name, url: undefined }
  const hasNoHost = /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:\/|$)/i.test(value)
  const url = hasNoHost || /[\s\p{Cc}]/u.test(value) ? null : URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`)
  // A slash in a password ends the host, so that the rest of the password with the @ becomes the path.
  const good =
    url !== null && [url.username, url.password].every((text) => percentDecoded(text) !== undefined) && !url.pathname.includes('@')
  return { name, url: good ? url : 'wrong' }
}

/** The names of the proxy variables that the scan does not get. */
export function withheldProxies(env: NodeJS.ProcessEnv, scanEnv: NodeJS.ProcessEnv): string[] {
  return Object.keys(env).filter((name) => NAME.test(name) && scanEnv[name] === undefined)
}
