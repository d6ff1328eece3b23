import { createHash } from 'node:crypto'
import { quote } from '../base/quote.ts'
import { isProgram } from '../system/find-program.ts'
import type { GivenInputs, InputValues, Rule } from './given-inputs.ts'
import { ownKubeconfigs, problemOfKubeconfig } from './own-kubeconfig.ts'
import { kubeconfigContent } from './path-or-content.ts'

/** The program of the scan and its arguments. */
export type Command = readonly [program: string, ...args: string[]]

/** How each shell runs a script, so that a failing line fails the scan. */
const SHELLS: Readonly<Record<InputValues['shell'], Command>> = {
  bash: ['bash', '--noprofile', '--norc', '-eo', 'pipefail', '-c'],
  sh: ['sh', '-e', '-c'],
}

/** The command of the scan; undefined if none is given, or if the run only finishes. The words after `--` win over the input. */
export function commandOf(given: GivenInputs): Command | undefined {
  const words = wordsOf(given)
  if (words !== undefined) return words
  const script = scriptOf(given)
  return script === undefined ? undefined : [...SHELLS[given.value('shell')], script]
}

/**
 * The SHA-256 of the command, in hex; undefined without one. A script is hashed as it is. Of the words after `--`, a NUL follows each one,
 * so that two lists of words never have the same text.
 */
export function commandSha256Of(given: GivenInputs): string | undefined {
  const text =
    scriptOf(given) ??
    wordsOf(given)
      ?.map((word) => `${word}\0`)
      .join('')
  return text === undefined ? undefined : createHash('sha256').update(text).digest('hex')
}

/** The words after `--`, which run without a shell. */
function wordsOf({ source, purpose }: GivenInputs): Command | undefined {
  const [program, ...args] = source.argv
  return purpose === 'finish' || program === undefined ? undefined : [program, ...args]
}

/** The input `command`, if it is what runs. */
function scriptOf(given: GivenInputs): string | undefined {
  if (given.purpose === 'finish' || wordsOf(given) !== undefined) return undefined
  return given.value('command') || undefined
}

/** What a command must be like, in the order of its problems. */
export const commandRules: readonly Rule[] = [
  {
    name: 'the command is given once',
    problem: (given) =>
      wordsOf(given) !== undefined && given.source.input('command') !== undefined
        ? `${given.nameOf('command')} and a command after -- are both given: leave one out`
        : undefined,
  },
  {
    name: 'the command begins with a program on PATH',
    code: 'COMMAND_NOT_FOUND',
    problem: (given) => {
      const [program] = wordsOf(given) ?? []
      return program === undefined || isProgram(program, given.source.path)
        ? undefined
        : `the command ${quote(program)} is ${program.includes('/') ? 'no executable file' : 'not a program on PATH'}: correct it, or install the program`
    },
  },
  {
    name: 'the command holds no NUL',
    problem: (given) => (scriptOf(given)?.includes('\0') === true ? `${given.nameOf('command')} holds a NUL character` : undefined),
  },
  { name: 'the command names no kubeconfig of the caller', problem: problemOfOwnKubeconfig },
  {
    name: 'the shell is on PATH',
    problem: (given) => {
      const shell = given.value('shell')
      if (scriptOf(given) === undefined || given.isWrong('shell') || isProgram(shell, given.source.path)) return undefined
      const advice = shell === 'bash' ? `; install it, or set ${given.nameOf('shell')} to sh, which ignores failures inside a pipe` : ''
      return `${shell} is not on PATH${advice}`
    },
  },
]

function problemOfOwnKubeconfig(given: GivenInputs): string | undefined {
  const words = wordsOf(given)
  const script = scriptOf(given)
  const texts = words ?? (script === undefined ? [] : [script])
  if (texts.length === 0 || given.value('allow_own_kubeconfig')) return undefined
  const kubeconfig = given.text('kubeconfig')
  const file = kubeconfigContent(kubeconfig) === undefined ? kubeconfig : undefined
  const problem = problemOfKubeconfig(texts, ownKubeconfigs(given.source.env, file))
  if (problem === undefined) return undefined
  const command = given.nameOf('command')
  const example = given.source.isCI ? '' : `: ${command} 'kubectl --kubeconfig "$KUBECONFIG" ...'`
  return (
    `${words === undefined ? command : 'the command'} ${problem}. The scan finds its own kubeconfig without an argument. ` +
    `Where it needs one, its own shell must expand "$KUBECONFIG"${example}. ` +
    `To allow the caller's file, set ${given.nameOf('allow_own_kubeconfig')} to true`
  )
}
