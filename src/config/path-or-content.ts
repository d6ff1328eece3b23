import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

/** A run of letters and digits that looks random: mixed and 12 or longer, or 24 or longer. */
const RANDOM = /(?=[a-z]*\d)(?=\d*[a-z])[a-z\d]{12,}|[a-z\d]{24,}/i

/** The content of a kubeconfig from the text or its base64; undefined if the text can only be a path. */
export function kubeconfigContent(text: string): string | undefined {
  const decoded = /^[\w+/=\s-]*$/.test(text) ? Buffer.from(text, 'base64').toString() : ''
  if (/\bclusters\b/.test(decoded)) return decoded
  return /[\n\r{]|:\s/.test(text) ? text : undefined
}

/** Whether the text may be a token or a key in place of the path of its file. Then no message may quote it. */
export function isNoPath(text: string, folder = ''): boolean {
  if (existsSync(resolve(folder, text))) return false
  if (/^eyJ|^LS0tLS1CRUdJTi|-----BEGIN|\n/.test(text) || text.length > 200) return true
  if (/^(\.{0,2}|~)\//.test(text)) return false
  return RANDOM.test(text) || !(text.includes('/') || /^[\w.-]+$/.test(text))
}
