import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import type { Seal } from '../redact/sealed-string.ts'
import { isExcepted } from './no-proxy.ts'

/** How a proxy's URL with a password is written. */
export const PROXY_EXAMPLE = 'http://user:password@proxy.example.com:3128 (user and password percent-encoded)'

const NAME = /^(https?|all)_proxy$/i
/** Up to the last @: the password of a URL that was written wrongly is one, too. */
const PASSWORD = /^(?:\w+:\/\/)?[^:@/]*:(?!\/\/)(.+)@/
/** A shorter one is a word that stands elsewhere, too, as in PATH, which would then be taken for a secret. */
const SHORTEST = 8

/** The password in a variable that names a proxy; undefined for any other. */
export function proxyPassword(name: string, value: string): string | undefined {
  return NAME.test(name) ? PASSWORD.exec(value)?.[1] : undefined
}

/** Seals the password in each variable that names a proxy. */
export function sealProxyPasswords(env: NodeJS.ProcessEnv, seal: Seal): void {
  for (const [name, value = ''] of Object.entries(env)) {
    const password = proxyPassword(name, value) ?? ''
    for (const form of new Set([password, decoded(password) ?? ''])) if (form.length >= SHORTEST) seal(form)
  }
}

/**
 * The proxy that the environment names for this URL, by the rules of Go's httpproxy: HTTPS_PROXY before https_proxy, NO_PROXY
 * before no_proxy.
 */
export function proxyFor(target: URL, env: NodeJS.ProcessEnv): URL | undefined {
  const { name, url } = proxyOf(env)
  if (url === undefined || isExcepted(target, env[env['NO_PROXY'] ? 'NO_PROXY' : 'no_proxy'] ?? '')) return undefined
  if (url !== 'wrong' && /^https?:$/.test(url.protocol)) return url
  throw new KubepassError('INPUT', `${name} names a proxy for ${quote(target.host)} that is neither http nor https.`, {
    hint: `kubepass uses no SOCKS proxy: give an http proxy, for example ${PROXY_EXAMPLE}, or name the host in NO_PROXY if it is reached without.`,
  })
}

/** Whether what names the proxy is a URL at all. */
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
  // A slash in a password ends the host, and the rest of it begins a path.
  const good = url !== null && [url.username, url.password].every((text) => decoded(text) !== undefined) && !url.pathname.includes('@')
  return { name, url: good ? url : 'wrong' }
}

/** The variables that name a proxy and that the scan does not get. */
export function withheldProxies(env: NodeJS.ProcessEnv, scanEnv: NodeJS.ProcessEnv): string[] {
  return Object.keys(env).filter((name) => NAME.test(name) && scanEnv[name] === undefined)
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
