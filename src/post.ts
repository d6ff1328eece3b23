import { execute } from './commands/execute.ts'
import { recoverCommand } from './commands/recover.ts'

void execute(recoverCommand)
