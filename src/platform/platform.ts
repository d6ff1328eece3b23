import type { Writable } from 'node:stream'
import type { Flags } from '../config/flags.ts'
import type { OutputId } from '../config/inputs.ts'
import type { InputSource } from '../config/source.ts'
import type { IdTokenRequest } from '../identity/identity.ts'
import type { Filter } from '../redact/filter.ts'
import type { Seal, SealedString } from '../redact/sealed-string.ts'
import type { TextSearch } from '../redact/text-search.ts'
import type { Evidence } from '../state/evidence.ts'
import type { JobInfo } from '../state/job-info.ts'
import type { RunState } from '../state/run-state.ts'
import type { TamperReport } from './command-files.ts'

/** Where we run. All that the story needs of it, and nothing else of it is seen. */
export interface Platform extends InputSource {
  readonly job: JobInfo
  /**
   * What the names of this run's bound Secret and directory end with, 16 hex digits, if that can be known without a
   * state: then the post step needs none.
   */
  readonly runKey: string | undefined
  /** Our own user id, which owns what we wrote. */
  readonly ownerUid: number
  /** Flags that are no inputs; only a person gives some. */
  readonly extraFlags?: Flags['extraFlags']

  /** Where the job can ask for ID tokens. */
  idTokenRequest(seal: Seal): IdTokenRequest | undefined
  /** The one that it was given at its start. */
  idToken(seal: Seal): SealedString | undefined
  /** What a job without ID tokens must add; undefined where there are none. */
  readonly idTokenInstructions: string | undefined
  /** The host's own mask; not the wall, which is the redactor. */
  mask(secret: SealedString): void

  /**
   * Time limits of the host that do not fit each other or the scan, as far as it tells of any.
   * @param maxScan seconds; undefined when nobody has set it
   */
  timeoutWarnings(maxScan: number | undefined): string[]

  info(text: string): void
  /** What is being waited for; shown on a terminal only. */
  progress(text: string): void
  warn(text: string): Promise<void>
  error(text: string): Promise<void>

  /** @param run state none: nothing has been asked for yet */
  saveState(state: RunState | 'none'): void
  readState(): string | undefined
  /** The run is finished: nobody needs its state. */
  deleteState(): void
  /** How a person can finish a run that could not be; undefined where a post step tries again. */
  retryInstructions(): string | undefined

  /** From here on nobody else may write to the host's files for commands, but for those that the scan is given. */
  guardCommandFiles(given: readonly string[]): void
  /** Puts back what somebody else has written there. */
  restoreCommandFiles(): TamperReport
  /** The outputs of the scan: where they go, and what they pass through after the redactor. */
  scanOutputs(): ScanOutputs
  setOutput(id: OutputId, value: string | SealedString): Promise<void>
  exportVariable(name: string, value: string | SealedString): Promise<void>
  report(evidence: Evidence): Promise<void>
  /** Shows the evidence beside the commit. */
  publishCheck(evidence: Evidence, token: SealedString): Promise<void>
}

export interface ScanOutputs {
  stdout: () => Writable
  stderr: () => Writable
  filters: (search: TextSearch) => Filter[]
  /**
   * The scan has ended.
   * @param complete whether all of its output is written; else some may still follow
   */
  close(complete: boolean): void
}
