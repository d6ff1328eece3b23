/** What the oracle asks of a played host once a scenario is over. */
export interface Host {
  /** Everything the host has written or was given lies in here. */
  readonly folder: string
  /** Nothing may be left in these. */
  readonly temporary: string[]
  /** What is the host's own in them. */
  readonly ours: string[]
  /** How the names of this run's anchors begin, where that is known. */
  readonly anchorPrefix?: string
  /** NAME=value that every process of this run carries. */
  readonly marker: string
  /** Secrets that the host gave out. */
  readonly secrets: string[]
  /** Everything that somebody may read, by its place. */
  texts(): Record<string, string>
}
