import type { Seal } from './secret.ts'

/** How a proxy's URL with a password is written. */
export const PROXY_EXAMPLE = 'http://user:password@proxy.example.com:3128 (user and password percent-encoded)'

const NAME = /^(https?|all)_proxy$/i
/** Up to the last @: the password of a URL that was written wrongly is one, too. */
const PASSWORD = /^[^:/]*:?\/*[^:@/]*:(.*)@/
/** Less cannot be told from other text. */
const SHORTEST = 4

/** Seals the password in each variable that names a proxy. */
export function sealProxyPasswords(env: NodeJS.ProcessEnv, seal: Seal): void {
  for (const [name, value = ''] of Object.entries(env)) {
    const password = NAME.test(name) ? PASSWORD.exec(value)?.[1] : undefined
    if (password === undefined) continue
    for (const form of new Set([password, decoded(password)])) if (form !== undefined && form.length >= SHORTEST) seal(form)
  }
}

/** What Node would refuse of the variable that it takes: its own error shows the value. */
export function problemOfProxy(env: NodeJS.ProcessEnv): string | undefined {
  const name = env['https_proxy'] ? 'https_proxy' : 'HTTPS_PROXY'
  const value = env[name] ?? ''
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
