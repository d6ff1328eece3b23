import { readFileSync } from 'node:fs'
import { errnoOf, KubepassError } from '../base/errors.ts'
import { version } from '../base/version.ts'
import { decode } from '../commands/decode.ts'
import { execute } from '../commands/execute.ts'
import { recoverCommand } from '../commands/recover.ts'
import { runCommand } from '../commands/run.ts'
import { suggest } from '../commands/suggest.ts'
import { sweepCommand } from '../commands/sweep.ts'
import type { CommandLine } from '../config/flags.ts'
import type { CommandContext } from '../lifecycle/run-context.ts'
import { terminalPlatform } from '../platform/terminal.ts'
import { print, STDERR, STDOUT } from '../system/print.ts'
import { completeWords, completionScript } from './completion.ts'
import { parseCommandLine } from './parse.ts'

/** The terminal in which the command line was written. */
export interface Caller {
  readonly env: NodeJS.ProcessEnv
  /** The width of the terminal; undefined if the output goes elsewhere. */
  readonly columns: number | undefined
}

/** For an output that is no terminal. */
const DEFAULT_COLUMNS = 100

const COMMANDS = { run: runCommand, revoke: recoverCommand, sweep: sweepCommand } as const satisfies Record<
  string,
  (context: CommandContext) => Promise<number>
>

/**
 * Runs what a command line of a terminal asks for.
 * @returns the exit code of a command that has no run; undefined if it is 0, or set by execute()
 * @throws INPUT if the command line is wrong
 */
export async function startCommandLine(words: readonly string[], { env, columns }: Caller): Promise<number | undefined> {
  // The completion scripts call `__complete`, so no help lists the command.
  if (words[0] === '__complete') return shown(completeWords(words.slice(1)))
  const request = parseCommandLine(words, columns ?? DEFAULT_COLUMNS)
  if ('print' in request) return shown(request.print)
  const { command, operands } = request
  if (command === 'version') return shown(`${version}\n`)
  if (command === 'completion') return shown(completionScript(operands[0] ?? ''))
  if (command === 'decode') return shown(`${decode(textOfStdin())}\n`)
  if (command === 'suggest') return suggestRoles(request)
  await execute(COMMANDS[command], (redact) => terminalPlatform(request, env, redact))
  return undefined
}

function shown(text: string): undefined {
  print(STDOUT, text)
  return undefined
}

async function suggestRoles({ operands, extraFlags }: CommandLine): Promise<number | undefined> {
  const { check } = extraFlags
  const { text, failure } = await suggest(operands, typeof check === 'string' ? check : undefined)
  print(STDOUT, text)
  if (failure === undefined) return undefined
  print(STDERR, `kubepass: ${failure}\n`)
  return 1
}

function textOfStdin(): string {
  try {
    return readFileSync(0, 'utf8')
  } catch (error) {
    throw new KubepassError('INPUT', `Standard input cannot be read (${errnoOf(error)}).`, { hint: 'Usage: kubepass decode < TOKEN' })
  }
}
