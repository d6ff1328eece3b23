import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Child, within, type StreamName } from './child.ts'
import { stopContainer, stopGroup, stopStage, type Executor, type Patience } from './gitlab-executor.ts'
import { GitlabMasker } from './gitlab-masker.ts'
import type { ComponentJob } from './gitlab-template.ts'
import type { Outcome, PhaseName, Running } from './host.ts'
import { killProcessesWith } from './orphans.ts'
import { carries, commandOf, processes, signal } from './processes.ts'

/** As $CI_JOB_STATUS says it. */
export type Status = 'success' | 'failed' | 'canceled' | 'timedout'

/** All that a stage left behind. */
export interface Result extends Outcome {
  status: Status
  /** What is in $GITLAB_ENV. */
  gitlabEnv: string
  /** The files that are uploaded, should the job end here: their paths, and the texts of the reports. */
  artifacts: string[]
  reports: Record<'junit' | 'annotations', string[]>
}

/** What a stage needs to know of the runner. */
export interface Runner {
  readonly executor: Executor
  readonly trackingId: string
  readonly patience: Patience & { drain: number }
  readonly workspace: string
  readonly gitlabEnv: string
  readonly machine: Record<string, string>
  renewContainer(): void
}

export interface StageOptions {
  name: PhaseName
  /** What the job has come to already: an after_script changes nothing about that. */
  decided: Status | undefined
  script: string
  /** The values of masked variables. */
  masked: string[]
  artifacts: ComponentJob['artifacts']
  /** Milliseconds from now. */
  limits: { stage: number; job: number }
}

/** The script or the after_script of a job, running. */
export class Stage implements Running {
  readonly name: PhaseName
  readonly done: Promise<Result>
  result: Result | undefined
  /** The whole job is over. */
  jobTimedOut = false
  readonly #runner: Runner
  readonly #decided: Status | undefined
  readonly #artifacts: ComponentJob['artifacts']
  readonly #child: Child
  readonly #maskers: Record<StreamName, GitlabMasker>
  readonly #shown: Buffer[] = []
  readonly #timers: NodeJS.Timeout[]
  #stopped: 'canceled' | 'timedout' | undefined

  constructor(runner: Runner, { name, decided, script, masked, artifacts, limits }: StageOptions) {
    this.name = name
    this.#runner = runner
    this.#decided = decided
    this.#artifacts = artifacts
    const { executor, patience, workspace: cwd, machine: env } = runner
    const stdout = new GitlabMasker(masked)
    // In a pod both outputs go into one file.
    this.#maskers = { stdout, stderr: executor === 'kubernetes' ? stdout : new GitlabMasker(masked) }
    this.#child = new Child('bash', [], {
      ...{ cwd, env, stdin: script, detached: true, drainMs: patience.drain, keepReading: executor !== 'docker' },
      onData: (stream, chunk) => {
        this.#shown.push(this.#maskers[stream].write(chunk))
      },
    })
    this.#timers = [
      setTimeout(() => void this.scriptTimeout(), Math.min(limits.stage, LONGEST_TIMEOUT)),
      setTimeout(() => void this.jobTimeout(), Math.min(limits.job, LONGEST_TIMEOUT)),
    ]
    this.done = this.#finish()
  }

  /** The runner ends it, or has ended it, before its time. */
  get stopped(): boolean {
    return this.#stopped !== undefined
  }

  /** What becomes of the job, as far as that is known. */
  get status(): Status {
    if (this.jobTimedOut) return 'timedout'
    return this.#decided ?? this.#stopped ?? (this.#child.code === 0 ? 'success' : 'failed')
  }

  /** What a reader of the job's log sees. */
  get log(): string {
    return Buffer.concat(this.#shown).toString()
  }

  /** Of the program alone. */
  kill(name: NodeJS.Signals): boolean {
    const pid = this.pid
    return pid !== undefined && signal(pid, name)
  }

  /** Of the program, while it runs. */
  get pid(): number | undefined {
    return processes().find((pid) => isProgram(commandOf(pid), this.name) && carries(pid, this.#runner.trackingId))
  }

  seen(pattern: string | RegExp): Promise<void> {
    return this.#child.seen(pattern)
  }

  /** Somebody cancels the job. In a pod, after_script may start as soon as this is called. */
  cancel(): Promise<Result> {
    if (this.name === 'post') throw new Error('a job that is past its script cannot be canceled')
    return this.#stop('canceled')
  }

  /** RUNNER_SCRIPT_TIMEOUT, or for the after_script its own. */
  scriptTimeout(): Promise<Result> {
    return this.#stop('timedout')
  }

  /** The job's own timeout. Of what runners have done then, the harshest: SIGKILL at once, and no after_script. */
  async jobTimeout(): Promise<Result> {
    if (this.result !== undefined) return this.result
    this.#stopped = 'timedout'
    this.jobTimedOut = true
    const { executor, trackingId, patience } = this.#runner
    if (executor !== 'shell') await killProcessesWith(trackingId)
    else {
      signal(-this.#child.pid, 'SIGKILL')
      if (!(await within(patience.force, this.#child.ended))) this.#child.giveUp()
    }
    return this.done
  }

  /** Nobody wants to know any more. */
  close(): void {
    this.#child.close()
  }

  texts(): Record<string, string> {
    const gitlabEnv = this.result?.gitlabEnv ?? ''
    // With CI_DEBUG_TRACE the runner itself shows what it exports; in the log that is masked as far as it can be.
    const stderr = this.#child.text('stderr').replaceAll(/^\++ export .*$/gm, '')
    return { stdout: this.#child.text('stdout'), stderr, log: this.log, GITLAB_ENV: gitlabEnv }
  }

  async #stop(status: 'canceled' | 'timedout'): Promise<Result> {
    if (this.result === undefined && this.#stopped === undefined) {
      this.#stopped = status
      const { executor, trackingId, patience } = this.#runner
      if (executor === 'kubernetes') stopStage(this.#child)
      else if (executor === 'docker') await stopContainer(this.#child, trackingId, patience)
      else await stopGroup(this.#child, patience)
    }
    return this.done
  }

  async #finish(): Promise<Result> {
    const { executor, trackingId, workspace, gitlabEnv } = this.#runner
    await this.#child.exited
    for (const timer of this.#timers) clearTimeout(timer)
    // A container ends with its first process, and with it all that is in there.
    if (executor === 'docker') await killProcessesWith(trackingId)
    const ended = await this.#child.ended
    for (const masker of new Set(Object.values(this.#maskers))) this.#shown.push(masker.end())
    if (executor === 'docker' && this.#stopped !== undefined) this.#runner.renewContainer()
    const { paths, junit, annotations } = this.#artifacts
    const texts = (patterns: string[]): string[] => filesOf(workspace, patterns).map((path) => readFileSync(join(workspace, path), 'utf8'))
    this.result = {
      ...ended,
      log: this.log,
      messages: [...this.log.matchAll(MESSAGE)].map(([, message = '']) => message),
      status: this.status,
      gitlabEnv: existsSync(gitlabEnv) ? readFileSync(gitlabEnv, 'utf8') : '',
      artifacts: filesOf(workspace, paths),
      reports: { junit: texts(junit), annotations: texts(annotations) },
    }
    return this.result
  }
}

/** kubepass's own, in yellow or red. */
const MESSAGE = /\u001b\[3[13];1mkubepass: (?:warning|error): ([^]*?)\u001b\[0m/g

const LONGEST_TIMEOUT = 2 ** 31 - 1

/** The compiled program, as a script of Node's or as an executable of its own. */
function isProgram([program = '', ...words]: string[], name: PhaseName): boolean {
  const called = basename(program)
  return called === 'node'
    ? words.some((word) => `/${word}`.endsWith(`/${name}/index.js`))
    : called.startsWith('kubepass') && words[0] === name
}

/** The files that patterns name, in the order of their paths; a folder stands for all in it. */
function filesOf(folder: string, patterns: string[]): string[] {
  const found = patterns.flatMap((pattern) => globSync([pattern, join(pattern, '**')], { cwd: folder }))
  return [...new Set(found)].filter((path) => statSync(join(folder, path)).isFile()).toSorted()
}
