import { chmodSync, lstatSync, readdirSync, rmSync, statSync } from 'node:fs'
import type { Dirent, Stats } from 'node:fs'
import { dirname, join } from 'node:path'
import { errnoOf } from '../base/errors.ts'
import { quote } from '../base/quote.ts'

/**
 * Does `work` on a path. The scan runs as the same user and can change modes. After EACCES this function restores the
 * owner's rights and does the work again.
 * @param tell gets the result of restoreAccess(), if it is not empty
 */
export function withRestoredAccess<T>(path: string, work: () => T, tell: (closed: string[]) => void = () => undefined): T {
  try {
    return work()
  } catch (error) {
    const closed = errnoOf(error) === 'EACCES' ? restoreAccess(path) : []
    if (closed.length === 0) throw error
    tell(closed)
    return work()
  }
}

/**
 * Restores the owner's rights: to pass the folders that lead to a path, to change the last folder, and to change the path itself.
 * @returns each folder or file that the owner could not use, with its former mode
 */
export function restoreAccess(path: string): string[] {
  const folders: string[] = []
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) folders.unshift(folder)
  return [
    ...folders.slice(0, -1).flatMap((folder) => open(folder, folderAt, 0o100)),
    ...folders.slice(-1).flatMap((folder) => open(folder, folderAt, 0o700)),
    ...open(path, lstatSync, 0o600),
  ]
}

/** Gives the owner all rights if a needed right is missing. */
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

/** Removes a file, or a folder with its content. */
export function removeTree(path: string): void {
  const remove = (): void => rmSync(path, { recursive: true, force: true })
  try {
    withRestoredAccess(path, remove)
  } catch (error) {
    if (errnoOf(error) !== 'EACCES') throw error
    for (const folder of foldersIn(path)) open(folder, lstatSync, 0o700)
    remove()
  }
}

/** A folder and all folders below it. The caller gets each folder before this function lists the folder. */
function* foldersIn(top: string): Generator<string> {
  const waiting = [top]
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    yield folder
    for (const entry of listed(folder)) if (entry.isDirectory()) waiting.push(join(folder, entry.name))
  }
}

/** Lists a folder. It does not follow a link, because a link may lead anywhere. */
function listed(folder: string): Dirent[] {
  try {
    if (!lstatSync(folder).isDirectory()) return []
    return readdirSync(folder, { withFileTypes: true })
  } catch {
    return []
  }
}

/** Why kubepass could not change or remove a path: a folder or file belongs to another user, or else the code of the error. */
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
