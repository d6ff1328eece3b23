import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { flagName, isSwitch, ownFlags } from '../config/flags.ts'
import { inputs } from '../config/inputs.ts'
import { isSubcommand, SHELLS, type Shell, type SubcommandName, subcommandNames, subcommands } from './subcommands.ts'

/** What can stand at a place of a command line: these words, or what the shell knows. */
export type Completion = readonly { readonly word: string; readonly about: string }[] | 'file' | 'folder' | 'command'

/** A flag, as the completion sees it. */
interface Flag {
  readonly name: string
  readonly about: string
  /** What can follow the flag; undefined if it takes no value. */
  readonly value: Completion | undefined
}

/** @param words the words after `kubepass`; the last one is the one to complete, and can be empty */
export function completionOf(words: readonly string[]): Completion {
  const [name = '', ...rest] = words
  if (rest.length === 0) return [...subcommandNames.map((word) => ({ word, about: subcommands[word].summary })), HELP]
  if (name === HELP.word && rest.length === 1) return subcommandNames.map((word) => ({ word, about: subcommands[word].summary }))
  return isSubcommand(name) ? completionInside(name, rest) : []
}

const HELP = { word: 'help', about: 'Show the help, or that of a command.' }

function completionInside(name: SubcommandName, words: readonly string[]): Completion {
  if (words.slice(0, -1).includes('--')) return name === 'run' ? 'command' : []
  const flags = flagsOf(name)
  // bash gives the sign between a flag and its value as a word of its own.
  const before = words.at(-2) === '=' ? words.at(-3) : words.at(-2)
  const value = flags.find((flag) => flag.name === before)?.value
  const current = words.at(-1) ?? ''
  if (value !== undefined) return value
  if (current.includes('=')) return valuesInside(current, flags)
  if (current.startsWith('-')) return flags.map(({ name: word, about }) => ({ word, about }))
  if (name === 'completion') return SHELLS.map((word) => ({ word, about: '' }))
  return name === 'revoke' ? 'file' : flags.map(({ name: word, about }) => ({ word, about }))
}

/** The words that can follow the sign in a word such as `--identity=`. The shells complete no path there. */
function valuesInside(word: string, flags: readonly Flag[]): Completion {
  const [name] = word.split('=')
  const value = flags.find((flag) => flag.name === name)?.value
  return typeof value === 'object' ? value.map((each) => ({ ...each, word: `${name}=${each.word}` })) : []
}

function flagsOf(name: SubcommandName): Flag[] {
  const { inputs: ids, ownFlags: own } = subcommands[name]
  return [
    ...ids.map((id): Flag => {
      const { description, options, path } = inputs[id]
      const words = (options ?? []).map((word) => ({ word, about: '' }))
      return { name: flagName(id), about: description, value: isSwitch(id) ? undefined : (path ?? words) }
    }),
    ...own.map((flag): Flag => ({ name: `--${flag}`, about: ownFlags[flag].description, value: ownFlags[flag].path })),
    { name: '--help', about: 'Show the help.', value: undefined },
  ]
}

/** One word a line, with what it is about behind a tab; a line with a colon names what the shell itself completes. */
export function completeWords(words: readonly string[]): string {
  const completion = completionOf(words)
  if (typeof completion === 'string') return `:${completion}\n`
  return completion.map(({ word, about }) => `${word}\t${about.replaceAll(/\s+/g, ' ')}\n`).join('')
}

/** @throws INPUT if there is no script for the shell */
export function completionScript(shell: string): string {
  const known = SHELLS.find((each) => each === shell)
  if (known === undefined) {
    throw new KubepassError('INPUT', `There is no completion for ${quote(shell)}.`, { hint: `One of ${SHELLS.join(', ')}.` })
  }
  return SCRIPTS[known]
}

/** Each script asks the program what can follow, so that the knowledge of flags and commands stands in one place. */
const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `_kubepass() {
  local current=\${COMP_WORDS[COMP_CWORD]} word about
  [[ $current == = ]] && current=
  COMPREPLY=()
  while IFS=$'\\t' read -r word about; do
    case $word in
      :file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
      :folder) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
      :command) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -c -f -- "$current" | sort -u) ;;
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
  done < <("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe kubepass described
}
compdef _kubepass kubepass
`,
  fish: `function __kubepass_complete
  set --local words (commandline --current-process --tokenize --cut-at-cursor)
  set --local current (commandline --current-token --cut-at-cursor)
  for line in ($words[1] __complete $words[2..] $current 2>/dev/null)
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
