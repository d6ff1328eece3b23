import { chmodSync, lstatSync, readdirSync, rmSync, statSync } from 'node:fs'
import type { Dirent, Stats } from 'node:fs'
import { dirname, join } from 'node:path'
import { errnoOf } from './errors.ts'
import { quote } from './quote.ts'

/**
 * Does `work` on a path. The scan is the same user as we are, and can have taken away that user's right to change it: then
 * the right is given back, and the work done again.
 */
export function regained<T>(path: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (errnoOf(error) !== 'EACCES' || reopen(path).length === 0) throw error
    return work()
  }
}

/**
 * Gives their owner the right to pass the folders that lead to a path, to change the last of them, and to change what is there.
 * @returns what its owner could not use, with the mode that it had; nobody but the owner can change that
 */
export function reopen(path: string): string[] {
  const folders: string[] = []
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) folders.unshift(folder)
  return [
    ...folders.slice(0, -1).flatMap((folder) => open(folder, folderAt, 0o100)),
    ...folders.slice(-1).flatMap((folder) => open(folder, folderAt, 0o700)),
    ...open(path, lstatSync, 0o600),
  ]
}

/** Gives the owner all rights where one that is needed is missing. */
function open(path: string, look: (path: string) => Stats, needed: number): string[] {
  try {
    const about = look(path)
    const [mode, all] = [about.mode & 0o7777, about.isDirectory() ? 0o700 : 0o600]
    if (about.isSymbolicLink() || (mode & needed) === needed) return []
    chmodSync(path, mode | all)
    return [`${quote(path)} (mode ${mode.toString(8).padStart(4, '0')})`]
  } catch {
    return []
  }
}

function folderAt(path: string): Stats {
  const about = statSync(path)
  if (!about.isDirectory()) throw Object.assign(new Error('it is no folder'), { code: 'ENOTDIR' })
  return about
}

/** Removes a file, or a folder with all that is in it. */
export function removeTree(path: string): void {
  const remove = (): void => rmSync(path, { recursive: true, force: true })
  try {
    regained(path, remove)
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error
    for (const folder of foldersIn(path)) open(folder, lstatSync, 0o700)
    remove()
  }
}

/** A folder and those in it, each before what it holds is looked at. */
function* foldersIn(top: string): Generator<string> {
  const waiting = [top]
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    yield folder
    for (const entry of listed(folder)) if (entry.isDirectory()) waiting.push(join(folder, entry.name))
  }
}

/** A link is not followed: it may lead anywhere. */
function listed(folder: string): Dirent[] {
  try {
    if (!lstatSync(folder).isDirectory()) return []
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}

/** Why a path could not be changed or removed: what on its way, or in it, belongs to somebody else; or else the error's code. */
export function obstacleAt(path: string, error: unknown, uid: number): string {
  const within = function* (): Generator<string> {
    yield dirname(path)
    yield path
    for (const folder of foldersIn(path)) for (const { name } of listed(folder)) yield join(folder, name)
  }
  if (errnoOf(error) === 'EACCES' || errnoOf(error) === 'EPERM')
    for (const place of within()) {
      const owner = ownerOf(place)
      if (owner !== undefined && owner !== uid) return `${quote(place)} belongs to another user (uid ${owner})`
    }
  return errnoOf(error) || 'unknown reason'
}

function ownerOf(path: string): number | undefined {
  try {
    return lstatSync(path).uid
  } catch {
    return undefined
  }
}
