import { StringDecoder } from 'node:string_decoder'
import type { StreamName } from './child.ts'
import { parseCommand, type Command } from './command.ts'
import type { Masker } from './masker.ts'

export interface Annotation {
  level: 'error' | 'warning' | 'notice'
  message: string
  properties: Record<string, string>
}

const actions = [
  ...['stop-commands', 'add-mask', 'set-output', 'save-state', 'error', 'warning', 'notice', 'debug', 'group', 'endgroup', 'echo'],
  ...['add-matcher', 'remove-matcher', 'set-env', 'add-path'],
]
/** The commands that the runner shows after `::echo::on`. */
const ECHOED = ['set-output', 'save-state', 'add-matcher', 'remove-matcher']
const ANNOTATIONS = 10
const LONGEST_MESSAGE = 4096

export interface JobLogOptions {
  /** Whether the log processes all lines of stderr before any line of stdout, which is the worst order of the runner. */
  hostileOrder?: boolean
  /** Whether the log shows debug lines, as with ACTIONS_STEP_DEBUG. */
  debug?: boolean
}

/** Processes a step's outputs like the runner: executes the commands, masks the other lines, and adds them to the log. */
export class JobLog {
  /** The log that GitHub shows. */
  readonly lines: string[] = []
  readonly commands: Command[] = []
  readonly masks: string[] = []
  readonly annotations: Annotation[] = []
  readonly outputs: Record<string, string> = {}
  readonly state: Record<string, string> = {}
  /** Whether the runner could not execute a command, which fails the step. */
  failed = false
  readonly #masker: Masker
  readonly #options: JobLogOptions
  readonly #decoders = { stdout: new StringDecoder(), stderr: new StringDecoder() }
  readonly #rest = { stdout: '', stderr: '' }
  readonly #queued: Record<StreamName, string[]> = { stdout: [], stderr: [] }
  readonly #handlers: Record<string, (command: Command, line: string) => void> = {
    'stop-commands': ({ data }, line) => this.#stopCommands(data, line),
    'add-mask': ({ data }) => this.#mask(data),
    'set-output': (command) => this.#keep(this.outputs, command),
    'save-state': (command) => this.#keep(this.state, command),
    error: ({ data, properties }) => this.#annotate('error', data, properties),
    warning: ({ data, properties }) => this.#annotate('warning', data, properties),
    notice: ({ data, properties }) => this.#annotate('notice', data, properties),
    debug: ({ data }) => this.#debug(data),
    group: ({ name, data }) => this.#show(`##[${name}]${data}`),
    endgroup: ({ name, data }) => this.#show(`##[${name}]${data}`),
    echo: ({ data }) => void (this.#echo = data.trim().toLowerCase() === 'on'),
    'set-env': (_, line) => this.#refuse(line),
    'add-path': (_, line) => this.#refuse(line),
  }
  #flush: NodeJS.Immediate | undefined
  #stopped: string | undefined
  #echo: boolean

  constructor(masker: Masker, options: JobLogOptions = {}) {
    this.#masker = masker
    this.#options = options
    this.#echo = options.debug === true
  }

  write(stream: StreamName, chunk: Buffer): void {
    // A CR also ends a line. At the end of a chunk, the LF of a CR may still follow.
    const lines = (this.#rest[stream] + this.#decoders[stream].write(chunk)).split(/\r\n|\n|\r(?!$)/)
    this.#rest[stream] = lines.pop() ?? ''
    this.#queued[stream].push(...lines)
    if (this.#options.hostileOrder === true) return
    this.#flush ??= setImmediate(() => {
      this.#process()
    })
  }

  /** Processes the rest of both outputs after their end. */
  end(): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      const rest = (this.#rest[stream] + this.#decoders[stream].end()).replace(/\r$/, '')
      if (rest !== '') this.#queued[stream].push(rest)
    }
    this.#process()
  }

  /** Reports an error of the runner itself, which fails the step. */
  error(message: string): void {
    this.failed = true
    this.complain(message)
  }

  /** Reports a warning of the runner itself, which does not fail the step. */
  complain(message: string): void {
    this.#annotate('error', message, {})
  }

  // The runner empties its queue of stderr lines first, in every batch.
  #process(): void {
    clearImmediate(this.#flush)
    this.#flush = undefined
    for (const stream of ['stderr', 'stdout'] as const) for (const line of this.#queued[stream].splice(0)) this.#line(line)
  }

  #line(line: string): void {
    const command = parseCommand(
      line,
      (name) => actions.includes(name.toLowerCase()) || name.toLowerCase() === this.#stopped?.toLowerCase(),
    )
    if (command === undefined) this.#show(line)
    else if (this.#stopped !== undefined) {
      this.#show(line)
      if (command.name === this.#stopped.toLowerCase()) {
        this.commands.push(command)
        this.#stopped = undefined
      }
    } else {
      this.commands.push(command)
      this.#execute(command, line)
    }
  }

  #execute(command: Command, line: string): void {
    if (this.#echo && ECHOED.includes(command.name)) this.#show(line)
    this.#handlers[command.name]?.(command, line)
  }

  #stopCommands(endToken: string, line: string): void {
    this.#show(line)
    if (endToken === '' || actions.includes(endToken.toLowerCase())) this.error(`Invalid stop token '${endToken}'`)
    else this.#stopped = endToken
  }

  #mask(data: string): void {
    if (data.trim() === '') {
      this.#annotate('warning', "Can't add secret mask for empty string in ##[add-mask] command.", {})
      return
    }
    if (this.#echo) this.#show('::add-mask::***')
    this.masks.push(data)
    const lines = data.split(/[\r\n]/).map((line) => line.trim())
    for (const secret of new Set([data, ...lines])) this.#masker.add(secret)
  }

  #keep(values: Record<string, string>, { name, properties, data: value }: Command): void {
    const key = properties['name'] ?? ''
    if (key === '') {
      this.error(`Required field 'name' is missing in ##[${name}] command.`)
      return
    }
    values[key] = value
    this.#debug(name === 'save-state' ? `Save intra-action state ${key} = ${value}` : `steps.step.outputs.${key}='${value}'`)
  }

  #refuse(line: string): void {
    this.error(`Unable to process command '${line}' successfully.`)
  }

  #annotate(level: Annotation['level'], message: string, properties: Record<string, string>): void {
    const masked = this.#masker.mask(message)
    this.#show(`##[${level}]${message}`)
    if (this.annotations.filter((annotation) => annotation.level === level).length >= ANNOTATIONS) return
    this.annotations.push({ level, message: masked.slice(0, LONGEST_MESSAGE), properties })
  }

  #debug(message: string): void {
    if (this.#options.debug === true) this.#show(`##[debug]${message}`)
  }

  #show(line: string): void {
    this.lines.push(this.#masker.mask(line))
  }
}
