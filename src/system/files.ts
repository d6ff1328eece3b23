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

/** Creates the file for its owner alone, from the first byte; never through a link, never over another file, never half of it. */
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
 * Writes a private file beside the one that it is to replace, in place of what was left there.
 * @returns what replaces it
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
 * Appends all or nothing; not to what a link points to, and to nobody at the other end of a pipe.
 * @param tell gets what was closed and is open now
 */
export function appendAtomically(path: string, text: string, tell?: (closed: string[]) => void): void {
  // A pipe that nobody reads is refused, where its opening would wait for ever.
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
 * Puts a file in the place of what is there, all of it at once: what a link points to is left alone. Another process may do
 * the same at the same time.
 * @param path as `settled` gives it: should its folder be another one by now, nothing is written
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

/** The path without a link on its way, as they are now. Its last part need not be there. */
export function resolveRealPath(path: string): string {
  return existsSync(path) ? realpathSync(path) : join(realpathSync(dirname(path)), basename(path))
}

/** Replaces the content of a file, but not through a link. The folder may belong to another user. */
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

/** On a full disk a write may take some of it, and say so. */
function writeAll(file: number, content: string | Buffer): void {
  const bytes = Buffer.from(content)
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at)
}
