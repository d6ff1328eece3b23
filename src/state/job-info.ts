const PLATFORMS = ['github', 'gitlab', 'terminal'] as const

/** The job that a run belongs to, as the labels of the bound Secret and the audit log show it. */
export interface JobInfo {
  readonly platform: (typeof PLATFORMS)[number]
  /** On GitHub the id of the workflow run, on GitLab that of the job. */
  readonly id: string
  readonly attempt: string
  readonly job: string
  readonly repository: string
  /** The URL of the platform, of which there can be many; empty in a terminal. */
  readonly instance: string
}

export function isPlatformName(text: string): text is JobInfo['platform'] {
  return (PLATFORMS as readonly string[]).includes(text)
}

/** Whether the text is a key from which the names of a run follow: 16 hex digits. */
export function isRunKey(text: string): boolean {
  return /^[0-9a-f]{16}$/.test(text)
}

/** The beginning of the names of all bound Secrets of an attempt of a run, and of no others. */
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
