import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Versions of one tool that are kept: checkouts that stand side by side use different ones. */
const KEPT = 4

/** The folder of the tools that the tests build. It lies outside the checkout, so that a fresh clone finds them built. */
export function toolCache(env: NodeJS.ProcessEnv = process.env): string {
  const caches = env['XDG_CACHE_HOME'] ?? ''
  return env['KUBEPASS_TOOL_CACHE'] ?? join(caches === '' ? join(homedir(), '.cache') : caches, 'kubepass')
}

/**
 * Builds a tool unless this version of it is there.
 * @param version a text without a slash that changes whenever the result would
 * @param build writes the tool into the folder that it is given
 * @returns the folder `NAME-VERSION` of the finished tool
 */
export async function cached(name: string, version: string, build: (folder: string) => Promise<void>): Promise<string> {
  const cache = toolCache()
  const folder = join(cache, `${name}-${version}`)
  if (existsSync(folder)) {
    const now = new Date()
    await utimes(folder, now, now)
    return folder
  }
  await mkdir(cache, { recursive: true })
  // Another process may build the same tool: the rename publishes a whole one, and the first rename wins.
  const part = await mkdtemp(join(cache, 'part-'))
  try {
    await build(part)
    await rename(part, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error
    })
  } finally {
    await rm(part, { recursive: true, force: true })
  }
  await removeUnused(cache, name)
  return folder
}

/** Keeps the versions that were used last. */
async function removeUnused(cache: string, name: string): Promise<void> {
  const isVersion = new RegExp(`^${name}-[\\w.]+$`)
  const folders = (await readdir(cache)).filter((entry) => isVersion.test(entry)).map((entry) => join(cache, entry))
  const used = await Promise.all(folders.map(async (folder) => ({ folder, at: (await stat(folder)).mtimeMs })))
  const unused = used.toSorted((one, other) => other.at - one.at).slice(KEPT)
  await Promise.all(unused.map(({ folder }) => rm(folder, { recursive: true, force: true })))
}
