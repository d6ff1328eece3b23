import { execFileSync } from 'node:child_process'

/** Why no scan can be isolated on this machine; undefined where one can. */
export function whyNoIsolation(): string | undefined {
  try {
    execFileSync('unshare', ['--user', '--pid', '--fork', '--mount-proc', 'true'], { stdio: 'pipe' })
    return undefined
  } catch {
    return 'user namespaces are not allowed here'
  }
}
