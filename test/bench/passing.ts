// Passes a command's output on, as kubepass does or as a bare Node.js program would.
//   node passing.ts plain|github|gitlab SECRETS COMMAND...
// Leaves in the file that BENCH_FILE names, with `.used`: its peak of resident memory in KiB, its CPU time in ms, and the
// longest time in ms that the filters took for one piece, during which the program hears no signal.
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { pipe, type Filter } from '../../src/pipe.ts'
import { commandsDefused } from '../../src/platform/workflow-commands.ts'
import { Redactor } from '../../src/redact.ts'
import { tokenOf } from './texts.ts'

const [how = '', secrets = '', command = '', ...args] = process.argv.slice(2)
const redactor = new Redactor()
for (let count = 0; count < Number(secrets); count += 1) redactor.seal(tokenOf(count))
const filters: Record<string, () => Filter[]> = {
  github: () => [redactor.filter(), commandsDefused()],
  gitlab: () => [redactor.filter()],
}

let longestMs = 0
const started = process.resourceUsage()
const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
const chosen = filters[how]
if (chosen === undefined) child.stdout.pipe(process.stdout)
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
  void pipe(child.stdout, [begin, ...chosen(), end], process.stdout)
}

process.on('exit', () => {
  const file = process.env['BENCH_FILE']
  const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage()
  const cpu = userCPUTime + systemCPUTime - started.userCPUTime - started.systemCPUTime
  if (file !== undefined) writeFileSync(`${file}.used`, `${String(maxRSS)} ${String(cpu / 1000)} ${String(longestMs)}`)
})
