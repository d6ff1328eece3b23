import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { errnoOf, KubepassError } from '../base/errors.ts'
import type { Options } from '../config/options.ts'
import type { Filter } from '../redact/filter.ts'
import type { Isolation } from '../state/evidence.ts'
import type { ExitStatus } from '../system/exit-status.ts'
import { isolationError, NotIsolated } from './isolation-errors.ts'
import { isRoot, spawnIsolated } from './isolation.ts'
import { closeSinks, type Pipes } from './named-pipes.ts'
import { stopOrphans, type StopResult } from './orphans.ts'
import { pipe } from './pipe.ts'
import { TERM_GRACE_MS, type ScanProcess, type ScanCommand, spawnPlain } from './spawn.ts'

/** How long an output may stay open once no process of the scan is left. */
const IDLE_OUTPUT_MS = 1_000

export interface ScanStreams {
  stdin: ScanCommand['stdin']
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
  readonly reasonNotHidden: string | undefined
  readonly #scanProcess: ScanProcess
  readonly #trackingId: string
  readonly #targets: Writable[]
  readonly #outputs: Promise<unknown>
  readonly #close: ScanStreams['close']
  /** How many pieces of output have come. */
  #chunks = 0
  #wasToldToEnd = false

  private constructor({ scanProcess, reasonNotIsolated, reasonNotHidden }: StartedProcess, trackingId: string, streams: ScanStreams) {
    this.isolation = { isolated: reasonNotIsolated === undefined, why_not: reasonNotIsolated ?? null, as_root: isRoot() }
    this.reasonNotHidden = reasonNotHidden
    this.#scanProcess = scanProcess
    this.#trackingId = trackingId
    this.#close = streams.close
    for (const output of [scanProcess.stdout, scanProcess.stderr]) output.on('data', () => (this.#chunks += 1))
    const [stdout, stderr] = [streams.stdout(), streams.stderr()]
    this.#targets = [stdout, stderr]
    this.#outputs = Promise.all([pipe(scanProcess.stdout, streams.filters(), stdout), pipe(scanProcess.stderr, streams.filters(), stderr)])
  }

  /**
   * Starts the command. Core dumps are off: they would hold the token.
   * @param hidden a folder that the command finds empty, if it is isolated
   */
  static async start(
    command: readonly [string, ...string[]],
    env: NodeJS.ProcessEnv,
    trackingId: string,
    isolate: Options['isolate'],
    streams: ScanStreams,
    hidden?: string,
  ): Promise<Scan> {
    const { stdin, pipes } = streams
    try {
      return new Scan(await startProcess({ command, env, trackingId, stdin, pipes }, isolate, hidden), trackingId, streams)
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
  async ended(signal: AbortSignal, atOnce?: AbortSignal): Promise<ExitStatus> {
    let last: NodeJS.Timeout | undefined
    const kill = (): void => {
      this.#scanProcess.signal('SIGKILL')
      void this.#scanProcess.close()
    }
    const stop = (): void => {
      this.#wasToldToEnd = true
      this.#scanProcess.signal('SIGTERM')
      last = setTimeout(kill, TERM_GRACE_MS)
      if (atOnce?.aborted === true) kill()
      else atOnce?.addEventListener('abort', kill, { once: true })
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
    try {
      return await this.#scanProcess.ended
    } catch (cause) {
      throw new KubepassError('INPUT', `The command could not be started (${errnoOf(cause)}).`, { hint: 'Is /bin/sh there?' })
    } finally {
      clearTimeout(last)
      signal.removeEventListener('abort', stop)
      atOnce?.removeEventListener('abort', kill)
    }
  }

  /** Ends what can be found of the command, then its group, then what is left where it ran. */
  async stop(): Promise<StopResult> {
    // Who was told to end together with the command may take a moment longer. The first look comes before the group's end,
    // which would leave nobody to be counted.
    const stopping = stopOrphans(this.#trackingId, this.#wasToldToEnd ? this.#scanProcess.group : undefined)
    this.#scanProcess.signal('SIGKILL')
    const { outlived, remaining } = await stopping
    const isOver = await this.#scanProcess.close()
    return { outlived, remaining: isOver ? remaining : Math.max(remaining, 1) }
  }

  /**
   * Lets the outputs run dry, however slow their reader is. An output that stays open without a word, as
   * someone holds it who could not be ended, is given up.
   */
  async drain(deadline: AbortSignal): Promise<void> {
    const dry = this.#outputs.then(() => true)
    let isDry = false
    for (let seen = -1; !isDry && (seen !== this.#chunks || this.#readerIsSlow()) && !deadline.aborted;) {
      seen = this.#chunks
      isDry = await Promise.race([dry, sleep(IDLE_OUTPUT_MS, false, { ref: false, signal: deadline }).catch(() => false)])
    }
    this.#scanProcess.stdout.destroy()
    this.#scanProcess.stderr.destroy()
    this.#close(isDry)
  }

  #readerIsSlow(): boolean {
    return this.#targets.some((target) => target.writableLength > 0)
  }
}

interface StartedProcess {
  readonly scanProcess: ScanProcess
  /** Why it is not isolated. */
  readonly reasonNotIsolated?: string
  readonly reasonNotHidden?: string
}

/** Isolated where that is asked for and possible; otherwise with the reason why not. */
async function startProcess(scan: ScanCommand, isolate: Options['isolate'], hidden: string | undefined): Promise<StartedProcess> {
  if (isolate === 'off') return { scanProcess: spawnPlain(scan), reasonNotIsolated: 'isolate is off', reasonNotHidden: 'isolate is off' }
  try {
    return { scanProcess: await spawnIsolated(scan, hidden) }
  } catch (error) {
    if (!(error instanceof NotIsolated)) throw error
    if (isolate === 'required') throw isolationError(error)
    if (hidden !== undefined) return { ...(await startProcess(scan, isolate, undefined)), reasonNotHidden: error.message }
    return { scanProcess: spawnPlain(scan), reasonNotIsolated: error.message }
  }
}
