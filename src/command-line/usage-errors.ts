import type { CommanderError } from 'commander'
import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { type CommandLine, flagName, terminalFlags } from '../config/flags.ts'
import { inputIds, inputs } from '../config/inputs.ts'
import { isNoPath } from '../config/path-or-content.ts'
import { isSubcommandName, type SubcommandName, subcommands, usageOf } from './subcommands.ts'

/**
 * The error about a word that commander does not know.
 * @param error the error of commander
 * @param words the command line
 */
export function aboutWrongWord({ code, message }: Pick<CommanderError, 'code' | 'message'>, words: readonly string[]): KubepassError {
  const [, culprit = '', suggestion] = /'([^]*?)'[^\n']*(?:\n\((Did you mean [^]*)\))?$/.exec(message) ?? []
  const name = words[0] === 'help' ? '' : (words[0] ?? '')
  const help = isSubcommandName(name) ? `kubepass ${name} --help shows all flags.` : 'kubepass help shows all commands.'
  const wrong = aboutWord(code, culprit, suggestion)
  return new KubepassError('INPUT', wrong.fact, { hint: [...(wrong.hint === undefined ? [] : [wrong.hint]), help].join('\n') })
}

export function aboutNoCommand(): KubepassError {
  return new KubepassError('INPUT', 'A command of kubepass is missing before --.', { hint: `Usage: ${usageOf('run')}` })
}

function aboutWord(code: string, word: string, suggestion: string | undefined): { fact: string; hint?: string | undefined } {
  if (code === 'commander.unknownCommand') return { fact: `There is no ${shown('command', word)}.`, hint: suggestion }
  if (code === 'commander.optionMissingArgument') return { fact: `${word.split(' ')[0]} needs a value.` }
  if (code === 'commander.unknownOption' && /^--[^=]+=/.test(word)) return { fact: `${word.split('=')[0]} takes no value.` }
  return aboutUnknownFlag(word, suggestion)
}

function aboutUnknownFlag(flag: string, suggestion: string | undefined): { fact: string; hint?: string | undefined } {
  const id = inputIds.find((each) => flagName(each) === flag)
  if (id === undefined || terminalFlags.includes(id)) {
    const meant = inputIds.map(flagName).find((name) => name === `-${flag}`)
    return { fact: `There is no ${shown('flag', flag)}.`, hint: meant === undefined ? suggestion : `Did you mean ${meant}?` }
  }
  const reason = inputs[id].secret === true ? 'every user of the machine can read a command line' : 'it is for a CI job'
  return { fact: `There is no flag ${flag}, because ${reason}.` }
}

/** A word of the user behind the name of its kind. A word that may be a token is not shown. */
function shown(kind: string, word: string): string {
  return isNoPath(word) || word.length > 40 ? `${kind} of this name` : `${kind} ${quote(word)}`
}

/**
 * Checks the words besides the flags.
 * @param isSeparated whether the command line has `--`
 * @throws INPUT
 */
export function checkOperands(command: SubcommandName, { operands, argv }: CommandLine, isSeparated: boolean): void {
  const fact = problemOfRun(command, operands, isSeparated) ?? problemOfCount(command, operands) ?? problemOfArgv(command, argv)
  if (fact !== undefined) {
    throw new KubepassError('INPUT', fact, { hint: `Usage: ${usageOf(command)}\nkubepass ${command} --help shows more.` })
  }
}

function problemOfRun(command: SubcommandName, [first]: readonly string[], isSeparated: boolean): string | undefined {
  if (command !== 'run' || first === undefined) return undefined
  return isSeparated
    ? `The ${shown('word', first)} before -- is no flag.`
    : `-- is missing before the command, which begins with the ${shown('word', first)}.`
}

function problemOfCount(command: SubcommandName, operands: readonly string[]): string | undefined {
  const { operandCount: count } = subcommands[command]
  const [first] = operands
  if (operands.length === count) return undefined
  if (command === 'decode') return 'kubepass decode reads the token from standard input.'
  if (count === 0 && first !== undefined) return `The ${shown('word', first)} is no flag.`
  return `${count} word is needed besides the flags, but ${operands.length} are given.`
}

function problemOfArgv(command: SubcommandName, argv: readonly string[]): string | undefined {
  return command !== 'run' && argv.length > 0 ? `kubepass ${command} runs no command after --.` : undefined
}
