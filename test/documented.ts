import { readFileSync } from 'node:fs'

const schema = readFileSync(new URL('../docs/evidence.schema.json', import.meta.url), 'utf8')
const page = readFileSync(new URL('../docs/how-it-works.md', import.meta.url), 'utf8')

/** Returns the shell command, which the schema's description of the field and docs/how-it-works.md must show. */
export function documented(field: string, command: string): string {
  const found = [...schema.matchAll(new RegExp(`"${field}": \\{\\s*"description": ("(?:[^"\\\\]|\\\\.)*")`, 'g'))]
  const descriptions = found.map(([, text = '']) => JSON.parse(text) as string)
  if (!descriptions.some((text) => text.includes(command))) throw new Error(`The schema's ${field} does not show: ${command}`)
  if (!page.includes(command)) throw new Error(`docs/how-it-works.md does not show: ${command}`)
  return command
}
