import { statSync } from 'node:fs'

/** The folder in which the runner looks for artifacts. CI_PROJECT_DIR may name a folder that exists only in the runner's containers. */
export function gitlabWorkspace(env: NodeJS.ProcessEnv): string {
  const named = env['CI_PROJECT_DIR'] ?? ''
  return named !== '' && statSync(named, { throwIfNoEntry: false })?.isDirectory() === true ? named : process.cwd()
}
