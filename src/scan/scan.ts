import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { errnoOf, KubepassError } from '../base/errors.ts'
import type { Options } from '../config/options.ts'
import type { Filter } from '../redact/filter.ts'
import type { Isolation } from '../state/run-state.ts'
import type { ExitStatus } from '../system/exit-status.ts'
import { isolationError, NotIsolated } from './isolation-errors.ts'
import { isRoot, spawnIsolated } from './isolation.ts'
import { closeSinks, type Pipes } from './named-pipes.ts'
import { stopOrphans, type StopResult } from './orphans.ts'
import { pipe } from './pipe.ts'
import { TERM_GRACE_MS, type ScanProcess, type ScanCommand, spawnPlain } from './spawn.ts'

/** How long an output may stay open without data when no process of the scan is left. */
const IDLE_OUTPUT_MS = 1_000

export interface ScanStreams {
  stdin: ScanCommand['stdin']
  /** The command's outputs; sockets when undefined. start() closes them. */
  pipes?: Pipes | undefined
  /** Called when the command runs, not before. */
  stdout: () => Writable
  stderr: () => Writable
  /** The filters of each output, the redactor first. */
  filters: () => Filter[]
  /**
   * Called at the end.
   * @param complete whether all output has come and is written; if not, more may follow
   */
  close: (complete: boolean) => void
}

/** The command that gets the credential. It runs in its own process group. */
export class Scan {
  readonly isolation: Isolation
  /** Why the folder `hidden` is not hidden from the command. */
  readonly reasonNotHidden: string | undefined
  readonly #scanProcess: ScanProcess
  readonly #trackingId: string
  readonly #targets: Writable[]
  readonly #outputs: Promise<unknown>
  readonly #close: ScanStreams['close']
  /** The number of pieces of output so far. */
  #chunks = 0
  #wasTerminated = false

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
   * Starts the command. Core dumps are off, because they would contain the token.
   * @param hidden a folder that the command finds empty if it is isolated
   */
  static async start(
    { command, env, trackingId }: Pick<ScanCommand, 'command' | 'env' | 'trackingId'>,
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
        hint: 'Are the command and its environment too long?',
      })
    } finally {
      // An output ends when every process has closed its write end, so kubepass must close its own.
      if (pipes !== undefined) closeSinks(pipes)
    }
  }

  /**
   * Resolves when the command has ended.
   * @param signal when aborted, the command gets SIGTERM, and SIGKILL after TERM_GRACE_MS
   * @param atOnce when aborted after `signal`, the command gets SIGKILL at once
   */
  async ended(signal: AbortSignal, atOnce?: AbortSignal): Promise<ExitStatus> {
    let last: NodeJS.Timeout | undefined
    const kill = (): void => {
      this.#scanProcess.signal('SIGKILL')
      void this.#scanProcess.close()
    }
    const stop = (): void => {
      this.#wasTerminated = true
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

  /** Ends the processes that have the tracking id, then the process group, then the namespace. */
  async stop(): Promise<StopResult> {
    // After a SIGTERM to the group, its processes may take a moment longer than the command: they do not count as having outlived it.
    // The first search runs before the group gets SIGKILL, because it must count the processes that this kills.
    const stopping = stopOrphans(this.#trackingId, this.#wasTerminated ? this.#scanProcess.group : undefined)
    this.#scanProcess.signal('SIGKILL')
    const { outlived, remaining } = await stopping
    const isOver = await this.#scanProcess.close()
    return { outlived, remaining: isOver ? remaining : Math.max(remaining, 1) }
  }

  /**
   * Waits until the outputs are written, however slow their reader is. It gives up on an output that a surviving process keeps
   * open without writing to it.
   */
  async drain(deadline: AbortSignal): Promise<void> {
    const done = this.#outputs.then(() => true)
    let isDone = false
    for (let seen = -1; !isDone && (seen !== this.#chunks || this.#readerIsSlow()) && !deadline.aborted;) {
      seen = this.#chunks
      isDone = await Promise.race([done, sleep(IDLE_OUTPUT_MS, false, { ref: false, signal: deadline }).catch(() => false)])
    }
    this.#scanProcess.stdout.destroy()
    this.#scanProcess.stderr.destroy()
    this.#close(isDone)
  }

  #readerIsSlow(): boolean {
    return this.#targets.some((target) => target.writableLength > 0)
  }
}

interface StartedProcess {
  readonly scanProcess: ScanProcess
  readonly reasonNotIsolated?: string
  readonly reasonNotHidden?: string
}

/** Starts the command isolated if `isolate` allows and the machine can. Otherwise the result has the reason. */
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
