import { parseArgs, type ParseArgsConfig } from 'node:util'
import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { type InputId, inputIds, inputs } from './inputs.ts'

/** A parsed command line. */
export interface Flags {
  readonly values: ReadonlyMap<InputId, string>
  readonly positionals: readonly string[]
  /** The words after `--`. */
  readonly argv: readonly string[]
  /** The flags that are no inputs. */
  readonly extraFlags: Readonly<Record<string, string | boolean | undefined>>
}

/** The flags in a terminal. Secrets are no flags, because every user of the machine can read argv. */
export const terminalFlags = inputIds.filter((id) => inputs[id].secret !== true && !inputs[id].ciOnly)

/** The flags in a GitLab job. They are flags, because everybody who may run a pipeline can set any variable. */
export const gitlabFlags = inputIds.filter((id) => inputs[id].guard !== undefined)

/** The flags of `kubepass sweep` only. */
export const sweepFlags = {
  'dry-run': { type: 'boolean', description: 'delete nothing, and show what would be deleted' },
  json: { type: 'boolean', description: 'print JSON in place of a table' },
  'github-token-file': { type: 'string', description: 'file with a token for the API of GitHub; without it GITHUB_TOKEN' },
  'gitlab-token-file': { type: 'string', description: 'file with a token for the API of GitLab; without it GITLAB_TOKEN or CI_JOB_TOKEN' },
} as const

export function flagName(id: InputId): string {
  return `--${id.replaceAll('_', '-')}`
}

type FlagDefinitions = NonNullable<ParseArgsConfig['options']>

/** What a command line may hold. */
export interface CommandLine {
  /** The inputs that are flags. */
  readonly ids: readonly InputId[]
  /** The required number of words besides the flags. */
  readonly wordCount: number
  /** The hint of the error about a command line that does not fit. */
  readonly hint: string
  /** The flags that are no inputs. */
  readonly extra?: FlagDefinitions
}

/** @throws INPUT */
export function parseFlags(words: readonly string[], { ids, wordCount, hint, extra = {} }: CommandLine): Flags {
  const end = words.includes('--') ? words.indexOf('--') : words.length
  const options: FlagDefinitions = { ...extra, ...Object.fromEntries(ids.map((id) => [flagName(id).slice(2), { type: 'string' }])) }
  const { values, positionals } = parse(words.slice(0, end), options, hint)
  if (positionals.length !== wordCount) {
    const fact =
      wordCount === 0
        ? `${quote(positionals[0] ?? '')} is no flag.`
        : `${wordCount} word is needed besides the flags, but ${positionals.length} are given.`
    throw new KubepassError('INPUT', fact, { hint })
  }
  const given = ids.flatMap((id): [InputId, string][] => {
    const value = values[flagName(id).slice(2)]
    return typeof value === 'string' ? [[id, value]] : []
  })
  const extraValues = Object.keys(extra).map((name): [string, string | boolean | undefined] => [
    name,
    values[name] as string | boolean | undefined,
  ])
  return { values: new Map(given), positionals, argv: words.slice(end + 1), extraFlags: Object.fromEntries(extraValues) }
}

function parse(args: string[], options: FlagDefinitions, hint: string): ReturnType<typeof parseArgs> {
  try {
    return parseArgs({ args, options, allowPositionals: true })
  } catch (error) {
    throw new KubepassError('INPUT', error instanceof Error ? error.message : 'The flags cannot be read.', { hint })
  }
}
