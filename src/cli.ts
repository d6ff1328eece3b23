#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { decode } from './decode.ts'
import { describe, exitCodeOf, KubepassError } from './errors.ts'
import { help } from './help.ts'
import { run } from './run.ts'
import { settle } from './settle.ts'
import { start } from './start.ts'
import { sweep } from './sweep.ts'
import { version } from './version.ts'

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
