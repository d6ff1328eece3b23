import { finished, type Readable, type Transform, type Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { stopCarriers, type Stopped } from './carriers.ts'
import { errnoOf, KubepassError } from './errors.ts'
import type { Isolation } from './evidence.ts'
import { isRoot, NotIsolated, notAllowed, startIsolated } from './isolate.ts'
import type { Options } from './options.ts'
import { proxyPassword } from './proxy-variables.ts'
import { GRACE_MS, startPlain, type Ended, type Running } from './running.ts'

/** How long an output may stay open once no process of the scan is left. */
const DRAIN_MS = 1_000

export interface Streams {
  stdin: 'inherit' | 'ignore'
  /** Not touched before the command runs. */
  stdout: () => Writable
  stderr: () => Writable
  /** What each output passes through on its way: the redactor first. */
  filters: () => Transform[]
  /** Called when the last output has come. */
  close: () => void
}

/** The command that gets the credential, in a process group of its own. */
export class Scan {
  readonly isolation: Isolation
  readonly #running: Running
  readonly #marker: string
  readonly #targets: Writable[]
  readonly #outputs: Promise<unknown>
  readonly #close: () => void
  /** How many pieces of output have come. */
  #chunks = 0
  #toldToEnd = false

  private constructor(running: Running, isolation: Isolation, marker: string, streams: Streams) {
    this.isolation = isolation
    this.#running = running
    this.#marker = marker
    this.#close = streams.close
    for (const output of [running.stdout, running.stderr]) output.on('data', () => (this.#chunks += 1))
    const [stdout, stderr] = [streams.stdout(), streams.stderr()]
    this.#targets = [stdout, stderr]
    this.#outputs = Promise.all([connect(running.stdout, streams.filters(), stdout), connect(running.stderr, streams.filters(), stderr)])
  }

  /** Starts the command. Core dumps are off: they would hold the token. */
  static async start(
    command: readonly [string, ...string[]],
    env: NodeJS.ProcessEnv,
    marker: string,
    isolate: Options['isolate'],
    streams: Streams,
  ): Promise<Scan> {
    try {
      const [running, whyNot] = await begin(command, env, marker, isolate, streams.stdin)
      return new Scan(running, { isolated: whyNot === undefined, why_not: whyNot ?? null, as_root: isRoot() }, marker, streams)
    } catch (cause) {
      streams.close()
      if (cause instanceof KubepassError) throw cause
      throw new KubepassError('INPUT', `The command could not be started (${errnoOf(cause)}).`, {
        hint: 'Is it, with its environment, too long?',
      })
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
      atOnce?.addEventListener('abort', kill, { once: true })
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
    const dry = this.#outputs.then(() => 'dry')
    for (let seen = -1; (seen !== this.#chunks || this.#readerIsSlow()) && !limit.aborted;) {
      seen = this.#chunks
      const pause = sleep(DRAIN_MS, 'silent', { ref: false, signal: limit }).catch(() => 'over')
      if ((await Promise.race([dry, pause])) === 'dry') break
    }
    this.#running.stdout.destroy()
    this.#running.stderr.destroy()
    this.#close()
  }

  #readerIsSlow(): boolean {
    return this.#targets.some((target) => target.writableLength > 0)
  }
}

/** Isolated where that is asked for and possible; otherwise with the reason why not. */
async function begin(
  command: readonly string[],
  env: NodeJS.ProcessEnv,
  marker: string,
  isolate: Options['isolate'],
  stdin: Streams['stdin'],
): Promise<[Running, whyNot?: string]> {
  if (isolate === 'off') return [startPlain(command, env, marker, stdin), 'isolate is off']
  try {
    return [await startIsolated(command, env, marker, stdin)]
  } catch (error) {
    if (!(error instanceof NotIsolated)) throw error
    if (isolate === 'required') throw notAllowed(error)
    return [startPlain(command, env, marker, stdin), error.message]
  }
}

/** The environment of the scan: not the runner's secrets, not the means to get a token of its own. */
export function scanEnvironment(
  env: NodeJS.ProcessEnv,
  options: Pick<Options, 'env' | 'passEnv'>,
  isSecret: (value: string) => boolean,
): NodeJS.ProcessEnv {
  const runnersSecrets = ['CI_JOB_TOKEN', 'CI_REGISTRY_PASSWORD', 'CI_DEPENDENCY_PROXY_PASSWORD', 'CI_DEPLOY_PASSWORD']
    .flatMap((name) => env[name] ?? [])
    .filter((value) => value !== '')
  const carriesSecret = (value: string): boolean =>
    JWT.test(value.trim()) || isSecret(value) || runnersSecrets.some((secret) => value.includes(secret))
  const passes = (name: string, value: string): boolean => {
    if (options.passEnv.includes(name) || name === 'RUNNER_TRACKING_ID') return true
    if (options.env === 'clean') return CLEAN.test(name)
    // A secret can be a word that stands in a path.
    if (name === 'PATH' || name === 'HOME') return true
    return !WITHHELD.test(name) && !carriesSecret(value) && proxyPassword(name, value) === undefined
  }
  return Object.fromEntries(Object.entries(env).filter(([name, value]) => value !== undefined && passes(name, value)))
}

const CLEAN = /^(PATH|HOME|LANG|LANGUAGE|LC_[A-Z]+)$/
const WITHHELD =
  /^(INPUT_.*|STATE_.*|KUBEPASS_.*|ACTIONS_ID_TOKEN_.*|ACTIONS_RUNTIME_.*|GITHUB_(ENV|PATH|OUTPUT|STATE|STEP_SUMMARY)|GITLAB_ENV|NODE_OPTIONS|CI_JOB_JWT.*|CI_(JOB|REGISTRY|DEPENDENCY_PROXY|DEPLOY)_(TOKEN|PASSWORD))$/
const JWT = /^eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+$/

/** Resolves when all that came from `from` has been handed to `to`. A `to` that is gone must not block the scan. */
function connect(from: Readable, filters: Transform[], to: Writable): Promise<void> {
  const last = filters.reduce<Readable>((source, filter) => source.pipe(filter), from)
  to.on('error', () => last.resume())
  last.pipe(to, { end: false })
  return new Promise((resolve) => finished(last, () => to.write('', () => resolve())))
}
