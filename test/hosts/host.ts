import type { Ended } from './child.ts'

/** The facts about a simulated host that findLeftovers() needs after a scenario. */
export interface Host {
  /** The folder of all files of the host. */
  readonly folder: string
  /** The folders that must be empty after a scenario. */
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

/** A simulated job of GitHub or GitLab. */
export interface Job extends Host, AsyncDisposable {
  readonly workspace: string
  readonly home: string
  /** The value of TMPDIR. */
  readonly tmp: string
  /** The id that kubepass uses for the run. */
  readonly runId: string
  /** The variables from earlier steps or jobs. A test may add variables. */
  readonly env: Record<string, string>
  /** The started phases, in order. */
  readonly phases: readonly Running[]
  /** Prepares a use of kubepass with these inputs and variables. */
  step(inputs?: Record<string, string>, env?: Record<string, string>): Use
}

export type PhaseName = 'main' | 'post'

export interface Use {
  main(): Promise<Outcome>
  post(): Promise<Outcome>
  /** Starts a phase for a test that acts while it runs. */
  start(name: PhaseName): Running
}

export interface Running {
  readonly name: PhaseName
  readonly done: Promise<Outcome>
  /** Closes the reading ends of the phase's outputs. */
  close(): void
  /** Signals only the program; returns false if it does not run. */
  kill(signal: NodeJS.Signals): boolean
  /** Waits until stdout or stderr contains this text; rejects if the phase ends before that. */
  seen(pattern: string | RegExp): Promise<void>
  /** Cancels the job like its runner. */
  cancel(): Promise<Outcome>
}

export interface Outcome extends Ended {
  /** The log that the CI shows. */
  log: string
  /** The warnings and errors in the log. */
  messages: string[]
}
