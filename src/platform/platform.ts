import type { Writable } from 'node:stream'
import type { ExtraFlagValues } from '../config/flags.ts'
import type { OutputId } from '../config/inputs.ts'
import type { InputSource } from '../config/source.ts'
import type { IdTokenRequest } from '../identity/identity.ts'
import type { Filter } from '../redact/filter.ts'
import type { Seal, SealedString } from '../redact/sealed-string.ts'
import type { TextSearch } from '../redact/text-search.ts'
import type { Evidence } from '../state/evidence.ts'
import type { Job } from '../state/job-info.ts'
import type { RunState } from '../state/run-state.ts'
import type { TamperReport } from './command-files.ts'

/** The lines that kubepass writes for people. */
export interface Log {
  info(text: string): void
  warn(text: string): Promise<void>
  error(text: string): Promise<void>
  /** Shows what kubepass waits for; undefined where no person waits. */
  readonly progress?: (text: string) => void
}

/** Where the run state is saved for the post step, or for `kubepass revoke`. */
export interface SavedState {
  /** @param state 'none' before kubepass has sent any request */
  save(state: RunState | 'none'): void
  load(): string | undefined
  /** Removes the state of a run that is finished; undefined where the runner keeps the state, and removes it. */
  readonly clear?: () => void
  /** How a user can finish a run that kubepass could not finish; undefined if a post step tries again. */
  readonly retryInstructions?: () => string | undefined
}

/** The ID tokens of the job. */
export interface IdTokens {
  /** The service from which the job can request ID tokens; undefined without the permission. */
  readonly request?: (seal: Seal) => IdTokenRequest | undefined
  /** The ID token that the platform gave the job at its start. */
  readonly token?: (seal: Seal) => SealedString | undefined
  /** What the user must add to a job that has no ID token. */
  readonly instructions: string
}

/** The files by which a step speaks to its runner. */
export interface GuardedFiles {
  /**
   * From now on restore() undoes what other processes write.
   * @param given the variables of the files that the scan may write to
   */
  guard(given: readonly string[]): void
  /** Restores the files that another process than kubepass changed. */
  restore(): TamperReport
}

/** What later steps of the job can read. */
export interface StepOutputs {
  setOutput(id: OutputId, value: string | SealedString): Promise<void>
  exportVariable(name: string, value: string | SealedString): Promise<void>
}

/**
 * The CI platform or terminal that kubepass runs on. All other code uses the platform only through these ports. A port that the
 * platform lacks is undefined.
 */
export interface Platform extends InputSource {
  readonly job: Job
  /**
   * 16 hex digits, the end of the names of this run's bound Secret and directory. Undefined if they cannot be derived
   * without a saved run state. If they can, the post step needs no state.
   */
  readonly runKey: string | undefined
  /** The user id of kubepass, which owns the files that kubepass wrote. */
  readonly ownerUid: number
  /** Flags that are no inputs; only a terminal has any. */
  readonly extraFlags?: ExtraFlagValues
  readonly log: Log
  readonly savedState: SavedState
  /** The targets of the scan's stdout and stderr, and the filters that follow the redactor. */
  scanOutputs(): ScanOutputs
  /** Shows the evidence in the log, and in files that a later report replaces. */
  report(evidence: Evidence): Promise<void>

  readonly idTokens?: IdTokens
  /** Makes the runner mask the secret in its log. This only adds to the redactor, which hides secrets without it. */
  readonly mask?: (secret: SealedString) => void
  /**
   * Compares the time limits that the platform tells with each other and with the scan. Returns a warning for each pair that conflicts.
   * @param maxScan seconds; undefined when the input is not set
   */
  readonly timeoutWarnings?: (maxScan: number | undefined) => string[]
  readonly commandFiles?: GuardedFiles
  readonly stepOutputs?: StepOutputs
  /** Adds the evidence to the summary of the job. No process can remove it again. */
  readonly writeSummary?: (evidence: Evidence) => void
  /** Shows the evidence as a check run of the commit. */
  readonly publishCheck?: (evidence: Evidence, token: SealedString) => Promise<void>
}

export interface ScanOutputs {
  stdout: () => Writable
  stderr: () => Writable
  filters: (search: TextSearch) => Filter[]
  /**
   * Call it when the scan has ended.
   * @param complete whether all output is written; if not, more may follow
   */
  close(complete: boolean): void
}
