import { parseArgs } from 'node:util'
import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { type InputId, inputIds, inputs } from './inputs.ts'

/** A parsed command line of a terminal. */
export interface CommandLine {
  /** The inputs that the command has. */
  readonly ids: readonly InputId[]
  readonly values: ReadonlyMap<InputId, string>
  /** The flags that are no inputs. */
  readonly extraFlags: ExtraFlagValues
  /** The words besides the flags, up to `--`. */
  readonly operands: readonly string[]
  /** The words after `--`. */
  readonly argv: readonly string[]
}

/** The flags in a terminal. Secrets are no flags, because every user of the machine can read argv. */
export const terminalInputs = inputIds.filter((id) => inputs[id].secret !== true && !inputs[id].ciOnly)

/** The flags in a GitLab job. They are flags, because everybody who may run a pipeline can set any variable. */
export const gitlabInputs = inputIds.filter((id) => inputs[id].guard !== undefined)

/** A flag of a terminal that is no input. */
export interface ExtraFlag {
  readonly description: string
  /** Set if the flag takes a value: the path of a file. */
  readonly path?: 'file'
}

const extraFlagTable = {
  quiet: { description: 'Print only warnings and errors.' },
  'dry-run': { description: 'Delete nothing, and show what would be deleted.' },
  json: { description: 'Print JSON in place of a table.' },
  'github-token-file': { description: 'File with a token for the API of GitHub; without it GITHUB_TOKEN.', path: 'file' },
  'gitlab-token-file': { description: 'File with a token for the API of GitLab; without it GITLAB_TOKEN or CI_JOB_TOKEN.', path: 'file' },
  check: {
    description: 'Manifest with Roles: exit with 1 if a right was used that it does not grant, and list what was not used.',
    path: 'file',
  },
} as const satisfies Record<string, ExtraFlag>

export type ExtraFlagName = keyof typeof extraFlagTable
export type ExtraFlagValues = Readonly<Partial<Record<ExtraFlagName, string | true>>>
export const extraFlags: Readonly<Record<ExtraFlagName, ExtraFlag>> = extraFlagTable

export function flagName(id: InputId): string {
  return `--${id.replaceAll('_', '-')}`
}

/** The name of the variable that holds an input, on GitLab and in a terminal. */
export function variableName(id: InputId): string {
  return `KUBEPASS_${id.toUpperCase()}`
}

/** Whether the flag of the input needs no value: alone it means true. */
export function isSwitch(id: InputId): boolean {
  return inputs[id].options?.join() === 'true,false'
}

/**
 * The flags that GitLab's template passes. This code runs in a job before its scan, so it does not load the parser of a terminal.
 * @throws INPUT
 */
export function parseGitlabFlags(words: readonly string[]): ReadonlyMap<InputId, string> {
  const options = Object.fromEntries(gitlabInputs.map((id) => [flagName(id).slice(2), { type: 'string' as const }]))
  const { values, positionals } = parse([...words], options)
  const [stray] = positionals
  if (stray !== undefined) throw wrongFlags(`${quote(stray)} is no flag.`)
  return new Map(
    gitlabInputs.flatMap((id): [InputId, string][] => {
      const value = values[flagName(id).slice(2)]
      return value === undefined ? [] : [[id, value]]
    }),
  )
}

function parse(args: string[], options: Record<string, { type: 'string' }>): { values: Record<string, string>; positionals: string[] } {
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true })
    return { values: values as Record<string, string>, positionals }
  } catch (error) {
    throw wrongFlags(error instanceof Error ? error.message : 'The flags cannot be read.')
  }
}

function wrongFlags(fact: string): KubepassError {
  return new KubepassError('INPUT', fact, { hint: 'gitlab/scan.yml gives these flags; is it of the same version as the program?' })
}
