import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Child, within, type StreamName } from './child.ts'
import { stopContainer, stopGroup, stopSection, type Executor, type Patience } from './gitlab-executor.ts'
import { GitlabMasker } from './gitlab-masker.ts'
import type { ComponentJob } from './gitlab-template.ts'
import type { Outcome, PhaseName, Running } from './host.ts'
import { killProcessesWith } from './orphans.ts'
import { carries, commandOf, processes, signal } from './processes.ts'

/** The values of $CI_JOB_STATUS. */
export type Status = 'success' | 'failed' | 'canceled' | 'timedout'

/** The result of a job section. */
export interface Result extends Outcome {
  status: Status
  /** The content of $GITLAB_ENV. */
  gitlabEnv: string
  /** The files that the runner uploads if the job ends after this section. */
  artifacts: string[]
  /** The texts of the uploaded reports. */
  reports: Record<'junit' | 'annotations', string[]>
}

/** The runner's settings that a job section needs. */
export interface Runner {
  readonly executor: Executor
  readonly trackingId: string
  readonly patience: Patience & { drain: number }
  readonly workspace: string
  readonly gitlabEnv: string
  readonly machine: Record<string, string>
  renewContainer(): void
}

export interface SectionOptions {
  name: PhaseName
  /** The status of the job after its script. The after_script does not change the status. */
  decided: Status | undefined
  script: string
  /** The values of masked variables. */
  masked: string[]
  artifacts: ComponentJob['artifacts']
  /** The time limits in milliseconds from now. */
  limits: { section: number; job: number }
}

/** The running script or after_script of a job. */
export class JobSection implements Running {
  readonly name: PhaseName
  readonly done: Promise<Result>
  result: Result | undefined
  /** Whether the job's timeout has ended the job. */
  jobTimedOut = false
  readonly #runner: Runner
  readonly #decided: Status | undefined
  readonly #artifacts: ComponentJob['artifacts']
  readonly #child: Child
  readonly #maskers: Record<StreamName, GitlabMasker>
  readonly #shown: Buffer[] = []
  readonly #timers: NodeJS.Timeout[]
  #stopped: 'canceled' | 'timedout' | undefined

  constructor(runner: Runner, { name, decided, script, masked, artifacts, limits }: SectionOptions) {
    this.name = name
    this.#runner = runner
    this.#decided = decided
    this.#artifacts = artifacts
    const { executor, patience, workspace: cwd, machine: env } = runner
    const stdout = new GitlabMasker(masked)
    // The Kubernetes executor writes both outputs into one file.
    this.#maskers = { stdout, stderr: executor === 'kubernetes' ? stdout : new GitlabMasker(masked) }
    this.#child = new Child('bash', [], {
      ...{ cwd, env, stdin: script, detached: true, drainMs: patience.drain, keepReading: executor !== 'docker' },
      onData: (stream, chunk) => {
        this.#shown.push(this.#maskers[stream].write(chunk))
      },
    })
    this.#timers = [
      setTimeout(() => void this.scriptTimeout(), Math.min(limits.section, LONGEST_TIMEOUT)),
      setTimeout(() => void this.jobTimeout(), Math.min(limits.job, LONGEST_TIMEOUT)),
    ]
    this.done = this.#finish()
  }

  /** Whether the runner ends the section early. */
  get stopped(): boolean {
    return this.#stopped !== undefined
  }

  /** The status of the job after this section. */
  get status(): Status {
    if (this.jobTimedOut) return 'timedout'
    return this.#decided ?? this.#stopped ?? (this.#child.code === 0 ? 'success' : 'failed')
  }

  /** The job's log, as GitLab shows it. */
  get log(): string {
    return Buffer.concat(this.#shown).toString()
  }

  /** Signals only the program. */
  kill(name: NodeJS.Signals): boolean {
    const pid = this.pid
    return pid !== undefined && signal(pid, name)
  }

  /** The process id of the running program; undefined if it does not run. */
  get pid(): number | undefined {
    return processes().find((pid) => isProgram(commandOf(pid), this.name) && carries(pid, this.#runner.trackingId))
  }

  seen(pattern: string | RegExp): Promise<void> {
    return this.#child.seen(pattern)
  }

  /** Cancels the job. With the Kubernetes executor, after_script may start immediately. */
  cancel(): Promise<Result> {
    if (this.name === 'post') throw new Error('a job cannot be canceled after its script')
    return this.#stop('canceled')
  }

  /** Simulates RUNNER_SCRIPT_TIMEOUT, or RUNNER_AFTER_SCRIPT_TIMEOUT for the after_script. */
  scriptTimeout(): Promise<Result> {
    return this.#stop('timedout')
  }

  /** Simulates the job's timeout like the strictest runner version: immediate SIGKILL and no after_script. */
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

  /** Stops the section without a result. */
  close(): void {
    this.#child.close()
  }

  texts(): Record<string, string> {
    const gitlabEnv = this.result?.gitlabEnv ?? ''
    // With CI_DEBUG_TRACE the runner itself prints its exports, and masks the values in the log if GitLab can mask them.
    const stderr = this.#child.text('stderr').replaceAll(/^\++ export .*$/gm, '')
    return { stdout: this.#child.text('stdout'), stderr, log: this.log, GITLAB_ENV: gitlabEnv }
  }

  async #stop(status: 'canceled' | 'timedout'): Promise<Result> {
    if (this.result === undefined && this.#stopped === undefined) {
      this.#stopped = status
      const { executor, trackingId, patience } = this.#runner
      if (executor === 'kubernetes') stopSection(this.#child)
      else if (executor === 'docker') await stopContainer(this.#child, trackingId, patience)
      else await stopGroup(this.#child, patience)
    }
    return this.done
  }

  async #finish(): Promise<Result> {
    const { executor, trackingId, workspace, gitlabEnv } = this.#runner
    await this.#child.exited
    for (const timer of this.#timers) clearTimeout(timer)
    // The end of the first process ends the container with all its other processes.
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

/** The messages of kubepass, which are yellow or red. */
const MESSAGE = /\u001b\[3[13];1mkubepass: (?:warning|error): ([^]*?)\u001b\[0m/g

const LONGEST_TIMEOUT = 2 ** 31 - 1

/** The compiled program, as a Node.js script or as a standalone executable. */
function isProgram([program = '', ...words]: string[], name: PhaseName): boolean {
  const called = basename(program)
  return called === 'node'
    ? words.some((word) => `/${word}`.endsWith(`/${name}/index.js`))
    : called.startsWith('kubepass') && words[0] === name
}

/** The files that match the patterns, sorted by path. A folder stands for all files in it. */
function filesOf(folder: string, patterns: string[]): string[] {
  const found = patterns.flatMap((pattern) => globSync([pattern, join(pattern, '**')], { cwd: folder }))
  return [...new Set(found)].filter((path) => statSync(join(folder, path)).isFile()).toSorted()
}
