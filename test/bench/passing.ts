// Passes on a command's output, like kubepass or like a bare Node.js program.
//   node passing.ts plain|github|gitlab SECRETS COMMAND...
// At its end it writes into `$BENCH_FILE.used`: its peak resident memory in KiB, its CPU time in ms, and the longest time in ms of
// the filters for one piece of output. During this time the program cannot handle a signal.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipe } from '../../src/scan/pipe.ts'
import { type Filter } from '../../src/redact/filter.ts'
import { closeSinks, makeNamedPipes, openNamedPipes } from '../../src/scan/named-pipes.ts'
import { neutralizeCommands } from '../../src/platform/workflow-commands.ts'
import { Redactor } from '../../src/redact/redactor.ts'
import { tokenOf } from './texts.ts'

const [way = '', secrets = '', command = '', ...args] = process.argv.slice(2)
const redactor = new Redactor()
for (let count = 0; count < Number(secrets); count += 1) redactor.seal(tokenOf(count))
const filters: Record<string, () => Filter[]> = {
  github: () => [redactor.filter(), neutralizeCommands(redactor.search)],
  gitlab: () => [redactor.filter()],
}

let longestMs = 0
const started = process.resourceUsage()
const chosen = filters[way]
if (chosen === undefined) spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] }).stdout.pipe(process.stdout)
else {
  let began = 0
  const begin: Filter = (piece) => {
    began = performance.now()
    return piece
  }
  const end: Filter = (piece) => {
    longestMs = Math.max(longestMs, performance.now() - began)
    return piece
  }
  const folder = mkdtempSync(join(tmpdir(), 'kubepass-passing-'))
  const failed = await makeNamedPipes(folder)
  if (failed !== undefined) throw new Error(failed)
  const pipes = openNamedPipes(folder)
  rmSync(folder, { recursive: true })
  spawn(command, args, { stdio: ['ignore', pipes.stdout.sink, 'inherit'] })
  closeSinks(pipes)
  void pipe(pipes.stdout.source, [begin, ...chosen(), end], process.stdout)
}

process.on('exit', () => {
  const file = process.env['BENCH_FILE']
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage()
  const cpu = userCPUTime + systemCPUTime - started.userCPUTime - started.systemCPUTime
  if (file !== undefined) writeFileSync(`${file}.used`, `${String(maxRSS)} ${String(cpu / 1000)} ${String(longestMs)}`)
})
