import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cached } from './tool-cache.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Builds the standalone program once for each state of the sources. A release names its program by KUBEPASS_TEST_STANDALONE. */
export async function buildStandalone(): Promise<string> {
  const released = process.env['KUBEPASS_TEST_STANDALONE']
  if (released !== undefined) return released
  const folder = await cached('standalone', await fingerprint(), async (part) => {
    await promisify(execFile)(process.execPath, [join(root, 'scripts/standalone.ts'), part])
  })
  return join(folder, `kubepass-linux-${process.arch}`)
}

async function fingerprint(): Promise<string> {
  const hash = createHash('sha256').update(`${process.version} ${process.arch}\0`)
  const sources = (await readdir(join(root, 'src'), { recursive: true })).filter((file) => file.endsWith('.ts')).sort()
  for (const file of [...sources.map((source) => `src/${source}`), 'scripts/standalone.ts', 'scripts/licences.ts', 'package-lock.json'])
    hash.update(`${file}\0`).update(await readFile(join(root, file)))
  return hash.digest('hex').slice(0, 16)
}
