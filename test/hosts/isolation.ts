import { execFileSync } from 'node:child_process'

/** The reason why this machine cannot isolate a scan; undefined if it can. */
export function whyNoIsolation(): string | undefined {
  try {
    execFileSync('unshare', ['--user', '--pid', '--fork', '--mount-proc', 'true'], { stdio: 'pipe' })
    return undefined
  } catch {
    return 'this machine does not allow user namespaces'
  }
}
