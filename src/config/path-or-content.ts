import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

/** Letters with digits among them, or more letters than a name has. */
const RANDOM = /(?=[a-z]*\d)(?=\d*[a-z])[a-z\d]{12,}|[a-z\d]{24,}/i

/** The text itself, or what its base64 says; undefined when it can only be the path of a kubeconfig. */
export function kubeconfigContent(text: string): string | undefined {
  const decoded = /^[\w+/=\s-]*$/.test(text) ? Buffer.from(text, 'base64').toString() : ''
  if (/\bclusters\b/.test(decoded)) return decoded
  return /[\n\r{]|:\s/.test(text) ? text : undefined
}

/** Whether it may be a token or a key, which was put where its file should be named. Then it must not be echoed. */
export function isNoPath(text: string, folder = ''): boolean {
  if (existsSync(resolve(folder, text))) return false
  if (/^eyJ|^LS0tLS1CRUdJTi|-----BEGIN|\n/.test(text) || text.length > 200) return true
  if (/^(\.{0,2}|~)\//.test(text)) return false
  return RANDOM.test(text) || !(text.includes('/') || /^[\w.-]+$/.test(text))
}
