import { run } from './run.ts'
import { settle } from './settle.ts'

void run(settle)
