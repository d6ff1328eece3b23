#!/usr/bin/env node
import { describe, exitCodeOf } from './base/errors.ts'
import { execute, jobPlatform } from './commands/execute.ts'
import { recoverCommand } from './commands/recover.ts'
import { runCommand } from './commands/run.ts'

const [command, ...words] = process.argv.slice(2)
if (command === 'main') void execute(runCommand, jobPlatform(words))
else if (command === 'post') void execute(recoverCommand, jobPlatform(words))
else startTerminal().catch(fail)

async function startTerminal(): Promise<void> {
  // Imported only here, because a CI job does not need the parser of a terminal.
  const { startCommandLine } = await import('./command-line/start.ts')
  const exitCode = await startCommandLine(process.argv.slice(2), { env: process.env, columns: process.stdout.columns })
  if (exitCode !== undefined) process.exitCode = exitCode
}

function fail(error: unknown): void {
  console.error(`kubepass: error: ${describe(error)}`)
  process.exitCode = exitCodeOf(error)
}
