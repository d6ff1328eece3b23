import { Command, CommanderError, Option } from 'commander'
import { version } from '../base/version.ts'
import { type CommandLine, flagName, isSwitch, extraFlags, terminalInputs } from '../config/flags.ts'
import { type InputId, inputs } from '../config/inputs.ts'
import { examplesAndExitCodes, describeInput, CI_COMMANDS, ENVIRONMENT, INTRODUCTION } from './help.ts'
import { isSubcommandName, type SubcommandName, subcommandNames, subcommands, usageOf } from './subcommands.ts'
import { missingCommandError, unknownWordError, checkOperands } from './usage-errors.ts'

/** The request of the user: a text to print, or a command with its flags. */
export type Request = { readonly print: string } | CommandRequest

interface CommandRequest extends CommandLine {
  readonly command: SubcommandName
}

/**
 * Reads a command line of a terminal.
 * @param columns the width of the terminal, for the help
 * @throws INPUT
 */
export function parseCommandLine(words: readonly string[], columns: number): Request {
  const end = words.includes('--') ? words.indexOf('--') : words.length
  let printed = ''
  let request: CommandRequest | undefined
  const program = newProgram(columns, (text) => (printed += text))
  for (const name of subcommandNames) {
    const command = subcommandOf(program, name)
    command.action((operands: string[]) => {
      request = { command: name, ...flagsOf(command, name), operands, argv: words.slice(end + 1) }
    })
  }
  try {
    program.parse(normalize(words.slice(0, end)), { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode !== 0) throw unknownWordError(error, words)
  }
  if (request === undefined && end === 0 && words.length > 0) throw missingCommandError()
  if (request === undefined) return { print: printed }
  checkOperands(request.command, request, end < words.length)
  return request
}

function newProgram(columns: number, print: (text: string) => void): Command {
  return new Command('kubepass')
    .description(INTRODUCTION)
    .optionsGroup('Flags:')
    .version(version, '--version', 'Print the version.')
    .helpOption('-h, --help', 'Show the help.')
    .helpCommand('help [COMMAND]', 'Show the help, or that of a command.')
    .addHelpText('after', CI_COMMANDS)
    .enablePositionalOptions()
    .exitOverride()
    .configureHelp({
      optionTerm: ({ flags, long }) => (isInputSwitch(long) ? (long ?? '') : flags),
      subcommandTerm: (command) => command.name(),
      commandUsage: (command) => (command.parent === null ? 'kubepass COMMAND [FLAGS]' : usageOf(command.name() as SubcommandName)),
    })
    .configureOutput({ writeOut: print, writeErr: () => undefined, getOutHelpWidth: () => columns })
}

function subcommandOf(program: Command, name: SubcommandName): Command {
  const { summary, inputs: ids, extraFlags: extra } = subcommands[name]
  const command = program
    .command(name)
    .description(summary)
    .optionsGroup('Flags:')
    .argument('[words...]')
    // commander must not read the flags after the first word, so that the error names the missing `--`.
    .passThroughOptions(name === 'run')
    .addHelpText('after', examplesAndExitCodes(name))
  for (const id of ids) command.addOption(new Option(`${flagName(id)} <${placeholderOf(id)}>`, describeInput(id)))
  for (const flag of extra) {
    const { description, path } = extraFlags[flag]
    command.addOption(new Option(path === undefined ? `--${flag}` : `--${flag} <FILE>`, description))
  }
  return ids.length === 0 ? command : command.addHelpText('after', ENVIRONMENT)
}

function flagsOf(command: Command, name: SubcommandName): Pick<CommandLine, 'ids' | 'values' | 'extraFlags'> {
  const { inputs: ids, extraFlags: extra } = subcommands[name]
  const given = new Map(command.options.map((option) => [option.long, command.getOptionValue(option.attributeName()) as unknown]))
  const values = ids.flatMap((id): [InputId, string][] => {
    const value = given.get(flagName(id))
    return typeof value === 'string' ? [[id, value]] : []
  })
  return { ids, values: new Map(values), extraFlags: Object.fromEntries(extra.map((flag) => [flag, given.get(`--${flag}`)])) }
}

function placeholderOf(id: InputId): string {
  const { options, path } = inputs[id]
  // A placeholder with all choices would be too long, and the description lists the choices.
  return options !== undefined ? 'CHOICE' : (path?.toUpperCase() ?? 'VALUE')
}

/**
 * The words as commander reads them. A switch alone means true, as in kubectl; the word true or false behind it is its value, because
 * messages say "set --allow-exec to true". A flag that is not known loses its value, because the
 * message about the flag quotes it, and the value may be a secret.
 */
function normalize(words: readonly string[]): string[] {
  const [first, second, ...rest] = words
  if (first === undefined || (first === 'help' && second === undefined)) return ['--help']
  if (first === 'help' && second !== undefined) return isSubcommandName(second) ? [second, '--help', ...rest] : [second]
  const knownFlags = isSubcommandName(first) ? valueNeedByFlag(first) : new Map<string, boolean>()
  let isValue = false
  return words.map((word, index) => {
    const isFlag = !isValue && word.startsWith('-')
    const isSwitchWithValue = isInputSwitch(word) && ['true', 'false'].includes(words[index + 1] ?? '')
    isValue = isFlag && (knownFlags.get(word) === true || isSwitchWithValue)
    return isFlag && !isSwitchWithValue ? normalizeFlag(word, knownFlags) : word
  })
}

function normalizeFlag(word: string, knownFlags: ReadonlyMap<string, boolean>): string {
  const [name = ''] = word.split('=')
  if (isInputSwitch(word)) return `${word}=true`
  if (knownFlags.has(name)) return word
  // commander would read a bare -- as the end of the flags.
  if (name === '--') return '--='
  return word.startsWith('--') ? name : shortFlag(word, knownFlags)
}

/**
 * Keeps only the letter of a short flag, because the other letters can be a secret value. A long flag with one dash stays whole, so
 * that the error can suggest two dashes.
 */
function shortFlag(word: string, knownFlags: ReadonlyMap<string, boolean>): string {
  return knownFlags.has(`-${word}`) ? word : word.slice(0, 2)
}

/** The flags of a command, and whether the next word is their value. */
function valueNeedByFlag(name: SubcommandName): ReadonlyMap<string, boolean> {
  const { inputs: ids, extraFlags: extra } = subcommands[name]
  return new Map([
    ...ids.map((id): [string, boolean] => [flagName(id), !isSwitch(id)]),
    ...extra.map((flag): [string, boolean] => [`--${flag}`, extraFlags[flag].path !== undefined]),
  ])
}

function isInputSwitch(flag: string | undefined): boolean {
  return terminalInputs.some((id) => isSwitch(id) && flagName(id) === flag)
}
