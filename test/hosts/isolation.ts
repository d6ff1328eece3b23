import { execFileSync } from 'node:child_process'

/** Why this machine cannot isolate a scan; undefined if it can. */
export function whyNoIsolation(): string | undefined {
  try {
    execFileSync('unshare', ['--user', '--pid', '--fork', '--mount-proc', 'true'], { stdio: 'pipe' })
    return undefined
  } catch {
    return 'user namespaces are not allowed here'
  }
}
