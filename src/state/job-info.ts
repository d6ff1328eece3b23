/** The run that a credential belongs to, as the bound Secret's labels and the audit log tell it. */
export interface JobInfo {
  readonly platform: 'github' | 'gitlab' | 'terminal'
  readonly id: string
  readonly attempt: string
  readonly job: string
  readonly repository: string
  /** URL of the platform that it ran on, where there are many; empty in a terminal. */
  readonly instance: string
}

/** Every bound Secret of a run's attempt begins with this, and no other does. */
export function boundSecretPrefix(run: Pick<JobInfo, 'id' | 'attempt'>): string {
  return `kubepass-${nameable(run.id)}-${nameable(run.attempt)}-`
}

/** A part of an object's name: lower-case letters, digits and dashes. */
function nameable(text: string): string {
  return (
    text
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 40) || '0'
  )
}
