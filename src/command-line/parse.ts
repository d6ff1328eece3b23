import { Command, CommanderError, Option } from 'commander'
import { version } from '../base/version.ts'
import { type CommandLine, flagName, isSwitch, ownFlags, terminalFlags } from '../config/flags.ts'
import { type InputId, inputs } from '../config/inputs.ts'
import { aboutExamplesAndExitCodes, aboutInput, CI_COMMANDS, ENVIRONMENT, INTRODUCTION } from './help.ts'
import { isSubcommandName, type SubcommandName, subcommandNames, subcommands, usageOf } from './subcommands.ts'
import { aboutNoCommand, aboutWrongWord, checkOperands } from './usage-errors.ts'

/** What the user asks for: a text, or a command with its flags. */
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
    if (error.exitCode !== 0) throw aboutWrongWord(error, words)
  }
  if (request === undefined && end === 0 && words.length > 0) throw aboutNoCommand()
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
      optionTerm: ({ flags, long }) => (isSwitchFlag(long) ? (long ?? '') : flags),
      subcommandTerm: (command) => command.name(),
      commandUsage: (command) => (command.parent === null ? 'kubepass COMMAND [FLAGS]' : usageOf(command.name() as SubcommandName)),
    })
    .configureOutput({ writeOut: print, writeErr: () => undefined, getOutHelpWidth: () => columns })
}

function subcommandOf(program: Command, name: SubcommandName): Command {
  const { summary, inputs: ids, ownFlags: own } = subcommands[name]
  const command = program
    .command(name)
    .description(summary)
    .optionsGroup('Flags:')
    .argument('[words...]')
    // The flags after the first word belong to the user's command. The message is then about the missing `--`, and not about them.
    .passThroughOptions(name === 'run')
    .addHelpText('after', aboutExamplesAndExitCodes(name))
  for (const id of ids) command.addOption(new Option(`${flagName(id)} <${placeholderOf(id)}>`, aboutInput(id)))
  for (const flag of own) {
    const { description, path } = ownFlags[flag]
    command.addOption(new Option(path === undefined ? `--${flag}` : `--${flag} <FILE>`, description))
  }
  return ids.length === 0 ? command : command.addHelpText('after', ENVIRONMENT)
}

function flagsOf(command: Command, name: SubcommandName): Pick<CommandLine, 'ids' | 'values' | 'ownFlags'> {
  const { inputs: ids, ownFlags: own } = subcommands[name]
  const given = new Map(command.options.map((option) => [option.long, command.getOptionValue(option.attributeName()) as unknown]))
  const values = ids.flatMap((id): [InputId, string][] => {
    const value = given.get(flagName(id))
    return typeof value === 'string' ? [[id, value]] : []
  })
  return { ids, values: new Map(values), ownFlags: Object.fromEntries(own.map((flag) => [flag, given.get(`--${flag}`)])) }
}

function placeholderOf(id: InputId): string {
  const { options, path } = inputs[id]
  // The description lists the choices.
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
  const takesValue = isSubcommandName(first) ? flagsWithValue(first) : new Map<string, boolean>()
  let isValue = false
  return words.map((word, index) => {
    const isFlag = !isValue && word.startsWith('-')
    const isSwitchWithValue = isSwitchFlag(word) && ['true', 'false'].includes(words[index + 1] ?? '')
    isValue = isFlag && (takesValue.get(word) === true || isSwitchWithValue)
    return isFlag && !isSwitchWithValue ? normalizeFlag(word, takesValue) : word
  })
}

function normalizeFlag(word: string, takesValue: ReadonlyMap<string, boolean>): string {
  const [name = ''] = word.split('=')
  if (isSwitchFlag(word)) return `${word}=true`
  if (takesValue.has(name)) return word
  // For commander, -- would end the flags.
  if (name === '--') return '--='
  return word.startsWith('--') ? name : shortFlag(word, takesValue)
}

/** Letters behind a short flag can be its value, unless they are the name of a long flag with one dash. */
function shortFlag(word: string, takesValue: ReadonlyMap<string, boolean>): string {
  return takesValue.has(`-${word}`) ? word : word.slice(0, 2)
}

/** The flags of a command, and whether the next word is their value. */
function flagsWithValue(name: SubcommandName): ReadonlyMap<string, boolean> {
  const { inputs: ids, ownFlags: own } = subcommands[name]
  return new Map([
    ...ids.map((id): [string, boolean] => [flagName(id), !isSwitch(id)]),
    ...own.map((flag): [string, boolean] => [`--${flag}`, ownFlags[flag].path !== undefined]),
  ])
}

function isSwitchFlag(flag: string | undefined): boolean {
  return terminalFlags.some((id) => isSwitch(id) && flagName(id) === flag)
}
