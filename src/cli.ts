#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { describe, exitCodeOf, KubepassError } from './base/errors.ts'
import { version } from './base/version.ts'
import { decode } from './commands/decode.ts'
import { run } from './commands/execute.ts'
import { help } from './commands/help.ts'
import { settle } from './commands/recover.ts'
import { start } from './commands/run.ts'
import { sweep } from './commands/sweep.ts'

const [command, ...words] = process.argv.slice(2)
try {
  if (command === 'run') void run(start, words, 'run')
  else if (command === 'revoke') void run(settle, words, 'revoke')
  else if (command === 'sweep') void run(sweep, words, 'sweep')
  else if (command === 'main') void run(start, words)
  else if (command === 'post') void run(settle, words)
  else if (command === 'decode') console.log(decode(readFileSync(0, 'utf8')))
  else if (command === 'version' || command === '--version') console.log(version)
  else if (command === 'help' || command === '--help' || command === '-h' || command === undefined) console.log(help())
  else throw new KubepassError('INPUT', `There is no command ${JSON.stringify(command)}.`, { hint: 'kubepass help shows them all.' })
} catch (error) {
  console.error(`kubepass: error: ${describe(error)}`)
  process.exitCode = exitCodeOf(error)
}
