import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { flagName, isSwitch, extraFlags } from '../config/flags.ts'
import { inputs, optionsOn } from '../config/inputs.ts'
import {
  isSubcommandName,
  completionShells,
  type CompletionShell,
  type SubcommandName,
  subcommandNames,
  subcommands,
} from './subcommands.ts'

/** The possible words at a place of a command line, or the kind of name that the shell completes. */
export type Completion = readonly { readonly word: string; readonly about: string }[] | 'file' | 'folder' | 'command'

/** A flag, as the completion sees it. */
interface Flag {
  readonly name: string
  readonly about: string
  /** The possible values of the flag; undefined if the flag takes none. */
  readonly value: Completion | undefined
  /** Whether the flag stands alone, but can have true or false after an equals sign. */
  readonly isSwitch?: boolean
}

/** @param words the words after `kubepass`; the last one is the one to complete, and can be empty */
export function completionOf(words: readonly string[]): Completion {
  const [name = '', ...rest] = words
  if (rest.length === 0) return name.startsWith('-') ? GLOBAL_FLAGS : [...COMMANDS, HELP]
  if (name === HELP.word && rest.length === 1) return COMMANDS
  return isSubcommandName(name) ? completionInside(name, rest) : []
}

const COMMANDS = subcommandNames.map((word) => ({ word, about: subcommands[word].summary }))
const HELP = { word: 'help', about: 'Show the help, or that of a command.' }
const GLOBAL_FLAGS = [
  { word: '--help', about: 'Show the help.' },
  { word: '--version', about: 'Print the version.' },
]

function completionInside(name: SubcommandName, words: readonly string[]): Completion {
  const before = words.slice(0, -1)
  if (before.includes('--')) return name === 'run' ? 'command' : []
  const flags = completableFlags(name)
  const current = words.at(-1) ?? ''
  const ofValue = completionOfValue(before, current, flags)
  if (ofValue !== undefined) return ofValue
  const names = flags.map(({ name: word, about }) => ({ word, about }))
  return current.startsWith('-') ? names : (completionOfOperand(name, before, flags) ?? names)
}

/** @returns undefined if no value of a flag can stand there */
function completionOfValue(before: readonly string[], current: string, flags: readonly Flag[]): Completion | undefined {
  // bash gives the equals sign between a flag and its value as a word of its own.
  const isAfterSign = before.at(-1) === '='
  const flag = flags.find((each) => each.name === before.at(isAfterSign ? -2 : -1))
  if (flag?.value !== undefined) return flag.value
  if (isAfterSign || current === '=') return flag?.isSwitch === true ? SWITCH_VALUES : []
  return current.includes('=') ? valuesInside(current, flags) : undefined
}

/** The word that a command takes besides its flags; undefined if it takes none. */
function completionOfOperand(name: SubcommandName, before: readonly string[], flags: readonly Flag[]): Completion | undefined {
  const isGiven = before.some((word, index) => !word.startsWith('-') && !takesValue(before[index - 1], flags))
  if (name === 'completion') return isGiven ? [] : completionShells.map((word) => ({ word, about: '' }))
  return name === 'suggest' || (name === 'revoke' && !isGiven) ? 'file' : undefined
}

const SWITCH_VALUES = ['true', 'false'].map((word) => ({ word, about: '' }))

function takesValue(word: string | undefined, flags: readonly Flag[]): boolean {
  return flags.find(({ name }) => name === word)?.value !== undefined
}

/** Offers no path, because the shells do not complete a path after an equals sign. */
function valuesInside(word: string, flags: readonly Flag[]): Completion {
  const [name] = word.split('=')
  const flag = flags.find((each) => each.name === name)
  const values = flag?.isSwitch === true ? SWITCH_VALUES : flag?.value
  return typeof values === 'object' ? values.map((each) => ({ ...each, word: `${name}=${each.word}` })) : []
}

function completableFlags(name: SubcommandName): Flag[] {
  const { inputs: ids, extraFlags: extra } = subcommands[name]
  return [
    ...ids.map((id): Flag => {
      const { description, path } = inputs[id]
      const words = (optionsOn('terminal', id) ?? []).map((word) => ({ word, about: '' }))
      const flag = { name: flagName(id), about: description }
      return isSwitch(id) ? { ...flag, value: undefined, isSwitch: true } : { ...flag, value: path ?? words }
    }),
    ...extra.map((flag): Flag => ({ name: `--${flag}`, about: extraFlags[flag].description, value: extraFlags[flag].path })),
    { name: '--help', about: 'Show the help.', value: undefined },
  ]
}

/** Returns one word a line, then a tab and its description. A line such as `:file` tells the shell to complete file names itself. */
export function completeWords(words: readonly string[]): string {
  const completion = completionOf(words)
  if (typeof completion === 'string') return `:${completion}\n`
  return completion.map(({ word, about }) => `${word}\t${about.replaceAll(/\s+/g, ' ')}\n`).join('')
}

/** @throws INPUT if there is no script for the shell */
export function completionScript(shell: string): string {
  const known = completionShells.find((each) => each === shell)
  if (known === undefined) {
    throw new KubepassError('INPUT', `There is no completion for ${quote(shell)}.`, { hint: `Give one of ${completionShells.join(', ')}.` })
  }
  return SCRIPTS[known]
}

/** Each script asks the program what can follow, so that the knowledge of flags and commands stands in one place. */
const SCRIPTS: Readonly<Record<CompletionShell, string>> = {
  bash: `_kubepass_command() {
  local first=1
  while [[ \${COMP_WORDS[first++]} != -- ]]; do :; done
  compopt -o filenames
  if declare -F _comp_command_offset >/dev/null; then _comp_command_offset $first
  elif declare -F _command_offset >/dev/null; then _command_offset $first
  elif ((COMP_CWORD == first)); then mapfile -t COMPREPLY < <(compgen -c -f -- "$1" | sort -u)
  else mapfile -t COMPREPLY < <(compgen -f -- "$1")
  fi
}
_kubepass() {
  local current=\${COMP_WORDS[COMP_CWORD]} word about
  [[ $current == = ]] && current=
  COMPREPLY=()
  while IFS=$'\\t' read -r word about; do
    case $word in
      :file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
      :folder) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
      :command) _kubepass_command "$current" ;;
      "$current"*) COMPREPLY+=("$word") ;;
    esac
  done < <("\${COMP_WORDS[0]/#\\~/$HOME}" __complete "\${COMP_WORDS[@]:1:COMP_CWORD-1}" "$current" 2>/dev/null)
}
complete -F _kubepass kubepass
`,
  zsh: `#compdef kubepass
_kubepass() {
  local -a described
  local word about
  while IFS=$'\\t' read -r word about; do
    case $word in
      :file) _files; return ;;
      :folder) _files -/; return ;;
      :command) local separator=\${words[(i)--]}; words=("\${(@)words[separator+1,-1]}"); (( CURRENT -= separator )); _normal; return ;;
      *) described+=("$word\${about:+:$about}") ;;
    esac
  done < <("\${words[1]/#\\~/$HOME}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe kubepass described
}
compdef _kubepass kubepass
`,
  fish: `function __kubepass_complete
  set --local words (commandline --current-process --tokenize --cut-at-cursor)
  set --local current (commandline --current-token --cut-at-cursor)
  set --local program (string replace --regex '^~' $HOME -- $words[1])
  for line in ($program __complete $words[2..] $current 2>/dev/null)
    switch $line
      case :file
        __fish_complete_path $current
      case :folder
        __fish_complete_directories $current
      case :command
        __fish_complete_subcommand --commandline $words[(math (contains --index -- -- $words) + 1)..] $current
      case '*'
        echo $line
    end
  end
end
complete --command kubepass --no-files --arguments '(__kubepass_complete)'
`,
}
