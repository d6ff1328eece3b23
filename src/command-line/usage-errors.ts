import type { CommanderError } from 'commander'
import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { type CommandLine, flagName, terminalFlags } from '../config/flags.ts'
import { inputIds, inputs } from '../config/inputs.ts'
import { isSubcommand, type SubcommandName, subcommands } from './subcommands.ts'

/** The texts of commander's errors that a mistyped command line can cause. */
const FACTS: Readonly<Record<string, (quoted: string) => string>> = {
  'commander.unknownCommand': (name) => `There is no command ${quote(name)}.`,
  'commander.unknownOption': aboutUnknownFlag,
  'commander.optionMissingArgument': (flag) => `${flag.split(' ')[0]} needs a value.`,
}

function aboutUnknownFlag(flag: string): string {
  const id = inputIds.find((each) => flagName(each) === flag)
  if (flag.includes('=')) return `${flag.split('=')[0]} takes no value.`
  if (id === undefined || terminalFlags.includes(id)) return `There is no flag ${quote(flag)}.`
  const reason = inputs[id].secret === true ? 'because every user of the machine can read a command line' : 'because it is for a CI job'
  return `There is no flag ${flag}, ${reason}.`
}

/**
 * The error about a word that commander does not know.
 * @param error the error of commander
 * @param name the first word of the command line
 */
export function aboutWrongWord({ code, message }: Pick<CommanderError, 'code' | 'message'>, name: string): KubepassError {
  const quoted = /'(.*?)'/.exec(message)?.[1] ?? ''
  const suggestion = /\((Did you mean .*)\)/.exec(message)?.[1]
  const help = isSubcommand(name) ? `kubepass ${name} --help shows all flags.` : 'kubepass help shows all commands.'
  const hint = suggestion === undefined ? help : `${suggestion}\n${help}`
  return new KubepassError('INPUT', FACTS[code]?.(quoted) ?? `The command line is wrong: ${message}`, { hint })
}

/**
 * Checks the words besides the flags.
 * @param isSeparated whether the command line has `--`
 * @throws INPUT
 */
export function checkOperands(command: SubcommandName, { operands, argv }: CommandLine, isSeparated: boolean): void {
  const { operands: shape, operandCount: count, inputs: ids } = subcommands[command]
  const usage = `Usage: kubepass ${command} ${ids.length > 0 ? '[FLAGS] ' : ''}${shape}`.trimEnd()
  const hint = `${usage}\nkubepass ${command} --help shows more.`
  const [first] = operands
  if (command === 'run' && first !== undefined) {
    const fact = isSeparated
      ? `${quote(first)} is no flag, and stands before --.`
      : `-- is missing before the command, which begins with ${quote(first)}.`
    throw new KubepassError('INPUT', fact, { hint })
  }
  if (command !== 'run' && argv.length > 0) throw new KubepassError('INPUT', `kubepass ${command} runs no command after --.`, { hint })
  if (operands.length === count) return
  const fact =
    count === 0 ? `${quote(first ?? '')} is no flag.` : `${count} word is needed besides the flags, but ${operands.length} are given.`
  throw new KubepassError('INPUT', fact, { hint })
}
