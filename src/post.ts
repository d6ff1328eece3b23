import { run } from './commands/execute.ts'
import { settle } from './commands/recover.ts'

void run(settle)
