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

/** The variables of the job about its start. kubepass cannot verify them. A text is empty if the platform does not set the variable. */
export interface Trigger {
  /** The user who started this attempt; if the platform does not tell, the user who started the run. */
  readonly actor: string
  readonly commit: string
  /** With the prefix: refs/heads/main. */
  readonly ref: string
  readonly event: string
}

/** A job, and what started it. */
export type Job = JobInfo & Trigger

/** A ref of Git can have some hundred characters; the other texts are shorter. */
const MAX_TRIGGER_LENGTH = 500

/** Bounds the variables, because a job can set them to any text. */
export function triggerOf(variables: { readonly [Name in keyof Trigger]: string | undefined }): Trigger {
  const bounded = (text = ''): string => text.slice(0, MAX_TRIGGER_LENGTH)
  const { actor, commit, ref, event } = variables
  return { actor: bounded(actor), commit: bounded(commit), ref: bounded(ref), event: bounded(event) }
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
