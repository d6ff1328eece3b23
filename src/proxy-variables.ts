import type { Seal } from './secret.ts'

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

/** The variable that Node takes, and what it holds, maybe nothing. */
export function proxyOf(env: NodeJS.ProcessEnv): { name: string; value: string } {
  const name = env['https_proxy'] ? 'https_proxy' : 'HTTPS_PROXY'
  return { name, value: env[name] ?? '' }
}

/** The proxy for a URL, if the environment names one. */
export function proxyFor({ hostname, port }: URL, env: NodeJS.ProcessEnv): URL | undefined {
  const { value } = proxyOf(env)
  const names = (env['no_proxy'] ?? env['NO_PROXY'] ?? '').toLowerCase().split(/[\s,]+/)
  const host = hostname.replace(/^\[|\]$/g, '')
  const isExempt = names.some(
    (name) => ['*', host, `${hostname}:${port || '443'}`].includes(name) || (/^\*?\./.test(name) && host.endsWith(name.replace('*', ''))),
  )
  return value === '' || isExempt ? undefined : (URL.parse(value) ?? undefined)
}

/** What Node would refuse of it: its own error shows the value. */
export function problemOfProxy(env: NodeJS.ProcessEnv): string | undefined {
  const { name, value } = proxyOf(env)
  if (!/^https?:\/\//.test(value)) return undefined
  const url = /[\r\n]/.test(value) ? null : URL.parse(value)
  // A slash in a password ends the host, and the rest of it begins a path.
  const good = url !== null && [url.username, url.password].every((text) => decoded(text) !== undefined) && !url.pathname.includes('@')
  return good ? undefined : `${name} is no URL that can be used; for example: ${PROXY_EXAMPLE}`
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
