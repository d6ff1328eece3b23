import { parseArgs, type ParseArgsConfig } from 'node:util'
import { KubepassError } from './errors.ts'
import { inputIds, inputs, type InputId } from './inputs.ts'
import { quote } from './quote.ts'

/** What a command line says. */
export interface Flags {
  readonly values: ReadonlyMap<InputId, string>
  readonly positionals: readonly string[]
  /** What stands behind `--`. */
  readonly argv: readonly string[]
}

/** Those of a person. Secrets are no flags: every user of the machine can read argv. */
export const terminalFlags = inputIds.filter((id) => inputs[id].secret !== true && !inputs[id].ciOnly)

/** Those of a GitLab job: there, every variable can be overruled from outside. */
export const gitlabFlags = inputIds.filter((id) => inputs[id].guard !== undefined)

export function flagName(id: InputId): string {
  return `--${id.replaceAll('_', '-')}`
}

/** @param wanted how many words must stand beside the flags */
export function parseFlags(words: readonly string[], ids: readonly InputId[], wanted: number, hint: string): Flags {
  const end = words.includes('--') ? words.indexOf('--') : words.length
  const options: NonNullable<ParseArgsConfig['options']> = Object.fromEntries(ids.map((id) => [flagName(id).slice(2), { type: 'string' }]))
  const { values, positionals } = parse(words.slice(0, end), options, hint)
  if (positionals.length !== wanted) {
    const fact =
      wanted === 0
        ? `${quote(positionals[0] ?? '')} is no flag.`
        : `${wanted} word is needed beside the flags, and ${positionals.length} are given.`
    throw new KubepassError('INPUT', fact, { hint })
  }
  const given = ids.flatMap((id): [InputId, string][] => {
    const value = values[flagName(id).slice(2)]
    return typeof value === 'string' ? [[id, value]] : []
  })
  return { values: new Map(given), positionals, argv: words.slice(end + 1) }
}

function parse(args: string[], options: NonNullable<ParseArgsConfig['options']>, hint: string): ReturnType<typeof parseArgs> {
  try {
    return parseArgs({ args, options, allowPositionals: true })
  } catch (error) {
    throw new KubepassError('INPUT', error instanceof Error ? error.message : 'The flags cannot be read.', { hint })
  }
}
