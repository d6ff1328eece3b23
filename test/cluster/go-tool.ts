import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cached } from '../tool-cache.ts'

const sources = fileURLToPath(new URL('.', import.meta.url))

/** Builds a small Go program of test/cluster, once for each state of its source, and returns its path. */
export async function goTool(name: 'proxy-rules' | 'certificates' | 'kubelet'): Promise<string> {
  const source = join(sources, name)
  const files = (await readdir(source)).sort()
  // A program without a go.mod of its own belongs to the module of the cluster.
  if (!files.includes('go.mod')) files.push('../go.sum')
  const hash = createHash('sha256')
  for (const file of files) hash.update(`${file}\0`).update(await readFile(join(source, file)))
  const folder = await cached(name, hash.digest('hex').slice(0, 16), async (part) => {
    const env = { ...process.env, GOTOOLCHAIN: 'local' }
    await promisify(execFile)('go', ['build', '-trimpath', '-buildvcs=false', '-o', join(part, name), '.'], { env, cwd: source })
  })
  return join(folder, name)
}
