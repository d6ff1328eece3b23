import type { Readable } from 'node:stream'
import type { InputId } from './inputs.ts'
import type { PipeTexts } from './read-pipes.ts'

/** Where the inputs come from. */
export interface InputSource {
  /** An accepted exit code of the scan becomes 0, and all that is printed is the job's log. */
  readonly isCI: boolean
  input(id: InputId): string | undefined
  /** How a user writes this input here: `service_account` in a workflow, `--service-account` in a terminal. */
  nameOf(id: InputId): string
  /** A command given as words, run without a shell. */
  readonly argv: readonly string[]
  readonly temp: string
  /** Relative paths start there, and artifacts are looked for; undefined in a terminal, which has a working directory only. */
  readonly workspace: string | undefined
  /** The directories of PATH, where the scan's program is looked for. */
  readonly path: string
  /** Later steps of the job can use the credential. */
  readonly hasLaterSteps: boolean
  /** A post step follows, which revokes and proves what main left. */
  readonly hasPost: boolean
  /** And the job fails if it does. */
  readonly postFailsJob: boolean
  /** The setting by which the host shows every variable in the log, where that is on. */
  readonly debugTraceVariable: string | undefined
  /** Whether we run in a Pod is read from it, and no input. */
  readonly env: NodeJS.ProcessEnv
  readonly stdin: (() => Readable) | undefined
  /** The texts of pipes, which were read before because a pipe can be read only once. */
  readonly pipeTexts?: PipeTexts
}
