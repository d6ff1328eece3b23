import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { text } from 'node:stream/consumers'

export interface Sample {
  /** The time from the start of the process to the scan's first instruction, or to the end of the process if there is no scan. */
  ms: number
  /** The resident memory of the scan's parent at that instruction, in MiB. */
  rss: number | undefined
}

/** The scan. Its first instruction reads the clock, its second one the memory of its parent. It starts no other process. */
export const scan = [
  'at=$EPOCHREALTIME',
  'while read -r name value _; do [[ $name != VmRSS: ]] || rss=$value; done < "/proc/$PPID/status"',
  'echo "$at $rss" > "$BENCH_FILE"',
].join('\n')

/** Runs a program to its end. The scan writes its figures into the file that BENCH_FILE names. */
export async function measure(program: string, args: string[], cwd: string, env: Record<string, string>): Promise<Sample> {
  const file = env['BENCH_FILE'] ?? ''
  rmSync(file, { force: true })
  const zero = zeroOfClock()
  const started = performance.now()
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const outputs = Promise.all([text(child.stdout), text(child.stderr)])
  const [code] = (await once(child, 'exit')) as [number | null]
  const ended = performance.now()
  const output = (await outputs).join('')
  if (code !== 0)
    throw new Error(`${program} ${args.join(' ')} ended with ${String(code)}:\n${output.replaceAll(/^::add-mask::.*$/gm, '')}`)
  if (!existsSync(file)) return { ms: ended - started, rss: undefined }
  const [at, rss] = readFileSync(file, 'utf8').trim().split(' ').map(Number)
  return { ms: (at ?? NaN) * 1000 - zero - started, rss: rss === undefined ? undefined : rss / 1024 }
}

/** The time at which performance.now() was 0, in milliseconds since 1970. Date.now() is exact at the moment of its change. */
function zeroOfClock(): number {
  const before = Date.now()
  while (Date.now() === before);
  return Date.now() - performance.now()
}
