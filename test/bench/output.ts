// Measures how fast kubepass passes on a scan's output, compared with a bare Node.js program that pipes the same bytes.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median, table } from './results.ts'
import { dumps, texts } from './texts.ts'

/** The size of the file, which a run reads TIMES times. */
const FILE_MB = 32
const TIMES = 12
const PAIR = 2
const AFTER_200_RENEWALS = 400
/** The smallest accepted part of the plain pipe's speed. */
const LEAST = 0.65
const LEAST_FOR_DUMPS = 0.3
const MOST_MEMORY = 1.5
const LONGEST_PROMPT_MS = 30
const LONGEST_PIECE_MS = 50

const ways = ['plain', 'github', 'gitlab'] as const
type Way = (typeof ways)[number]

interface Sample {
  mbPerS: number
  rssMiB: number
  cpuMs: number
  longestMs: number
}

export interface OutputRow {
  text: string
  secrets: number
  /** Medians of MB/s, of MiB, and of the program's CPU time in ms for a GB. */
  speed: Record<Way, number>
  memory: Record<Way, number>
  cpu: Record<Way, number>
  /** The longest time in ms for one piece of output, in all rounds. */
  longestMs: number
  /** Medians of the ratios of each round. */
  ratio: Record<'github' | 'gitlab', number>
}

export interface OutputResults {
  rows: OutputRow[]
  /** The delay of a prompt without a line end: the median of 20. */
  promptMs: Record<Way, number>
}

export async function benchOutput(runs: number, progress: (line: string) => void): Promise<OutputResults> {
  const folder = mkdtempSync(join(tmpdir(), 'kubepass-bench-'))
  try {
    const rows: OutputRow[] = []
    for (const [text, make] of Object.entries({ ...texts, ...dumps })) {
      const file = join(folder, 'text')
      writeFileSync(file, make(FILE_MB * 1e6))
      for (const secrets of text === 'english' || text.startsWith('a token') ? [PAIR, AFTER_200_RENEWALS] : [PAIR]) {
        progress(`output: ${text}, ${String(secrets)} secrets`)
        rows.push(rowOf(text, secrets, await rounds(runs, secrets, file, folder)))
      }
    }
    const promptMs = { plain: NaN, github: NaN, gitlab: NaN }
    for (const way of ways) promptMs[way] = await promptDelay(way)
    return { rows, promptMs }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

export function outputTables({ rows, promptMs }: OutputResults): string {
  const verdict = (isMet: boolean): string => (isMet ? 'yes' : 'NO')
  const cells = rows.map(({ text, secrets, speed, ratio, memory, cpu, longestMs }) => {
    const memoryRatio = Math.max(memory.github, memory.gitlab) / memory.plain
    const least = text in dumps ? LEAST_FOR_DUMPS : LEAST
    return [
      text,
      String(secrets),
      ...ways.map((way) => speed[way].toFixed(0)),
      ratio.github.toFixed(2),
      ratio.gitlab.toFixed(2),
      `>= ${String(least)}`,
      verdict(Math.min(ratio.github, ratio.gitlab) >= least),
      memoryRatio.toFixed(2),
      verdict(memoryRatio <= MOST_MEMORY),
      longestMs.toFixed(1),
      verdict(longestMs <= LONGEST_PIECE_MS),
      ...ways.map((way) => cpu[way].toFixed(0)),
    ]
  })
  const head = [
    'output',
    'secrets',
    'plain MB/s',
    'GitHub',
    'GitLab',
    'ratio',
    'ratio',
    'bound',
    'met',
    'memory',
    `<= ${String(MOST_MEMORY)}`,
    'longest ms',
    `<= ${String(LONGEST_PIECE_MS)}`,
    'plain ms/GB',
    'GitHub',
    'GitLab',
  ]
  const prompts = ways.map((way) => [way, promptMs[way].toFixed(1), way === 'plain' ? '' : verdict(promptMs[way] <= LONGEST_PROMPT_MS)])
  return [table(head, cells), table(['a prompt is shown after', 'ms', `<= ${String(LONGEST_PROMPT_MS)}`], prompts)].join('\n')
}

/** Each round begins with another pipe. The first round is a warm-up. */
async function rounds(runs: number, secrets: number, file: string, folder: string): Promise<Record<Way, Sample>[]> {
  const samples: Record<Way, Sample>[] = []
  for (let round = 0; round <= runs; round += 1) {
    const sample: Partial<Record<Way, Sample>> = {}
    for (const index of ways.keys()) {
      const way = ways[(index + round) % ways.length] ?? 'plain'
      sample[way] = await pass(way, secrets, file, folder)
    }
    if (round > 0) samples.push(sample as Record<Way, Sample>)
  }
  return samples
}

function rowOf(text: string, secrets: number, samples: Record<Way, Sample>[]): OutputRow {
  const of = (value: (sample: Record<Way, Sample>) => number): number => median(samples.map(value))
  const each = (value: (sample: Sample) => number): Record<Way, number> => ({
    plain: of(({ plain }) => value(plain)),
    github: of(({ github }) => value(github)),
    gitlab: of(({ gitlab }) => value(gitlab)),
  })
  return {
    text,
    secrets,
    speed: each(({ mbPerS }) => mbPerS),
    memory: each(({ rssMiB }) => rssMiB),
    cpu: each(({ cpuMs }) => (cpuMs * 1000) / (FILE_MB * TIMES)),
    longestMs: Math.max(...samples.flatMap(({ github, gitlab }) => [github.longestMs, gitlab.longestMs])),
    ratio: {
      github: of(({ plain, github }) => github.mbPerS / plain.mbPerS),
      gitlab: of(({ plain, gitlab }) => gitlab.mbPerS / plain.mbPerS),
    },
  }
}

/** The command itself reads the clock, so the start of the programs does not count. */
async function pass(way: Way, secrets: number, file: string, folder: string): Promise<Sample> {
  const result = join(folder, 'result')
  const files = Array.from({ length: TIMES }, () => file).join(' ')
  const command = `from=$EPOCHREALTIME; cat ${files}; echo "$from $EPOCHREALTIME" > "$BENCH_FILE"`
  const script = `"$1" --disable-warning=ExperimentalWarning "$2" ${way} ${String(secrets)} bash -c '${command}' | cat > /dev/null; exit $PIPESTATUS`
  const child = spawn('bash', ['-c', script, 'bash', process.execPath, program], {
    env: { ...process.env, BENCH_FILE: result },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`the ${way} pipe ended with ${String(code)}`)
  const [from = NaN, to = NaN] = readFileSync(result, 'utf8').trim().split(' ').map(Number)
  const [rss = NaN, cpuMs = NaN, longestMs = NaN] = readFileSync(`${result}.used`, 'utf8').split(' ').map(Number)
  return { mbPerS: (FILE_MB * TIMES) / (to - from), rssMiB: rss / 1024, cpuMs, longestMs }
}

/** Each prompt contains the time at which the command wrote it. */
async function promptDelay(way: Way): Promise<number> {
  const command = 'for i in {1..20}; do printf "%s? " "$EPOCHREALTIME"; sleep 0.05; done'
  const args = ['--disable-warning=ExperimentalWarning', program, way, String(PAIR), 'bash', '-c', command]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const delays: number[] = []
  child.stdout.on('data', (prompt: Buffer) => {
    const now = performance.timeOrigin + performance.now()
    delays.push(now - Number(prompt.toString().split('?')[0]) * 1000)
  })
  await once(child, 'exit')
  return median(delays)
}

const program = fileURLToPath(new URL('passing.ts', import.meta.url))
