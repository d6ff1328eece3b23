import { flagName, sweepFlags, terminalFlags } from '../config/flags.ts'
import { inputs } from '../config/inputs.ts'

export function help(): string {
  const flags = terminalFlags.map((id) => {
    const { default: usual, description, options, required } = inputs[id]
    const notes = [
      required === true ? 'required' : required === undefined ? '' : `required ${required}`,
      options ? `one of ${options.join(', ')}` : '',
      usual === '' ? '' : `default ${usual}`,
    ]
    const shown = notes.filter((note) => note !== '').join('; ')
    return `  ${flagName(id)}\n      ${description}${shown === '' ? '' : ` (${shown})`}`
  })
  const ofSweep = Object.entries(sweepFlags).map(([name, { description }]) => `  --${name}\n      ${description}`)
  return `kubepass: a Kubernetes credential that exists only while a scan runs

  kubepass run [FLAGS] -- COMMAND [ARG ...]   issue a credential, run the command with it, revoke it, prove it dead
  kubepass revoke [FLAGS] STATE-FILE          finish a run that was killed, from the run state that it left
  kubepass sweep [FLAGS]                      delete the bound Secrets of runs that are over, in the namespace of --service-account
  kubepass decode < TOKEN                     header and claims of a token
  kubepass main, kubepass post                the commands of a CI job: its work, and its cleanup
  kubepass help                               show this text

The identity's token comes from --token-file, never from the command line: --token-file - reads standard input.

Flags:
${flags.join('\n')}

Flags of sweep alone:
${ofSweep.join('\n')}`
}
