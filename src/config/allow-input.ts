import type { Allow } from '../rbac/allow.ts'
import { readAllowRules } from './allow-rules.ts'
import { InvalidValue } from './invalid-value.ts'
import { isNoPath } from './path-or-content.ts'
import { parseYaml } from './yaml.ts'

const LONGEST_TEXT = 100_000

/**
 * Reads the rules of the input `allow` before the parser, because the parser of YAML is loaded only then.
 * @param readFile reads the file, the pipe or standard input with this path
 * @returns the rules as JSON; InvalidValue if they are no YAML; undefined if the input has no rules
 */
export async function allowAsJson(text: string, readFile: (path: string) => string): Promise<string | InvalidValue | undefined> {
  if (text === '' || isWord(text)) return undefined
  try {
    const yaml = isRules(text) ? text : textOfRules(text, readFile)
    if (yaml.length > LONGEST_TEXT) throw new InvalidValue(`holds more than ${LONGEST_TEXT} characters`)
    const [document, ...others] = await parseYaml(yaml)
    if (others.length > 0) throw new InvalidValue('holds more than one YAML document')
    return JSON.stringify(document ?? null)
  } catch (error) {
    if (error instanceof InvalidValue) return error
    throw error
  }
}

/**
 * @param json what allowAsJson() returned
 * @throws InvalidValue
 */
export function parseAllow(text: string, json: string | InvalidValue | undefined): Allow {
  if (isWord(text)) return text
  if (json instanceof InvalidValue) throw json
  if (json === undefined) throw new InvalidValue('is neither granted nor read, and its rules were not read')
  return readAllowRules(JSON.parse(json))
}

function isWord(text: string): text is 'granted' | 'read' {
  return text === 'granted' || text === 'read'
}

/** Whether the text is YAML, and no path of a file. */
function isRules(text: string): boolean {
  return /[\n\r{[]|:\s/.test(text)
}

function textOfRules(path: string, readFile: (path: string) => string): string {
  if (isNoPath(path)) throw new InvalidValue('is none of granted, read, rules, or the path of a file with rules')
  return readFile(path)
}
