import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const cache = join(root, '.cache')

/** The standalone program, built once for the sources as they are now; or the one that KUBEPASS_TEST_STANDALONE names, as a release does. */
export async function buildStandalone(): Promise<string> {
  const released = process.env['KUBEPASS_TEST_STANDALONE']
  if (released !== undefined) return released
  const name = `standalone-${await fingerprint()}`
  const folder = join(cache, name)
  if (!existsSync(folder)) await build(folder)
  await removeOthers(name)
  return join(folder, `kubepass-linux-${process.arch}`)
}

async function fingerprint(): Promise<string> {
  const hash = createHash('sha256').update(`${process.version} ${process.arch}\0`)
  const sources = (await readdir(join(root, 'src'), { recursive: true })).filter((file) => file.endsWith('.ts')).sort()
  for (const file of [...sources.map((source) => `src/${source}`), 'scripts/standalone.ts', 'scripts/licences.ts', 'package-lock.json'])
    hash.update(`${file}\0`).update(await readFile(join(root, file)))
  return hash.digest('hex').slice(0, 16)
}

/** Beside its place and renamed into it: of two builders one wins. */
async function build(folder: string): Promise<void> {
  await mkdir(cache, { recursive: true })
  const part = await mkdtemp(join(cache, 'part-'))
  try {
    await promisify(execFile)(process.execPath, [join(root, 'scripts/standalone.ts'), part])
    await rename(part, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error
    })
  } finally {
    await rm(part, { recursive: true, force: true })
  }
}

async function removeOthers(name: string): Promise<void> {
  const others = (await readdir(cache)).filter((entry) => /^standalone-[0-9a-f]{16}$/.test(entry) && entry !== name)
  await Promise.all(others.map((entry) => rm(join(cache, entry), { recursive: true, force: true })))
}
