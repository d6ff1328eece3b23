import { errorCodes } from '../base/errors.ts'
import { isSwitch } from '../config/flags.ts'
import { type InputId, inputs, optionsOn } from '../config/inputs.ts'
import { type SubcommandName, subcommands } from './subcommands.ts'

export const INTRODUCTION = 'A Kubernetes credential that exists only while a scan runs.'

/** The end of the help of a command that has inputs. */
export const ENVIRONMENT = `
Defaults:
  The variable KUBEPASS_NAME gives the default of the flag --name: KUBEPASS_SERVER
  for --server, KUBEPASS_TOKEN_FILE for --token-file. The token of the identity has
  a variable, KUBEPASS_TOKEN, but no flag. If no input names the API server,
  kubepass uses the kubeconfig of kubectl: KUBECONFIG, or ~/.kube/config. In a job
  of GitHub or GitLab, other rules apply:
  https://github.com/kubepass/kubepass/blob/main/docs/terminal.md
`

/** The end of the help of the program. */
export const CI_COMMANDS = `
In a CI job, kubepass main does the work, and kubepass post is the cleanup.
`

/** The description of an input, with its choices and its default. */
export function describeInput(id: InputId): string {
  if (isSwitch(id)) return inputs[id].description
  const { default: defaultValue, description, required } = inputs[id]
  const options = optionsOn('terminal', id)
  const notes = [
    required === true ? 'required' : required === undefined ? '' : `required ${required}`,
    options === undefined ? '' : `one of ${options.join(', ')}`,
    defaultValue === '' ? '' : `default ${defaultValue}`,
  ].filter((note) => note !== '')
  return notes.length === 0 ? description : `${description} (${notes.join('; ')})`
}

export function examplesAndExitCodes(name: SubcommandName): string {
  const { examples, exitCodes, exitCode1 } = subcommands[name]
  const ofCommand = [
    ...(name === 'run' ? ["  the command's own, if it ends by itself"] : []),
    ...(exitCode1 === undefined ? [] : [`  1    ${exitCode1}`]),
  ]
  const ofErrors = exitCodes
    .map((code) => errorCodes[code])
    .toSorted((one, other) => one.exit - other.exit)
    .map(({ exit, means }) => `  ${String(exit).padEnd(4)} ${means.replaceAll('`', '')}`)
  const lines = [
    ...examples.flatMap(([what, line], index) => [...(index === 0 ? ['', 'Examples:'] : []), `  # ${what}`, `  ${line}`]),
    ...(exitCodes.length === 0 ? [] : ['', 'Exit codes:', ...ofCommand, ...ofErrors]),
  ]
  return lines.join('\n')
}
