import { randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ClusterInfo } from '../cluster/cluster.ts'
import { Child, type Ended } from './child.ts'
import type { Host } from './host.ts'
import { killProcessesWith } from './orphans.ts'
import { toolsWithoutNode } from './tools.ts'

export interface CommandOptions {
  stdin?: string
  env?: Record<string, string>
}

type Program = readonly [string, ...string[]]

/** A user's shell outside any CI that calls kubepass. */
export class Terminal implements Host, AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'kubepass-terminal-'))
  readonly home = join(this.folder, 'home')
  readonly tmp = join(this.folder, 'tmp')
  readonly work = join(this.folder, 'work')
  readonly temporary = [this.tmp]
  readonly ours = []
  readonly trackingId = `PLAYED_TERMINAL=${randomUUID()}`
  readonly secrets: string[] = []
  readonly #env: Record<string, string>
  readonly #program: Program
  readonly #children: Child[] = []

  /** @param program the command of kubepass; without node in it, the simulated machine has no Node.js */
  constructor(
    info: ClusterInfo,
    program: Program = [process.execPath, fileURLToPath(new URL('../../dist/cli/index.js', import.meta.url))],
  ) {
    for (const path of [this.home, this.tmp, this.work]) mkdirSync(path)
    const tools = program.includes(process.execPath)
      ? [dirname(process.execPath), '/usr/local/bin', '/usr/bin', '/bin']
      : [toolsWithoutNode(join(this.folder, 'bin'))]
    const PATH = [dirname(info.kubectl), ...tools].join(delimiter)
    const [name = '', value = ''] = this.trackingId.split('=')
    this.#env = { PATH, HOME: this.home, TMPDIR: this.tmp, LANG: 'C.UTF-8', TERM: 'dumb', [name]: value }
    this.#program = program
  }

  run(args: string[], options: CommandOptions = {}): Promise<Ended> {
    return this.start(args, options).ended
  }

  /** Runs a shell script, for example with a pipe. The script gets the program and its arguments as `"$0" "$@"`. */
  shell(script: string, args: string[], options: CommandOptions = {}): Promise<Ended> {
    return this.#run('/bin/sh', ['-c', script, ...this.#program, ...args], options).ended
  }

  /** Starts a command for a test that acts while it runs. */
  start(args: string[], options: CommandOptions = {}): Child {
    const [program, ...words] = this.#program
    return this.#run(program, [...words, ...args], options)
  }

  #run(program: string, args: string[], { stdin = '', env = {} }: CommandOptions): Child {
    const child = new Child(program, args, { cwd: this.work, env: { ...this.#env, ...env }, stdin })
    this.#children.push(child)
    return child
  }

  texts(): Record<string, string> {
    const outputs = this.#children.flatMap((child, index) =>
      (['stdout', 'stderr'] as const).map((stream) => [`${stream} of command ${String(index + 1)}`, child.text(stream)] as const),
    )
    return Object.fromEntries(outputs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await killProcessesWith(this.trackingId)
    await Promise.all(this.#children.map((child) => child.ended))
    await rm(this.folder, { recursive: true, force: true })
  }
}
