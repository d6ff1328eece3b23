import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { errnoOf, KubepassError } from '../base/errors.ts'
import type { Options } from '../config/options.ts'
import type { Filter } from '../redact/filter.ts'
import type { Isolation } from '../state/evidence.ts'
import type { Ended } from '../system/exit-status.ts'
import { notAllowed, NotIsolated } from './isolation-errors.ts'
import { isRoot, startIsolated } from './isolation.ts'
import { closeSinks, type Pipes } from './named-pipes.ts'
import { stopCarriers, type Stopped } from './orphans.ts'
import { pipe } from './pipe.ts'
import { GRACE_MS, type Running, type Start, startPlain } from './spawn.ts'

/** How long an output may stay open once no process of the scan is left. */
const DRAIN_MS = 1_000

export interface Streams {
  stdin: Start['stdin']
  /** What the command gets as its outputs; sockets when undefined. They are the scan's from here on. */
  pipes?: Pipes | undefined
  /** Not touched before the command runs. */
  stdout: () => Writable
  stderr: () => Writable
  /** What each output passes through on its way: the redactor first. */
  filters: () => Filter[]
  /**
   * Called at the end.
   * @param complete whether all of the output has come and is written; else some may still follow
   */
  close: (complete: boolean) => void
}

/** The command that gets the credential, in a process group of its own. */
export class Scan {
  readonly isolation: Isolation
  /** Why the folder that was to be hidden from the command is not. */
  readonly whyNotHidden: string | undefined
  readonly #running: Running
  readonly #marker: string
  readonly #targets: Writable[]
  readonly #outputs: Promise<unknown>
  readonly #close: Streams['close']
  /** How many pieces of output have come. */
  #chunks = 0
  #toldToEnd = false

  private constructor({ running, whyNot, whyNotHidden }: Begun, marker: string, streams: Streams) {
    this.isolation = { isolated: whyNot === undefined, why_not: whyNot ?? null, as_root: isRoot() }
    this.whyNotHidden = whyNotHidden
    this.#running = running
    this.#marker = marker
    this.#close = streams.close
    for (const output of [running.stdout, running.stderr]) output.on('data', () => (this.#chunks += 1))
    const [stdout, stderr] = [streams.stdout(), streams.stderr()]
    this.#targets = [stdout, stderr]
    this.#outputs = Promise.all([pipe(running.stdout, streams.filters(), stdout), pipe(running.stderr, streams.filters(), stderr)])
  }

  /**
   * Starts the command. Core dumps are off: they would hold the token.
   * @param hidden a folder that the command finds empty, if it is isolated
   */
  static async start(
    command: readonly [string, ...string[]],
    env: NodeJS.ProcessEnv,
    marker: string,
    isolate: Options['isolate'],
    streams: Streams,
    hidden?: string,
  ): Promise<Scan> {
    const { stdin, pipes } = streams
    try {
      return new Scan(await begin({ command, env, marker, stdin, pipes }, isolate, hidden), marker, streams)
    } catch (cause) {
      streams.close(true)
      pipes?.stdout.source.destroy()
      pipes?.stderr.source.destroy()
      if (cause instanceof KubepassError) throw cause
      throw new KubepassError('INPUT', `The command could not be started (${errnoOf(cause)}).`, {
        hint: 'Is it, with its environment, too long?',
      })
    } finally {
      // The outputs end when nobody has their write ends any more.
      if (pipes !== undefined) closeSinks(pipes)
    }
  }

  /** Resolves when the command has ended; once `signal` is aborted it is told to, and soon, or `atOnce`, made to. */
  async ended(signal: AbortSignal, atOnce?: AbortSignal): Promise<Ended> {
    let last: NodeJS.Timeout | undefined
    const kill = (): void => {
      this.#running.signal('SIGKILL')
      void this.#running.close()
    }
    const stop = (): void => {
      this.#toldToEnd = true
      this.#running.signal('SIGTERM')
      last = setTimeout(kill, GRACE_MS)
      if (atOnce?.aborted === true) kill()
      else atOnce?.addEventListener('abort', kill, { once: true })
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
    try {
      return await this.#running.ended
    } catch (cause) {
      throw new KubepassError('INPUT', `The command could not be started (${errnoOf(cause)}).`, { hint: 'Is /bin/sh there?' })
    } finally {
      clearTimeout(last)
      signal.removeEventListener('abort', stop)
      atOnce?.removeEventListener('abort', kill)
    }
  }

  /** Ends what can be found of the command, then its group, then what is left where it ran. */
  async stop(): Promise<Stopped> {
    // Who was told to end together with the command may take a moment longer. The first look comes before the group's end,
    // which would leave nobody to be counted.
    const stopping = stopCarriers(this.#marker, this.#toldToEnd ? this.#running.group : undefined)
    this.#running.signal('SIGKILL')
    const { outlived, left } = await stopping
    const isOver = await this.#running.close()
    return { outlived, left: isOver ? left : Math.max(left, 1) }
  }

  /**
   * Lets the outputs run dry, however slow their reader is. An output that stays open without a word, as
   * someone holds it who could not be ended, is given up.
   */
  async drain(limit: AbortSignal): Promise<void> {
    const dry = this.#outputs.then(() => true)
    let isDry = false
    for (let seen = -1; !isDry && (seen !== this.#chunks || this.#readerIsSlow()) && !limit.aborted;) {
      seen = this.#chunks
      isDry = await Promise.race([dry, sleep(DRAIN_MS, false, { ref: false, signal: limit }).catch(() => false)])
    }
    this.#running.stdout.destroy()
    this.#running.stderr.destroy()
    this.#close(isDry)
  }

  #readerIsSlow(): boolean {
    return this.#targets.some((target) => target.writableLength > 0)
  }
}

interface Begun {
  readonly running: Running
  /** Why it is not isolated. */
  readonly whyNot?: string
  readonly whyNotHidden?: string
}

/** Isolated where that is asked for and possible; otherwise with the reason why not. */
async function begin(start: Start, isolate: Options['isolate'], hidden: string | undefined): Promise<Begun> {
  if (isolate === 'off') return { running: startPlain(start), whyNot: 'isolate is off', whyNotHidden: 'isolate is off' }
  try {
    return { running: await startIsolated(start, hidden) }
  } catch (error) {
    if (!(error instanceof NotIsolated)) throw error
    if (isolate === 'required') throw notAllowed(error)
    if (hidden !== undefined) return { ...(await begin(start, isolate, undefined)), whyNotHidden: error.message }
    return { running: startPlain(start), whyNot: error.message }
  }
}
