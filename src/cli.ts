#!/usr/bin/env node
import { describe, exitCodeOf } from './base/errors.ts'
import { execute } from './commands/execute.ts'
import { recoverCommand } from './commands/recover.ts'
import { runCommand } from './commands/run.ts'

const [command, ...words] = process.argv.slice(2)
if (command === 'main') void execute(runCommand, words)
else if (command === 'post') void execute(recoverCommand, words)
// Loaded only here, because a CI job does not need the parser of a terminal.
else void import('./command-line/start.ts').then(({ startCommandLine }) => startCommandLine(process.argv.slice(2), caller())).catch(fail)

function caller(): { env: NodeJS.ProcessEnv; columns: number | undefined } {
  return { env: process.env, columns: process.stdout.columns }
}

function fail(error: unknown): void {
  console.error(`kubepass: error: ${describe(error)}`)
  process.exitCode = exitCodeOf(error)
}
