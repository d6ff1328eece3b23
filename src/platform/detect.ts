import { KubepassError } from '../errors.ts'
import { githubPlatform } from './github.ts'
import type { Platform } from './platform.ts'
import { terminalPlatform, type Flags } from './terminal.ts'

/** @param flags given by the command line alone */
export function detect(env: NodeJS.ProcessEnv, redact: (text: string) => string, flags: Flags | undefined): Platform {
  if (flags !== undefined) return terminalPlatform(flags, env, redact)
  if (env['GITHUB_ACTIONS'] === 'true') return githubPlatform(env, redact)
  throw new KubepassError('INPUT', 'This program is started by a CI runner, and none is here.', {
    hint: 'In a terminal use: kubepass run -- COMMAND',
  })
}
