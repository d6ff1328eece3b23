import { randomInt, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import type { ClusterInfo } from '../cluster/cluster.ts'
import type { Claims } from '../cluster/token.ts'
import { Child, within } from './child.ts'
import type { Command } from './command.ts'
import { parseCommandFile } from './command-file.ts'
import { githubVariables, ordinaryClaims } from './github-context.ts'
import type { Job, Outcome, PhaseName, Running, Use } from './host.ts'
import { serveIdTokens, type IdTokenEndpoint } from './id-token.ts'
import { JobLog, type Annotation, type JobLogOptions } from './job-log.ts'
import { Masker } from './masker.ts'
import { killProcessesWith } from './orphans.ts'
import { toolsWithoutNode } from './tools.ts'

export interface JobOptions extends JobLogOptions {
  /** Whether the job has `permissions: id-token: write`; default true. */
  idToken?: boolean
  /** Claims of the ID token that differ from those of a push to main. */
  claims?: Claims
  repository?: string
  runId?: string
  runAttempt?: string
  job?: string
  /** The URL of the simulated GitHub API. */
  apiUrl?: string
  /** The action's folder; default this repository. */
  action?: string
  /** The standalone program, which replaces the action's scripts on a machine without Node.js. */
  standalone?: string
  /** Arguments of node, before the action's script. */
  nodeOptions?: string[]
  /** A program that starts node in another environment. */
  wrapper?: string[]
  /** Replaces variables of the runner; undefined removes a variable. */
  variables?: (job: GithubJob) => Record<string, string | undefined>
  /** The runner's time limits. Only the tests of the simulated runner shorten them. */
  patience?: Partial<Patience>
}

/** The runner's time limits in milliseconds. */
interface Patience {
  /** The time from SIGINT to SIGTERM. */
  interrupt: number
  /** The time from SIGTERM to SIGKILL. */
  terminate: number
  /** The time from the end of node until the runner closes outputs that other processes keep open. */
  drain: number
}

/** The result of a phase. */
export interface Result extends Outcome {
  conclusion: 'success' | 'failure' | 'cancelled'
  annotations: Annotation[]
  outputs: Record<string, string>
  /** The phase's additions to the environment and the PATH of later steps. */
  env: Record<string, string>
  path: string[]
  /** The step's state so far. */
  state: Record<string, string>
  /** The step summary without masks. The real runner masks it line by line. */
  summary: string
  /** The executed workflow commands, in order. */
  commands: Command[]
  masks: string[]
}

const SUMMARY_BYTES = 1 << 20
const commandFiles = { ENV: 'set_env_', PATH: 'add_path_', OUTPUT: 'set_output_', STATE: 'save_state_', STEP_SUMMARY: 'step_summary_' }

/** Starts a job on a simulated GitHub runner. */
export async function startJob(info: ClusterInfo, options: JobOptions = {}): Promise<GithubJob> {
  const { repository = 'octo-org/octo-repo', runId = String(randomInt(1e9, 9e9)), runAttempt = '1' } = options
  const claims = { ...ordinaryClaims(repository, runId, runAttempt), ...options.claims }
  const answer = (audience?: string): Claims => ({ ...claims, ...(audience !== undefined && { aud: audience }), ...options.claims })
  const idTokens = options.idToken === false ? undefined : await serveIdTokens(info, answer)
  return new GithubJob(info, options, { ...claims, repository, run_id: runId, run_attempt: runAttempt }, idTokens)
}

export class GithubJob implements Job {
  readonly folder = mkdtempSync(join(tmpdir(), 'kubepass-job-'))
  readonly runnerTemp = join(this.folder, 'work', '_temp')
  readonly workspace = join(this.folder, 'work', 'repo', 'repo')
  readonly home = join(this.folder, 'home')
  readonly tmp = join(this.folder, 'tmp')
  readonly temporary = [this.runnerTemp, this.tmp]
  readonly ours = [join(this.runnerTemp, '_runner_file_commands'), join(this.runnerTemp, '_github_workflow')]
  readonly trackingId = `RUNNER_TRACKING_ID=github_${randomUUID()}`
  readonly runId: string
  readonly boundSecretPrefix: string
  /** The variables that earlier steps wrote to GITHUB_ENV. A test may add variables. */
  readonly env: Record<string, string> = {}
  /** The folders that earlier steps wrote to GITHUB_PATH, before the folder of the cluster's kubectl. */
  readonly path: string[]
  readonly masker = new Masker()
  readonly phases: Phase[] = []
  readonly options: JobOptions
  readonly patience: Patience
  readonly #idTokens: IdTokenEndpoint | undefined
  readonly #machine: Record<string, string>
  readonly #tools: string[]
  readonly #variables: Record<string, string>

  constructor(info: ClusterInfo, options: JobOptions, claims: Claims, idTokens?: IdTokenEndpoint) {
    this.options = options
    this.patience = { interrupt: 7_500, terminate: 2_500, drain: 5_000, ...options.patience }
    this.#idTokens = idTokens
    this.path = [dirname(info.kubectl)]
    this.runId = String(claims['run_id'])
    this.boundSecretPrefix = `kubepass-${this.runId}-${String(claims['run_attempt'])}-`
    for (const path of [this.workspace, this.home, this.tmp, ...this.ours]) mkdirSync(path, { recursive: true })
    this.#tools =
      options.standalone === undefined
        ? [dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin']
        : [toolsWithoutNode(join(this.folder, 'bin'))]
    const event = join(this.runnerTemp, '_github_workflow', 'event.json')
    writeFileSync(event, JSON.stringify({ ref: claims['ref'], repository: { full_name: claims['repository'] } }))
    this.#variables = {
      ...githubVariables(claims),
      GITHUB_EVENT_PATH: event,
      ...(options.apiUrl !== undefined && { GITHUB_API_URL: options.apiUrl }),
      GITHUB_JOB: options.job ?? 'scan',
      GITHUB_WORKSPACE: this.workspace,
      RUNNER_ARCH: 'X64',
      RUNNER_ENVIRONMENT: 'github-hosted',
      RUNNER_NAME: 'simulated',
      RUNNER_OS: 'Linux',
      RUNNER_TEMP: this.runnerTemp,
      ACTIONS_RUNTIME_TOKEN: 'played-runtime-token',
      ...(options.debug === true && { RUNNER_DEBUG: '1' }),
      ...(idTokens !== undefined && { ACTIONS_ID_TOKEN_REQUEST_URL: idTokens.url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: idTokens.bearer }),
    }
    this.#machine = { HOME: this.home, TMPDIR: this.tmp, USER: 'runner', LANG: 'C.UTF-8', CI: 'true', NODE_EXTRA_CA_CERTS: info.ca }
  }

  /** The ID token service of the job. */
  get idTokens(): IdTokenEndpoint {
    if (this.#idTokens === undefined) throw new Error('this job may not request ID tokens')
    return this.#idTokens
  }

  /** The issued ID tokens. */
  get secrets(): string[] {
    return this.#idTokens?.tokens ?? []
  }

  /** A step that uses the action `with` these inputs and this `env`. */
  step(inputs: Record<string, string> = {}, env: Record<string, string> = {}): Step {
    return new Step(this, inputs, env)
  }

  /** The environment of a phase. The runner's variables come last, so that no step can set them. */
  environment(env: Record<string, string>): Record<string, string> {
    const PATH = [...this.path, ...this.#tools].join(delimiter)
    const [tracking = '', id = ''] = this.trackingId.split('=')
    const replaced = this.options.variables?.(this)
    const all: Record<string, string | undefined> = {
      PATH,
      ...this.#machine,
      [tracking]: id,
      ...this.env,
      ...env,
      ...this.#variables,
      ...replaced,
    }
    return Object.fromEntries(Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
  }

  /** Kills the processes that the steps left running, as the runner does at the end of a job. Returns their number. */
  cleanUpOrphans(): Promise<number> {
    return killProcessesWith(this.trackingId)
  }

  texts(): Record<string, string> {
    const texts: Record<string, string> = {}
    for (const [index, { name, result }] of this.phases.entries()) {
      if (result === undefined) continue
      const { stdout, stderr, log, summary, annotations, outputs, env, path, state } = result
      const readable = { stdout: withoutMasks(stdout), stderr: withoutMasks(stderr), log, summary, annotations, outputs, env, path, state }
      for (const [place, text] of Object.entries(readable)) {
        texts[`${place} of ${name} (phase ${String(index + 1)})`] = typeof text === 'string' ? text : readText(text)
      }
    }
    return texts
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cleanUpOrphans()
    await Promise.all(this.phases.map((phase) => phase.done))
    await this.#idTokens?.close()
    await rm(this.folder, { recursive: true, force: true })
  }
}

export class Step implements Use {
  readonly state: Record<string, string> = {}
  readonly #job: GithubJob
  readonly #env: Record<string, string>
  readonly #programs: Record<PhaseName, string[]>

  constructor(job: GithubJob, inputs: Record<string, string>, env: Record<string, string>) {
    const { defaults, scripts } = readAction(job.options.action ?? fileURLToPath(new URL('../../', import.meta.url)))
    const given = Object.entries({ ...defaults, ...inputs }).map(([id, value]) => [`INPUT_${id.replaceAll(' ', '_').toUpperCase()}`, value])
    this.#job = job
    this.#env = { ...env, ...(Object.fromEntries(given) as Record<string, string>) }
    const { standalone, nodeOptions = [], wrapper = [] } = job.options
    this.#programs = mapValues(scripts, (script) => [...wrapper, process.execPath, ...nodeOptions, script])
    if (standalone !== undefined) this.#programs = { main: [standalone, 'main'], post: [standalone, 'post'] }
  }

  main(): Promise<Result> {
    return this.start('main').done
  }

  post(): Promise<Result> {
    return this.start('post').done
  }

  /** Starts a phase for a test that acts while it runs. */
  start(name: PhaseName): Phase {
    const state = Object.fromEntries(Object.entries(this.state).map(([key, value]) => [`STATE_${key}`, value]))
    const phase = new Phase(this.#job, { name, state: this.state, command: this.#programs[name], env: { ...this.#env, ...state } })
    this.#job.phases.push(phase)
    return phase
  }
}

interface PhaseOptions {
  name: PhaseName
  /** The step's state, to which the phase adds. */
  state: Record<string, string>
  command: string[]
  env: Record<string, string>
}

/** A running phase. */
export class Phase implements Running {
  readonly name: PhaseName
  readonly pid: number
  readonly done: Promise<Result>
  result: Result | undefined
  readonly #job: GithubJob
  readonly #state: Record<string, string>
  readonly #files: Record<keyof typeof commandFiles, string>
  readonly #log: JobLog
  readonly #child: Child
  #cancelled = false

  constructor(job: GithubJob, { name, state, command: [program = '', ...words], env }: PhaseOptions) {
    this.name = name
    this.#job = job
    this.#state = state
    this.#log = new JobLog(job.masker, job.options)
    const suffix = randomUUID()
    const file = (prefix: string): string => join(job.runnerTemp, '_runner_file_commands', prefix + suffix)
    this.#files = mapValues(commandFiles, file)
    for (const path of Object.values(this.#files)) writeFileSync(path, '')
    const files = Object.fromEntries(Object.entries(this.#files).map(([key, path]) => [`GITHUB_${key}`, path]))
    this.#child = new Child(program, words, {
      cwd: job.workspace,
      env: { ...job.environment(env), ...files },
      drainMs: job.patience.drain,
      onData: (stream, chunk) => {
        this.#log.write(stream, chunk)
      },
    })
    this.pid = this.#child.pid
    this.done = this.#finish()
  }

  /** Closes the reading ends of the phase's outputs. */
  close(): void {
    this.#child.close()
  }

  kill(signal: NodeJS.Signals): boolean {
    return this.#child.kill(signal)
  }

  /** Waits until stdout or stderr contains this text; rejects if the phase ends before that. */
  seen(pattern: string | RegExp): Promise<void> {
    return this.#child.seen(pattern)
  }

  /** Cancels the phase with the runner's signals and waits for its end. Only node gets the signals, not its children. */
  async cancel(): Promise<Result> {
    this.#cancelled = true
    const { interrupt, terminate } = this.#job.patience
    for (const [signal, patience] of [
      ['SIGINT', interrupt],
      ['SIGTERM', terminate],
    ] as const) {
      this.#child.kill(signal)
      if (await within(patience, this.#child.exited)) return this.done
    }
    this.#child.kill('SIGKILL')
    return this.done
  }

  async #finish(): Promise<Result> {
    const ended = await this.#child.ended
    this.#log.end()
    const env = this.#read('ENV')
    if ('NODE_OPTIONS' in env) {
      delete env['NODE_OPTIONS']
      this.#log.complain("Can't store NODE_OPTIONS output parameter using '$GITHUB_ENV' command.")
    }
    const path = readIfExists(this.#files.PATH)
      .split('\n')
      .filter((line) => line !== '')
    Object.assign(this.#job.env, env)
    this.#job.path.unshift(...path.toReversed())
    Object.assign(this.#state, this.#log.state, this.#read('STATE'))
    const outputs = { ...this.#log.outputs, ...this.#read('OUTPUT') }
    const summary = readIfExists(this.#files.STEP_SUMMARY)
    if (Buffer.byteLength(summary) > SUMMARY_BYTES) this.#log.complain('$GITHUB_STEP_SUMMARY supports content up a size of 1024k')
    const { lines, annotations, commands, masks, failed } = this.#log
    const conclusion = this.#cancelled ? 'cancelled' : failed || ended.code !== 0 ? 'failure' : 'success'
    const log = lines.map((line) => `${line}\n`).join('')
    const messages = annotations.map(({ message }) => message)
    this.result = {
      ...ended,
      conclusion,
      log,
      messages,
      annotations,
      outputs,
      env,
      path,
      state: { ...this.#state },
      summary,
      commands,
      masks,
    }
    return this.result
  }

  /** Reads a command file. An invalid file fails the step, as on the real runner. */
  #read(file: 'ENV' | 'OUTPUT' | 'STATE'): Record<string, string> {
    try {
      return Object.fromEntries(parseCommandFile(readIfExists(this.#files[file])))
    } catch (error) {
      this.#log.error(`Unable to process file command '${file.toLowerCase()}' successfully. ${error instanceof Error ? error.message : ''}`)
      return {}
    }
  }
}

interface ActionFile {
  inputs?: Record<string, { default?: string | number | boolean }>
  runs?: Partial<Record<PhaseName, string>>
}

function readAction(folder: string): { defaults: Record<string, string>; scripts: Record<PhaseName, string> } {
  const file = join(folder, 'action.yml')
  const { inputs = {}, runs = {} } = existsSync(file) ? (parse(readFileSync(file, 'utf8')) as ActionFile) : {}
  const defaults = mapValues(inputs, (input) =>
    String(input.default ?? '').replaceAll(/\$\{\{\s*github\.token\s*\}\}/g, 'played-github-token'),
  )
  return {
    defaults,
    scripts: { main: join(folder, runs.main ?? 'dist/main/index.js'), post: join(folder, runs.post ?? 'dist/post/index.js') },
  }
}

/** Removes the add-mask lines, which contain the secret. The log shows such a line if the runner did not execute it. */
function withoutMasks(output: string): string {
  return output.replaceAll(/^::add-mask::.*$/gm, '')
}

/** The keys and values without JSON escapes, because a search in JSON would miss an escaped secret. */
function readText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  return Object.entries(value)
    .flatMap(([key, each]) => [key, readText(each)])
    .join('\n')
}

function mapValues<K extends string, V, W>(record: Record<K, V>, change: (value: V) => W): Record<K, W> {
  return Object.fromEntries(Object.entries<V>(record).map(([key, value]) => [key, change(value)])) as Record<K, W>
}

function readIfExists(path: string): string {
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}
