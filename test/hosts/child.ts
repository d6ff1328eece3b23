import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { Readable } from 'node:stream'

const LONGEST_DELAY = 2 ** 31 - 1

export type StreamName = 'stdout' | 'stderr'

export interface Ended {
  code: number | null
  signal: NodeJS.Signals | null
  /** The output as the process wrote it, before a runner processed it. */
  stdout: string
  stderr: string
}

export interface ChildOptions {
  cwd: string
  env: NodeJS.ProcessEnv
  stdin?: string
  /** The time to wait, after the end of the process, for other processes that keep its outputs open. */
  drainMs?: number
  /** Whether these processes can continue to write after that time. */
  keepReading?: boolean
  /** Starts the process in its own process group. */
  detached?: boolean
  onData?: (stream: StreamName, chunk: Buffer) => void
}

/** Whether the promise settles within this number of milliseconds. */
export async function within(milliseconds: number, event: Promise<unknown>): Promise<boolean> {
  const settled = new AbortController()
  const waited = delay(milliseconds, false, { signal: settled.signal }).catch(() => true)
  void event.then(() => {
    settled.abort()
  })
  return waited
}

/** A process whose outputs are recorded. */
export class Child {
  readonly pid: number
  /** Resolves when the process itself has ended. */
  readonly exited: Promise<void>
  /** Resolves when the process and its outputs have ended. */
  readonly ended: Promise<Ended>
  readonly #process: ChildProcess
  readonly #chunks: Record<StreamName, Buffer[]> = { stdout: [], stderr: [] }
  #watchers = new Set<() => void>()
  readonly #waiting = new AbortController()
  #outputsEnded = false

  constructor(program: string, args: string[], options: ChildOptions) {
    const { cwd, env, stdin = '', drainMs = 5_000, keepReading = false, detached = false, onData } = options
    const child = spawn(program, args, { cwd, env, stdio: 'pipe', detached })
    if (child.pid === undefined) throw new Error(`Node.js could not start ${program}`)
    this.#process = child
    this.pid = child.pid
    child.stdin.on('error', () => undefined)
    child.stdin.end(stdin)
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].on('data', (chunk: Buffer) => {
        this.#chunks[stream].push(chunk)
        onData?.(stream, chunk)
        this.#notifyWatchers()
      })
    }
    this.exited = once(child, 'exit').then(() => undefined)
    this.ended = this.#end([child.stdout, child.stderr], drainMs, keepReading)
  }

  get runs(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }

  /** The exit code; undefined while the process runs. */
  get code(): number | null {
    return this.#process.exitCode
  }

  text(stream: StreamName): string {
    return Buffer.concat(this.#chunks[stream]).toString()
  }

  kill(signal: NodeJS.Signals): boolean {
    return this.#process.kill(signal)
  }

  /** After the end of the process, stops waiting for other processes that keep its outputs open. */
  giveUp(): void {
    this.#waiting.abort()
  }

  /** Stops reading the outputs. */
  close(): void {
    this.giveUp()
    this.#process.stdout?.destroy()
    this.#process.stderr?.destroy()
  }

  /** Waits until an output contains this text; rejects if the process ends without it. */
  seen(pattern: string | RegExp): Promise<void> {
    const matches = (text: string): boolean => (typeof pattern === 'string' ? text.includes(pattern) : pattern.test(text))
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const texts = [this.text('stdout'), this.text('stderr')]
        if (texts.some(matches)) resolve()
        else if (this.#outputsEnded) reject(new Error(`the process ended before it wrote ${String(pattern)}:\n${texts.join('\n')}`))
        else return
        this.#watchers.delete(check)
      }
      this.#watchers.add(check)
      check()
    })
  }

  #notifyWatchers(): void {
    for (const check of this.#watchers) check()
  }

  async #end(streams: Readable[], drainMs: number, keepReading: boolean): Promise<Ended> {
    const closed = Promise.all(streams.map((stream) => once(stream, 'close'))).then(() => {
      this.#outputsEnded = true
      this.#notifyWatchers()
    })
    await this.exited
    const patience = delay(Math.min(drainMs, LONGEST_DELAY), undefined, { signal: this.#waiting.signal })
    await Promise.race([closed, patience.catch(() => undefined)])
    this.#waiting.abort()
    if (!keepReading) for (const stream of streams) stream.destroy()
    const { exitCode, signalCode } = this.#process
    return { code: exitCode, signal: signalCode, stdout: this.text('stdout'), stderr: this.text('stderr') }
  }
}
