import { parseArgs, type ParseArgsConfig } from 'node:util'
import { KubepassError } from './errors.ts'
import { inputIds, inputs, type InputId } from './inputs.ts'
import { kubeconfigContent } from './options.ts'
import { flagName, type Flags } from './platform/terminal.ts'

/** Secrets are no flags: every user of the machine can read argv. */
export const flagIds = inputIds.filter((id) => !inputs[id].secret && !inputs[id].ciOnly)

/** Words after `kubepass run` or `kubepass revoke`; what stands after `--` is the command. */
export function parseFlags(words: readonly string[], command: 'run' | 'revoke'): Flags {
  const end = words.includes('--') ? words.indexOf('--') : words.length
  const options: NonNullable<ParseArgsConfig['options']> = Object.fromEntries(
    flagIds.map((id) => [flagName(id).slice(2), { type: 'string' }]),
  )
  try {
    const { values, positionals } = parseArgs({ args: words.slice(0, end), options, allowPositionals: command === 'revoke' })
    const [receipt, ...more] = positionals
    if (command === 'revoke' && (receipt === undefined || more.length > 0))
      throw new Error('one receipt is needed: kubepass revoke [FLAGS] RECEIPT')
    const given = flagIds.flatMap((id): [InputId, string][] => {
      const value = values[flagName(id).slice(2)]
      return typeof value === 'string' ? [[id, value]] : []
    })
    if (given.some(([id, value]) => id === 'kubeconfig' && kubeconfigContent(value.trim()) !== undefined))
      throw new Error(
        `${flagName('kubeconfig')} holds the content of a kubeconfig, which every user of the machine can read now: give its path`,
      )
    return { values: new Map(given), argv: words.slice(end + 1), receipt }
  } catch (error) {
    throw new KubepassError('INPUT', error instanceof Error ? error.message : 'The flags cannot be read.', {
      hint: 'kubepass help shows them all.',
    })
  }
}
