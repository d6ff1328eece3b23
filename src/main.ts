import { run } from './run.ts'
import { start } from './start.ts'

void run(start)
