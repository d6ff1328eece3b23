import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { errnoOf } from '../base/errors.ts'
import { obstacleAt, removeTree, restoreAccess } from '../system/restore-access.ts'
import { appendAtomically, makeFolder, overwrite, writePrivate } from '../system/files.ts'

export interface TamperReport {
  /** The variables of the command files that another process than kubepass changed. */
  changed: string[]
  /** The variables of the command files that kubepass could not restore or read. */
  left: string[]
  /** The reason for each entry of `left`. */
  why?: string[]
  /** The paths whose mode kept their owner out, with that mode. kubepass has restored the access. */
  closed?: string[]
}

/**
 * The files through which a step sends commands to its runner. The scan does not get their paths, but can find them. The runner
 * would take the scan's lines for those of kubepass: variables of later steps, outputs, the state for the post step.
 */
export class CommandFiles {
  readonly #paths: ReadonlyMap<string, string>
  /** While a scan may run: the expected content of each file; undefined if there was no file. */
  readonly #kept = new Map<string, Buffer | undefined>()
  /** The folders of these files, except symbolic links. */
  readonly #folders = new Set<string>()
  /** The paths whose access the scan removed and append() restored, with their modes. */
  readonly #closed: string[] = []

  /** @param names the variables that hold the paths of the files */
  constructor(env: NodeJS.ProcessEnv, names: readonly string[]) {
    this.#paths = new Map(names.map((name): [string, string] => [name, env[name] ?? '']).filter(([, path]) => path !== ''))
  }

  /** @param given the variables of the files that the scan may write to */
  guard(given: readonly string[]): void {
    for (const [name, path] of this.#paths) {
      if (given.includes(name)) continue
      try {
        this.#kept.set(name, contentOf(path))
        if (isFolder(dirname(path))) this.#folders.add(dirname(path))
      } catch {
        // A path that is not a readable file has no content that restore() could write.
      }
    }
  }

  append(name: string, text: string): void {
    const path = this.#paths.get(name)
    if (path === undefined) throw Object.assign(new Error(`${name} is not set`), { code: 'ENOENT' })
    appendAtomically(path, text, (closed) => {
      // A mode that was changed before guard() was not changed by the scan.
      if (this.#kept.size > 0) this.#closed.push(...closed)
    })
    if (this.#kept.has(name)) this.#kept.set(name, Buffer.concat([this.#kept.get(name) ?? Buffer.alloc(0), Buffer.from(text)]))
  }

  /** Restores the files, with what append() has added since guard(). Call it when no process of the scan is left. */
  restore(uid: number): TamperReport {
    const tampered: TamperReport = { changed: [], left: [] }
    const why: string[] = []
    const closed = this.#closed.splice(0)
    for (const [name, kept] of this.#kept) {
      const path = this.#paths.get(name) ?? ''
      closed.push(...restoreAccess(path))
      try {
        if (!this.#isBehindLink(path) && isAsKept(path, kept)) continue
        tampered.changed.push(name)
        this.#putBack(path, kept)
      } catch (error) {
        tampered.left.push(name)
        why.push(obstacleAt(path, error, uid))
      }
    }
    this.#kept.clear()
    this.#folders.clear()
    return { ...tampered, ...(why.length > 0 && { why }), ...(closed.length > 0 && { closed }) }
  }

  /** If the scan replaced the file's folder by a link, it could change a file behind the link later, too. */
  #isBehindLink(path: string): boolean {
    return this.#folders.has(dirname(path)) && lstatSync(dirname(path), { throwIfNoEntry: false })?.isSymbolicLink() === true
  }

  /** Writes a new file with the mode that the runner gave the old one. The old file may have a second hard link. */
  #putBack(path: string, kept: Buffer | undefined): void {
    try {
      if (this.#isBehindLink(path)) removeTree(dirname(path))
      removeTree(path)
      if (kept === undefined) return
      makeFolder(dirname(path))
      writePrivate(path, kept, 0o644)
    } catch (error) {
      // In a folder of another user kubepass cannot replace the file, but it can overwrite a file of its own.
      if (errnoOf(error) !== 'EACCES') throw error
      overwrite(path, kept ?? Buffer.alloc(0))
    }
  }
}

function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

function isAsKept(path: string, kept: Buffer | undefined): boolean {
  const about = lstatSync(path, { throwIfNoEntry: false })
  if (about === undefined) return kept === undefined
  // An empty file holds no command, so it does not matter which process made it.
  if (kept === undefined) return about.isFile() && about.size === 0
  return about.isFile() && about.size === kept.length && contentOf(path)?.equals(kept) === true
}

/**
 * @returns undefined when the path does not exist
 * @throws when the path is not a regular file, or cannot be read
 */
function contentOf(path: string): Buffer | undefined {
  let file: number
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    if (!fstatSync(file).isFile()) throw new Error('it is no file')
    return readFileSync(file)
  } finally {
    closeSync(file)
  }
}
