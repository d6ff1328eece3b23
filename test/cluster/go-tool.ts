import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cached } from '../tool-cache.ts'

const sources = fileURLToPath(new URL('.', import.meta.url))

/** Builds a small Go program of test/cluster, once for each state of its source, and returns its path. */
export async function goTool(name: 'proxy-rules' | 'certificates'): Promise<string> {
  const hash = createHash('sha256')
  for (const file of [`${name}/main.go`, 'go.sum']) hash.update(await readFile(join(sources, file)))
  const folder = await cached(name, hash.digest('hex').slice(0, 16), async (part) => {
    const env = { ...process.env, GOTOOLCHAIN: 'local' }
    await promisify(execFile)('go', ['build', '-trimpath', '-buildvcs=false', '-o', join(part, name), `./${name}`], { env, cwd: sources })
  })
  return join(folder, name)
}
