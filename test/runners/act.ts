import { execFile } from 'node:child_process'
import { randomInt, randomUUID } from 'node:crypto'
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { stringify } from 'yaml'
import type { ClusterInfo } from '../cluster/cluster.ts'
import { Child, type Ended } from '../hosts/child.ts'
import { ordinaryClaims } from '../hosts/github-context.ts'
import type { Host } from '../hosts/host.ts'
import { serveIdTokens, type IdTokenEndpoint } from '../hosts/id-token.ts'
import { killProcessesWith } from '../hosts/orphans.ts'
import { cached } from '../tool-cache.ts'

const VERSION = '0.2.89'
const REPOSITORY = 'octo-org/octo-repo'
/** The checkout step. act replaces the step by a copy of the working tree and downloads nothing. */
export const CHECKOUT = 'actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

export interface ActOptions {
  event?: string
  vars?: Record<string, string>
  secrets?: Record<string, string>
}

/** Builds nektos/act once and returns its path. */
export async function buildAct(): Promise<string> {
  const folder = await cached('act', VERSION, async (part) => {
    await run('go', ['install', `github.com/nektos/act@v${VERSION}`], { env: { ...process.env, GOBIN: part }, maxBuffer: 64 << 20 })
  })
  return join(folder, 'act')
}

/** Makes a repository that contains the action. act runs the workflows of the repository on this machine. */
export async function startAct(info: ClusterInfo, program: string): Promise<Act> {
  const runId = String(randomInt(1e9, 9e9))
  const claims = ordinaryClaims(REPOSITORY, runId, '1')
  const idTokens = await serveIdTokens(info, (audience) => ({ ...claims, ...(audience !== undefined && { aud: audience }) }))
  const act = new Act(info, program, runId, idTokens)
  await act.makeRepository()
  return act
}

export class Act implements Host, AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'kubepass-act-'))
  readonly ours = []
  readonly trackingId = `PLAYED_ACT=${randomUUID()}`
  readonly boundSecretPrefix: string
  readonly idTokens: IdTokenEndpoint
  /** The working tree that act copies. The test writes its files. */
  readonly repository = mkdtempSync(join(tmpdir(), 'kubepass-repository-'))
  readonly tools = join(this.repository, '.git', 'tools')
  readonly #program: string
  readonly #arguments: string[]
  readonly #env: Record<string, string>
  readonly #runs: Child[] = []

  constructor(info: ClusterInfo, program: string, runId: string, idTokens: IdTokenEndpoint) {
    const [home, cache, tmp] = ['home', 'cache', 'tmp'].map((name) => join(this.folder, name)) as [string, string, string]
    for (const path of [home, cache, tmp]) mkdirSync(path)
    const PATH = [this.tools, dirname(info.kubectl), dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin'].join(delimiter)
    const [name = '', value = ''] = this.trackingId.split('=')
    this.#program = program
    this.idTokens = idTokens
    this.boundSecretPrefix = `kubepass-${runId}-1-`
    this.#env = {
      ...{ PATH, HOME: home, XDG_CACHE_HOME: cache, TMPDIR: tmp, LANG: 'C.UTF-8', [name]: value, NODE_EXTRA_CA_CERTS: info.ca },
      ...{ ACTIONS_ID_TOKEN_REQUEST_URL: idTokens.url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: idTokens.bearer },
    }
    this.#arguments = [
      // act runs the jobs on this machine without a container, and without its own servers, which need a network.
      ...['-P', 'ubuntu-24.04=-self-hosted', '-P', 'in-cluster=-self-hosted', '--no-cache-server', '--artifact-server-addr', '127.0.0.1'],
      ...['--env', `GITHUB_RUN_ID=${runId}`, '--env', `GITHUB_REPOSITORY=${REPOSITORY}`],
    ]
  }

  async makeRepository(): Promise<void> {
    cpSync(join(root, 'action.yml'), join(this.repository, 'action.yml'))
    for (const entry of ['main', 'post', 'kubeconfig'])
      cpSync(join(root, 'dist', entry), join(this.repository, 'dist', entry), { recursive: true })
    const git = (...args: string[]): Promise<unknown> => run('git', args, { cwd: this.repository, env: this.#env })
    await git('init', '--quiet', '--initial-branch', 'main')
    await git('add', '.')
    await git('-c', 'user.name=test', '-c', 'user.email=test@example.com', 'commit', '--quiet', '--message', 'The action')
    mkdirSync(this.tools)
  }

  /** Puts a script in place of a program on the PATH. */
  standIn(name: string, script: string): void {
    writeFileSync(join(this.tools, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(this.tools, name), 0o755)
  }

  run(workflow: object, options: ActOptions = {}): Promise<Ended> {
    return this.start(workflow, options).ended
  }

  /** Starts a workflow for a test that acts while it runs. */
  start(workflow: object, { event = 'push', vars = {}, secrets = {} }: ActOptions = {}): Child {
    const file = join('.github', 'workflows', 'test.yml')
    mkdirSync(join(this.repository, '.github', 'workflows'), { recursive: true })
    writeFileSync(join(this.repository, file), stringify(workflow))
    const given = [
      ...Object.entries(vars).flatMap(([name, value]) => ['--var', `${name}=${value}`]),
      ...Object.keys(secrets).flatMap((name) => ['--secret', name]),
    ]
    const child = new Child(this.#program, [event, '-W', file, ...this.#arguments, ...given], {
      cwd: this.repository,
      env: { ...this.#env, ...secrets },
    })
    this.#runs.push(child)
    return child
  }

  get secrets(): string[] {
    return this.idTokens.tokens
  }

  /** The temporary folders. act does not remove RUNNER_TEMP of a failed job. */
  get temporary(): string[] {
    const jobs = join(this.folder, 'cache', 'act')
    const runnerTemps = existsSync(jobs) ? readdirSync(jobs).map((name) => join(jobs, name, 'tmp')) : []
    return [join(this.folder, 'tmp'), ...runnerTemps.filter((path) => existsSync(path))]
  }

  texts(): Record<string, string> {
    const outputs = this.#runs.flatMap((child, index) =>
      (['stdout', 'stderr'] as const).map((stream) => [`${stream} of run ${String(index + 1)}`, child.text(stream)] as const),
    )
    return Object.fromEntries(outputs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await killProcessesWith(this.trackingId)
    await Promise.all(this.#runs.map((child) => child.ended))
    await this.idTokens.close()
    for (const path of [this.folder, this.repository]) rmSync(path, { recursive: true, force: true })
  }
}
