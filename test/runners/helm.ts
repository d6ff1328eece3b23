import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cached } from '../tool-cache.ts'

const VERSION = '4.3.1'

const run = promisify(execFile)

/** Builds Helm once and returns its path. */
export async function buildHelm(): Promise<string> {
  const folder = await cached('helm', VERSION, async (part) => {
    const env = { ...process.env, GOBIN: part, GOTOOLCHAIN: 'local' }
    await run('go', ['install', '-trimpath', `helm.sh/helm/v4/cmd/helm@v${VERSION}`], { env, cwd: part, maxBuffer: 64 << 20 })
  })
  return join(folder, 'helm')
}
