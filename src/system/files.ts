import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { withRestoredAccess } from './restore-access.ts'

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants

/**
 * Creates a file that only its owner can read, from the first byte on. It follows no link and replaces no file. If a write fails,
 * it removes the file.
 */
export function writePrivate(path: string, content: string | Buffer, mode = 0o600): void {
  const file = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode)
  try {
    writeAll(file, content)
  } catch (error) {
    rmSync(path)
    throw error
  } finally {
    closeSync(file)
  }
}

/**
 * Writes a private file beside the file that it will replace. It removes what an earlier call left there.
 * @returns the function that does the replacement
 */
export function stageReplacement(path: string, text: string, next = stagingPath(path), mode?: number): () => void {
  withRestoredAccess(next, () => {
    rmSync(next, { recursive: true, force: true })
    writePrivate(next, text, mode)
  })
  return () => {
    try {
      withRestoredAccess(path, () => renameSync(next, path))
    } catch (error) {
      rmSync(next, { force: true })
      throw error
    }
  }
}

export function stagingPath(path: string): string {
  return `${path}.next`
}

/**
 * Appends the whole text or nothing. It follows no link and writes to no pipe.
 * @param tell gets each file or folder whose access was restored
 */
export function appendAtomically(path: string, text: string, tell?: (closed: string[]) => void): void {
  // With O_NONBLOCK the opening of a pipe without a reader fails; without it, it would block for ever.
  const file = withRestoredAccess(path, () => openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o644), tell)
  try {
    const about = fstatSync(file)
    if (!about.isFile()) throw Object.assign(new Error('it is no file'), { code: 'ENOTSUP' })
    try {
      writeAll(file, text)
    } catch (error) {
      ftruncateSync(file, about.size)
      throw error
    }
  } finally {
    closeSync(file)
  }
}

/**
 * Replaces a file atomically. If the path is a link, it replaces the link, not the target. Another process may replace the same
 * file at the same time.
 * @param path a path from resolveRealPath(); if its folder has become a link since then, nothing is written
 */
export function replaceFile(path: string, text: string): void {
  const folder = dirname(path)
  if (withRestoredAccess(path, () => realpathSync(folder)) !== folder)
    throw Object.assign(new Error('its folder is behind a link'), { code: 'ELOOP' })
  stageReplacement(path, text, join(folder, `.${basename(path).slice(0, 200)}.${randomBytes(6).toString('hex')}`), 0o644)()
}

/** Makes a folder and its missing parents. The recursive mkdir of Node.js never returns below /proc. */
export function makeFolder(path: string): void {
  const isThere = (): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
  if (isThere()) return
  makeFolder(dirname(path))
  try {
    mkdirSync(path)
  } catch (error) {
    // Another process may make it at the same time.
    if (!isThere()) throw error
  }
}

/** Resolves all links in a path. Its last part need not exist. */
export function resolveRealPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : join(realpathSync(dirname(path)), basename(path))
}

/** Replaces the content of a file in place, because its folder may belong to another user. It follows no link. */
export function overwrite(path: string, content: Buffer): void {
  const file = openSync(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK)
  try {
    if (!fstatSync(file).isFile()) throw Object.assign(new Error('it is no file'), { code: 'ENOTSUP' })
    ftruncateSync(file)
    writeAll(file, content)
  } finally {
    closeSync(file)
  }
}

/** Writes in a loop, because on a nearly full disk one call may write only a part of the bytes. */
function writeAll(file: number, content: string | Buffer): void {
  const bytes = Buffer.from(content)
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
}
