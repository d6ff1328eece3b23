import { readFileSync } from 'node:fs'
import { errnoOf, KubepassError } from '../base/errors.ts'
import { version } from '../base/version.ts'
import { decode } from '../commands/decode.ts'
import { execute } from '../commands/execute.ts'
import { recoverCommand } from '../commands/recover.ts'
import { runCommand } from '../commands/run.ts'
import { sweepCommand } from '../commands/sweep.ts'
import type { CommandContext } from '../lifecycle/run-context.ts'
import { terminalPlatform } from '../platform/terminal.ts'
import { print, STDOUT } from '../system/print.ts'
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
 * @throws INPUT if the command line is wrong
 */
export async function startCommandLine(words: readonly string[], { env, columns }: Caller): Promise<void> {
  // The completion scripts call `__complete`, so no help lists the command.
  if (words[0] === '__complete') return print(STDOUT, completeWords(words.slice(1)))
  const request = parseCommandLine(words, columns ?? DEFAULT_COLUMNS)
  if ('print' in request) return print(STDOUT, request.print)
  const { command, operands } = request
  if (command === 'version') return print(STDOUT, `${version}\n`)
  if (command === 'completion') return print(STDOUT, completionScript(operands[0] ?? ''))
  if (command === 'decode') return print(STDOUT, `${decode(textOfStdin())}\n`)
  await execute(COMMANDS[command], (redact) => terminalPlatform(request, env, redact))
}

function textOfStdin(): string {
  try {
    return readFileSync(0, 'utf8')
  } catch (error) {
    throw new KubepassError('INPUT', `Standard input cannot be read (${errnoOf(error)}).`, { hint: 'Usage: kubepass decode < TOKEN' })
  }
}
