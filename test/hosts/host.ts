import type { Ended } from './child.ts'

/** What findLeftovers() needs to know about a simulated host after a scenario. */
export interface Host {
  /** The folder of all files of the host. */
  readonly folder: string
  /** The folders in which no file may be left. */
  readonly temporary: string[]
  /** The files of the host itself in these folders. */
  readonly ours: string[]
  /** The prefix of the names of this run's bound Secrets, if it is known. */
  readonly boundSecretPrefix?: string
  /** The NAME=value in the environment of every process of this run. */
  readonly trackingId: string
  /** The secrets that the host issued. */
  readonly secrets: string[]
  /** All texts that a reader can see, such as logs, by place. */
  texts(): Record<string, string>
}

/** A simulated job of either CI. */
export interface Job extends Host, AsyncDisposable {
  readonly workspace: string
  readonly home: string
  /** TMPDIR. */
  readonly tmp: string
  /** The run's id, as kubepass calls it. */
  readonly runId: string
  /** Variables that came from earlier steps or jobs; a test may add to them. */
  readonly env: Record<string, string>
  /** The phases that were started, in order. */
  readonly phases: readonly Running[]
  /** A use of kubepass with these inputs and variables. */
  step(inputs?: Record<string, string>, env?: Record<string, string>): Use
}

export type PhaseName = 'main' | 'post'

export interface Use {
  main(): Promise<Outcome>
  post(): Promise<Outcome>
  /** For a test that acts while the phase runs. */
  start(name: PhaseName): Running
}

export interface Running {
  readonly name: PhaseName
  readonly done: Promise<Outcome>
  /** Closes the reading ends of its outputs. */
  close(): void
  /** Signals only the program; false if it is not running. */
  kill(signal: NodeJS.Signals): boolean
  /** Waits until stdout or stderr contains this text; rejects if the phase ends without it. */
  seen(pattern: string | RegExp): Promise<void>
  /** Cancels the job as its runner does. */
  cancel(): Promise<Outcome>
}

export interface Outcome extends Ended {
  /** The job's log, as the CI shows it. */
  log: string
  /** The warnings and errors in the log. */
  messages: string[]
}
