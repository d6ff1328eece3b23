import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Child, type Ended } from '../hosts/child.ts'
import type { Host } from '../hosts/host.ts'
import { killProcessesWith } from '../hosts/orphans.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const program = join(root, 'node_modules/gitlab-ci-local/dist/index.js')

/** The reason why gitlab-ci-local cannot run on this machine; undefined if it can. */
export function missingForGitlabCiLocal(): string | undefined {
  try {
    execFileSync('rsync', ['--version'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'gitlab-ci-local copies with rsync, which is not installed'
  }
}

export interface PipelineOptions {
  /** The CI variables, including the ID tokens, which gitlab-ci-local does not issue. */
  variables?: Record<string, string>
  env?: Record<string, string>
  /** Folders for the beginning of PATH. */
  path?: string[]
}

export interface Pipeline extends Ended {
  /**
   * The result of each job. A failed after_script has its own entry, `JOB after_script`. gitlab-ci-local itself exits with 0
   * even after a job that failed with a code outside of allow_failure.
   */
  jobs: Record<string, 'PASS' | 'FAIL' | 'WARN'>
}

/** A project whose pipelines gitlab-ci-local runs on this machine without containers. */
export class Project implements Host, AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'kubepass-project-'))
  readonly trackingId = `PLAYED_PROJECT=${randomUUID()}`
  readonly tmp = join(this.folder, 'tmp')
  readonly temporary = [this.tmp]
  readonly ours = []
  /** The secret values of variables that a test sets. */
  readonly secrets: string[] = []
  readonly tree = join(this.folder, 'project')
  readonly #runs: Child[] = []

  /** @param copies files and folders of this repository to copy into the project */
  constructor(copies: string[] = []) {
    for (const path of [this.tmp, join(this.folder, 'home'), this.tree]) mkdirSync(path)
    for (const name of copies) cpSync(join(root, name), join(this.tree, name), { recursive: true })
    this.#git('init', '--quiet', '--initial-branch', 'main')
    this.#git('remote', 'add', 'origin', 'https://gitlab.example.com/acme/payments.git')
  }

  write(name: string, text: string, mode = 0o644): void {
    const path = join(this.tree, name)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text, { mode })
  }

  async run(options: PipelineOptions = {}): Promise<Pipeline> {
    const ended = await this.start(options).ended
    const results = ended.stdout.matchAll(/^ (PASS|FAIL|WARN) {2}(\S+(?: \S+)*) *(after_script)?/gm)
    const jobs = Object.fromEntries([...results].map(([, result, job = '', part]) => [part === undefined ? job : `${job} ${part}`, result]))
    return { ...ended, jobs: jobs as Pipeline['jobs'] }
  }

  /** Starts a pipeline for a test that acts while it runs. */
  start({ variables = {}, env = {}, path = [] }: PipelineOptions = {}): Child {
    this.#git('add', '.')
    this.#git('-c', 'user.name=test', '-c', 'user.email=test@example.com', 'commit', '--quiet', '--allow-empty', '--message', 'All')
    const PATH = [...path, dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter)
    const [name = '', value = ''] = this.trackingId.split('=')
    // gitlab-ci-local sets GITLAB_CI to false by default.
    const given = Object.entries({ GITLAB_CI: 'true', ...variables }).flatMap(([key, text]) => ['--variable', `${key}=${text}`])
    const child = new Child(process.execPath, [program, '--force-shell-executor', '--ignore-predefined-vars', 'GITLAB_CI', ...given], {
      cwd: this.tree,
      env: { PATH, HOME: join(this.folder, 'home'), TMPDIR: this.tmp, LANG: 'C.UTF-8', NO_COLOR: '1', [name]: value, ...env },
    })
    this.#runs.push(child)
    return child
  }

  texts(): Record<string, string> {
    const outputs = this.#runs.flatMap((child, index) =>
      (['stdout', 'stderr'] as const).map((stream) => [`${stream} of run ${String(index + 1)}`, child.text(stream)] as const),
    )
    return Object.fromEntries(outputs)
  }

  #git(...args: string[]): void {
    execFileSync('git', args, { cwd: this.tree, env: { PATH: process.env['PATH'], HOME: this.folder }, stdio: 'pipe' })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await killProcessesWith(this.trackingId)
    await Promise.all(this.#runs.map((child) => child.ended))
    rmSync(this.folder, { recursive: true, force: true })
  }
}
