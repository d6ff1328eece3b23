#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { describe, exitCodeOf, KubepassError } from './base/errors.ts'
import { version } from './base/version.ts'
import { decode } from './commands/decode.ts'
import { execute } from './commands/execute.ts'
import { help } from './commands/help.ts'
import { recoverCommand } from './commands/recover.ts'
import { runCommand } from './commands/run.ts'
import { sweepCommand } from './commands/sweep.ts'

const [command, ...words] = process.argv.slice(2)
try {
  if (command === 'run') void execute(runCommand, words, 'run')
  else if (command === 'revoke') void execute(recoverCommand, words, 'revoke')
  else if (command === 'sweep') void execute(sweepCommand, words, 'sweep')
  else if (command === 'main') void execute(runCommand, words)
  else if (command === 'post') void execute(recoverCommand, words)
  else if (command === 'decode') console.log(decode(readFileSync(0, 'utf8')))
  else if (command === 'version' || command === '--version') console.log(version)
  else if (command === 'help' || command === '--help' || command === '-h' || command === undefined) console.log(help())
  else throw new KubepassError('INPUT', `There is no command ${JSON.stringify(command)}.`, { hint: 'kubepass help shows all commands.' })
} catch (error) {
  console.error(`kubepass: error: ${describe(error)}`)
  process.exitCode = exitCodeOf(error)
}
