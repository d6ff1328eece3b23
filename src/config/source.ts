import type { Readable } from 'node:stream'
import type { InputId } from './inputs.ts'
import type { PipeTexts } from './read-pipes.ts'

/** The source of the inputs, and what the parser must know about the platform. */
export interface InputSource {
  /** On a CI an accepted exit code of the scan becomes 0, and standard output is the job's log. */
  readonly isCI: boolean
  input(id: InputId): string | undefined
  /** The name of an input on this platform: `service_account` in a workflow, `--service-account` in a terminal. */
  nameOf(id: InputId): string
  /** The words of a command that runs without a shell. */
  readonly argv: readonly string[]
  readonly temp: string
  /** The folder for relative paths and artifacts; undefined in a terminal, which has only a working directory. */
  readonly workspace: string | undefined
  /** The value of PATH, in which the scan's program is searched. */
  readonly path: string
  /** Whether later steps of the job can use the credential. */
  readonly hasLaterSteps: boolean
  /** Whether a post step follows, which revokes, and proves, what main could not. */
  readonly hasPost: boolean
  /** Whether the job fails if the post step fails. */
  readonly postFailsJob: boolean
  /** The setting that makes the platform show every variable in the log; undefined if it is off. */
  readonly debugTraceVariable: string | undefined
  /** Shows whether kubepass runs in a Pod, and names proxies. It holds no inputs. */
  readonly env: NodeJS.ProcessEnv
  readonly stdin: (() => Readable) | undefined
  /** Why the kubeconfig may name no file: another person can have named the kubeconfig. Undefined if it may, outside of the workspace. */
  readonly whyNoFilesInKubeconfig?: string | undefined
  /** Why the kubeconfig is used although no flag or variable of kubepass names it; undefined if one does. */
  readonly whyKubeconfig?: string | undefined
  /** The hint of the error that no input names the API server. */
  readonly noServerHint?: string
  /** The texts from readPipes(), which runs before the parser. */
  readonly pipeTexts?: PipeTexts
}
