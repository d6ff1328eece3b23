import type { CommanderError } from 'commander'
import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { type CommandLine, flagName, terminalInputs, variableName } from '../config/flags.ts'
import { inputIds, inputs } from '../config/inputs.ts'
import { isNoPath } from '../config/path-or-content.ts'
import { isSubcommandName, type SubcommandName, subcommands, usageOf } from './subcommands.ts'

/**
 * The error about a word that commander does not know.
 * @param error the error of commander
 * @param words the command line
 */
export function unknownWordError({ code, message }: Pick<CommanderError, 'code' | 'message'>, words: readonly string[]): KubepassError {
  const [, wrongWord = '', suggestion] = /'([^]*?)'[^\n']*(?:\n\((Did you mean [^]*)\))?$/.exec(message) ?? []
  const name = words[0] === 'help' ? '' : (words[0] ?? '')
  const help = isSubcommandName(name) ? `kubepass ${name} --help shows all flags.` : 'kubepass help shows all commands.'
  const wrong = aboutWord(code, wrongWord, suggestion)
  return new KubepassError('INPUT', wrong.fact, { hint: [...(wrong.hint === undefined ? [] : [wrong.hint]), help].join('\n') })
}

export function missingCommandError(): KubepassError {
  return new KubepassError('INPUT', 'A command of kubepass is missing before --.', { hint: `Usage: ${usageOf('run')}` })
}

function aboutWord(code: string, word: string, suggestion: string | undefined): { fact: string; hint?: string | undefined } {
  if (code === 'commander.unknownCommand') return { fact: notKnown('command', word), hint: suggestion }
  if (code === 'commander.optionMissingArgument') return { fact: `${word.split(' ')[0]} needs a value.` }
  if (code === 'commander.unknownOption' && /^--[^=]+=/.test(word)) return { fact: `${word.split('=')[0]} takes no value.` }
  return aboutUnknownFlag(word, suggestion)
}

function aboutUnknownFlag(flag: string, suggestion: string | undefined): { fact: string; hint?: string | undefined } {
  const id = inputIds.find((each) => flagName(each) === flag)
  if (id === undefined || terminalInputs.includes(id)) {
    const meant = inputIds.map(flagName).find((name) => name === `-${flag}`)
    return { fact: notKnown('flag', flag), hint: meant === undefined ? suggestion : `Did you mean ${meant}?` }
  }
  if (inputs[id].ciOnly === true) return { fact: `${flag} is no flag of a terminal, because the input has an effect only in a CI job.` }
  return {
    fact: `${flag} is no flag, because every user of the machine can read a command line.`,
    hint: `Set the variable ${variableName(id)}.`,
  }
}

function notKnown(kind: 'command' | 'flag', word: string): string {
  return mayBeSecret(word) ? `A ${kind} is not known. ${NOT_SHOWN}` : `There is no ${kind} ${quote(word)}.`
}

/** A user who mistypes a flag can leave a token as a stray word. */
function mayBeSecret(word: string): boolean {
  return isNoPath(word) || word.length > 40
}

const NOT_SHOWN = 'kubepass does not show the word, because it may be a secret.'

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
  if (isSeparated) return strayWord(first)
  return mayBeSecret(first) ? '-- is missing before the command.' : `-- is missing before the command, which begins with ${quote(first)}.`
}

function problemOfCount(command: SubcommandName, operands: readonly string[]): string | undefined {
  const { operandCount: count } = subcommands[command]
  const [first] = operands
  if (count === 'one or more' ? first !== undefined : operands.length === count) return undefined
  if (command === 'decode') return 'kubepass decode reads the token from standard input.'
  if (count === 0 && first !== undefined) return strayWord(first)
  return `kubepass ${command} needs ${count === 1 ? 'one' : count} word${count === 1 ? '' : 's'} (${subcommands[command].operands}) besides its flags, but gets ${operands.length}.`
}

function strayWord(word: string): string {
  return mayBeSecret(word) ? `A word is no flag. ${NOT_SHOWN}` : `The word ${quote(word)} is no flag.`
}

function problemOfArgv(command: SubcommandName, argv: readonly string[]): string | undefined {
  return command !== 'run' && argv.length > 0 ? `kubepass ${command} runs no command after --.` : undefined
}
