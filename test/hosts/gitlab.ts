import { randomInt, randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import type { ClusterInfo } from '../cluster/cluster.ts'
import { signIdToken, type Claims } from '../cluster/token.ts'
import { gitlabClaims, newJobToken, predefinedVariables, type GitlabContext } from './gitlab-context.ts'
import { goDuration } from './gitlab-duration.ts'
import type { Executor } from './gitlab-executor.ts'
import { sectionScript } from './gitlab-shell.ts'
import { JobSection, type Result, type Runner, type Status } from './gitlab-job-section.ts'
import { Component, type ComponentJob, type InputValue } from './gitlab-template.ts'
import { expandAll, expandText, isMaskable, outrank, type Given, type Variable } from './gitlab-variables.ts'
import type { Job, PhaseName, Use } from './host.ts'
import { killProcessesWith } from './orphans.ts'

export interface GitlabOptions {
  /** The path of the component; default gitlab/scan.yml of this repository. */
  component?: string
  /** The runner's executor; default docker. */
  executor?: Executor
  /** Whether this GitLab issues ID tokens; default true. */
  idToken?: boolean
  /** Claims of the ID tokens that differ from those of a push to a protected branch. */
  claims?: Claims
  /** Variables of the project or of the pipeline. */
  variables?: Record<string, Given>
  /** The contents of variables of the type file. */
  fileVariables?: Record<string, string>
  /** Whether the runner has $GITLAB_ENV; default true. */
  gitlabEnv?: boolean
  /** The time limits of the runner and of the job in milliseconds, which a test can shorten. */
  patience?: Partial<Runner['patience'] & Limits>
}

interface Limits {
  script: number
  afterScript: number
  job: number
}

const root = new URL('../../', import.meta.url)
/** The inputs that are variables on GitLab, because every viewer of a pipeline sees its inputs. */
const SECRET_INPUTS = ['token', 'kubeconfig']
const JOB_TIMEOUT_S = 3_600
const AFTER_SCRIPT_MS = 300_000

/** A simulated GitLab runner, whose jobs come from one component. */
export class GitlabJob implements Job, Runner {
  readonly folder = mkdtempSync(join(tmpdir(), 'kubepass-gitlab-'))
  readonly workspace = join(this.folder, 'builds', 'group', 'project')
  /** The value of $RUNNER_TEMP_PROJECT_DIR. */
  readonly projectTemp = `${this.workspace}.tmp`
  readonly gitlabEnv = join(this.projectTemp, 'gitlab_runner_env')
  readonly home = join(this.folder, 'home')
  readonly tmp = join(this.folder, 'tmp')
  readonly temporary = [this.projectTemp, this.tmp]
  readonly ours: string[]
  /** A variable that every scan keeps in each environment, so that the tests find all its processes. */
  readonly trackingId = `RUNNER_TRACKING_ID=gitlab_${randomUUID()}`
  /** The $CI_JOB_ID of the first job. The next jobs have the next numbers. */
  readonly runId = String(randomInt(1e7, 9e7) * 100)
  readonly boundSecretPrefix = `kubepass-${this.runId.slice(0, -2)}`
  readonly jobToken = newJobToken()
  readonly env: Record<string, string> = {}
  readonly phases: JobSection[] = []
  /** The issued ID tokens. */
  readonly secrets: string[] = []
  readonly executor: Executor
  readonly options: GitlabOptions
  readonly patience: Runner['patience']
  readonly info: ClusterInfo
  #jobs = 0

  constructor(info: ClusterInfo, options: GitlabOptions = {}) {
    this.info = info
    this.options = options
    this.executor = options.executor ?? 'docker'
    // The shell executor waits for every process that keeps an output open, the Kubernetes executor does not. A Docker container has ended by then.
    const drain = { shell: Infinity, docker: 5_000, kubernetes: 200 }[this.executor]
    this.patience = { graceful: 600_000, force: 10_000, look: 1_000, signals: 10_000, stop: 10_000, drain, ...options.patience }
    this.ours = [this.gitlabEnv, ...Object.keys(options.fileVariables ?? {}).map((name) => join(this.projectTemp, name))]
    for (const path of [this.workspace, this.projectTemp, this.home, this.tmp]) mkdirSync(path, { recursive: true })
  }

  /** A job of the component with these inputs and additional variables of the project. */
  step(inputs: Record<string, string> = {}, env: Record<string, string> = {}): GitlabUse {
    const jobId = String(Number(this.runId) + this.#jobs)
    this.#jobs += 1
    return new GitlabUse(this, jobId, inputs, env)
  }

  /** The environment of every shell on the image or the machine. */
  get machine(): Record<string, string> {
    const PATH = [dirname(this.info.kubectl), dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter)
    const [tracking = '', id = ''] = this.trackingId.split('=')
    return { PATH, HOME: this.home, TMPDIR: this.tmp, LANG: 'C.UTF-8', [tracking]: id }
  }

  /** Simulates a new container of the same image, which keeps only the volumes. */
  renewContainer(): void {
    for (const path of [this.home, this.tmp]) {
      rmSync(path, { recursive: true, force: true })
      mkdirSync(path)
    }
  }

  /** Removes the runner's files, as the runner does at the end of a job. */
  cleanUp(): void {
    for (const path of this.ours) rmSync(path, { force: true })
  }

  texts(): Record<string, string> {
    return Object.fromEntries(
      this.phases.flatMap((phase, index) =>
        Object.entries(phase.texts()).map(([place, text]) => [`${place} of ${phase.name} (phase ${String(index + 1)})`, text]),
      ),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await killProcessesWith(this.trackingId)
    for (const phase of this.phases) phase.close()
    await Promise.all(this.phases.map((phase) => phase.done))
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** A job whose script is main and whose after_script is post. */
export class GitlabUse implements Use {
  readonly jobId: string
  readonly #runner: GitlabJob
  readonly #job: ComponentJob
  readonly #context: GitlabContext
  readonly #project: Record<string, Given>
  readonly #idTokens: Record<string, Given>
  #main: JobSection | undefined
  #deadline = Infinity

  constructor(runner: GitlabJob, jobId: string, inputs: Record<string, string>, env: Record<string, string>) {
    const { component = fileURLToPath(new URL('gitlab/scan.yml', root)), variables, fileVariables = {}, idToken } = runner.options
    this.jobId = jobId
    this.#runner = runner
    this.#job = jobOf(new Component(readFileSync(component, 'utf8')), inputs)
    const { name: jobName, timeout = JOB_TIMEOUT_S } = this.#job
    this.#context = { jobId, jobName, pipelineId: runner.runId, timeout, folder: runner.workspace, jobToken: runner.jobToken }
    const paths = Object.keys(fileVariables).map((name) => [name, join(runner.projectTemp, name)])
    const files = verbatim(Object.fromEntries(paths) as Record<string, string>)
    this.#project = { ...files, ...variables, ...secretsOf(inputs), ...env }
    this.#idTokens = idToken === false ? {} : this.#issue()
  }

  main(): Promise<Result> {
    return this.start('main').done
  }

  post(): Promise<Result> {
    return this.start('post').done
  }

  /** Starts a section for a test that acts while it runs. Throws if a runner would not start the section. */
  start(name: PhaseName): JobSection {
    const section = name === 'main' ? this.#startScript() : this.#startAfterScript()
    this.#runner.phases.push(section)
    return section
  }

  #startScript(): JobSection {
    if (this.#main !== undefined) throw new Error('a job runs its script once')
    rmSync(this.#runner.gitlabEnv, { force: true })
    this.#deadline = Date.now() + (this.#runner.options.patience?.job ?? this.#context.timeout * 1_000)
    const variables = this.#variables({ CI_JOB_STATUS: 'running' }, this.#idTokens)
    this.#main = this.#section('main', this.#job.script, variables)
    return this.#main
  }

  #startAfterScript(): JobSection {
    if (this.#job.afterScript.length === 0) throw new Error('this job has no after_script')
    if (this.#main?.jobTimedOut === true) throw new Error('a job that timed out runs no after_script')
    const scriptHasEnded = this.#main === undefined || this.#main.result !== undefined
    if (!scriptHasEnded && !(this.#runner.executor === 'kubernetes' && this.#main?.stopped === true))
      throw new Error('after_script runs when script is over')
    // A job without main has failed before it started the program.
    const status = this.#main?.status ?? 'failed'
    return this.#section('post', this.#job.afterScript, this.#variables({ CI_JOB_STATUS: status }, this.#idTokens), status)
  }

  #section(name: PhaseName, commands: string[], variables: Map<string, Variable>, decided?: Status): JobSection {
    const { options, projectTemp, gitlabEnv, workspace } = this.#runner
    const values = expandAll(variables)
    const files = Object.entries(options.fileVariables ?? {}).map(([file, content]) => [join(projectTemp, file), content] as const)
    const script = sectionScript({
      variables: values,
      files: new Map(files),
      gitlabEnv: options.gitlabEnv === false ? undefined : gitlabEnv,
      folder: workspace,
      notice: name === 'post' ? 'Running after script...' : undefined,
      commands,
      trace: /^(1|t|true)$/i.test(values.get('CI_DEBUG_TRACE') ?? ''),
    })
    const masked = [...variables].filter(([, variable]) => variable.masked).map(([each]) => values.get(each) ?? '')
    const limits = { section: this.#limit(name, values), job: this.#deadline - Date.now() }
    return new JobSection(this.#runner, { name, decided, script, masked, artifacts: this.#job.artifacts, limits })
  }

  #limit(name: PhaseName, values: Map<string, string>): number {
    const { script, afterScript } = this.#runner.options.patience ?? {}
    const [variable, standard, shortened] =
      name === 'main' ? ['RUNNER_SCRIPT_TIMEOUT', Infinity, script] : ['RUNNER_AFTER_SCRIPT_TIMEOUT', AFTER_SCRIPT_MS, afterScript]
    const given = goDuration(values.get(variable) ?? '') ?? 0
    return shortened ?? (given > 0 ? given : standard)
  }

  #variables(status: { CI_JOB_STATUS?: Status | 'running' }, idTokens: Record<string, Given>): Map<string, Variable> {
    const { env, projectTemp } = this.#runner
    const predefined = { ...predefinedVariables(this.#context), ...status }
    return outrank(predefined, idTokens, this.#job.variables, verbatim(env), this.#project, { RUNNER_TEMP_PROJECT_DIR: projectTemp })
  }

  /** Issues the ID tokens of a job once, because the job cannot request further tokens. */
  #issue(): Record<string, Given> {
    const { options, info, secrets } = this.#runner
    const values = expandAll(this.#variables({}, {}))
    const expand = (text: string): string => expandText(text, (name) => values.get(name) ?? '')
    const tokens = Object.entries(this.#job.idTokens).map(([name, aud]) => {
      const claims = gitlabClaims(this.#context, Array.isArray(aud) ? aud.map(expand) : expand(aud))
      const value = signIdToken(info, { ...claims, ...options.claims })
      secrets.push(value)
      return [name, { value, masked: true, expand: false }] as const
    })
    return Object.fromEntries(tokens)
  }
}

/** The job of a pipeline with these inputs. Parses the value of an input that is not a string as YAML. */
function jobOf(component: Component, inputs: Record<string, string>): ComponentJob {
  const program: Record<string, string> = { program: 'node', program_url: fileURLToPath(new URL('dist', root)) }
  const programInputs = Object.entries(program).filter(([id]) => id in component.inputs)
  const given = Object.entries(inputs).filter(([id]) => !SECRET_INPUTS.includes(id))
  const typed = [...programInputs, ...given].map(([id, text]): [string, InputValue] => [
    id,
    (component.inputs[id]?.type ?? 'string') === 'string' ? text : (parse(text) as InputValue),
  ])
  return component.job(Object.fromEntries(typed))
}

function secretsOf(inputs: Record<string, string>): Record<string, Given> {
  const given = Object.entries(inputs).filter(([id]) => SECRET_INPUTS.includes(id))
  return Object.fromEntries(
    given.map(([id, value]) => [`KUBEPASS_${id.toUpperCase()}`, { value, expand: false, masked: isMaskable(value) }]),
  )
}

function verbatim(values: Record<string, string>): Record<string, Given> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value, expand: false }]))
}
