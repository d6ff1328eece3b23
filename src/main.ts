import { run } from './commands/execute.ts'
import { start } from './commands/run.ts'

void run(start)
