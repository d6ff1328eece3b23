import type { Ended } from './child.ts'

/** What the oracle asks of a played host once a scenario is over. */
export interface Host {
  /** Everything the host has written or was given lies in here. */
  readonly folder: string
  /** Nothing may be left in these. */
  readonly temporary: string[]
  /** What is the host's own in them. */
  readonly ours: string[]
  /** How the names of this run's bound Secrets begin, where that is known. */
  readonly boundSecretPrefix?: string
  /** NAME=value that every process of this run carries. */
  readonly trackingId: string
  /** Secrets that the host gave out. */
  readonly secrets: string[]
  /** Everything that somebody may read, by its place. */
  texts(): Record<string, string>
}

/** A played job, whichever CI it runs on. */
export interface Job extends Host, AsyncDisposable {
  readonly workspace: string
  readonly home: string
  /** TMPDIR. */
  readonly tmp: string
  /** The run's id, as kubepass calls it. */
  readonly runId: string
  /** Variables that came from earlier steps or jobs; a test may add to them. */
  readonly env: Record<string, string>
  /** What has been started in it, in order. */
  readonly phases: readonly Running[]
  /** A use of kubepass with these inputs, and with variables of its own. */
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
  /** Nobody reads its outputs any more. */
  close(): void
  /** Signals the program alone; false when it does not run. */
  kill(signal: NodeJS.Signals): boolean
  /** Waits until stdout or stderr holds this; refuses when the phase ends without. */
  seen(pattern: string | RegExp): Promise<void>
  /** Cancels the job as its runner does. */
  cancel(): Promise<Outcome>
}

export interface Outcome extends Ended {
  /** What a reader of the job's log sees. */
  log: string
  /** The warnings and errors that it shows as such. */
  messages: string[]
}
