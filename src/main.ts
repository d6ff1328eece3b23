import { execute } from './commands/execute.ts'
import { runCommand } from './commands/run.ts'

void execute(runCommand)
