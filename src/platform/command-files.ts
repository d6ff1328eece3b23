import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { errnoOf } from '../base/errors.ts'
import { obstacleAt, removeTree, restoreAccess } from '../system/restore-access.ts'
import { appendAtomically, makeFolder, overwrite, writePrivate } from '../system/files.ts'

export interface TamperReport {
  /** The names of the files that somebody else has changed. */
  changed: string[]
  /** The names of those that cannot be put back, or even looked at; and why. */
  left: string[]
  why?: string[]
  /** What had a mode by which its owner could not use it, and has it no more. */
  closed?: string[]
}

/**
 * The files by which a step speaks to its runner. The scan is not told where they are, and can find out. What it writes
 * there would count as ours: variables of later steps, outputs, the state of the post step.
 */
export class CommandFiles {
  readonly #paths: ReadonlyMap<string, string>
  /** While a scan may run, what each must hold; undefined where no file was. */
  readonly #kept = new Map<string, Buffer | undefined>()
  /** And the folders where they lie, unless these are links. */
  readonly #folders = new Set<string>()
  /** The paths that the scan closed and an append opened again, with their modes. */
  readonly #closed: string[] = []

  /** @param names the variables that hold their paths */
  constructor(env: NodeJS.ProcessEnv, names: readonly string[]) {
    this.#paths = new Map(names.map((name): [string, string] => [name, env[name] ?? '']).filter(([, path]) => path !== ''))
  }

  /** @param given those that the scan is meant to write to */
  guard(given: readonly string[]): void {
    for (const [name, path] of this.#paths) {
      if (given.includes(name)) continue
      try {
        this.#kept.set(name, contentOf(path))
        if (isFolder(dirname(path))) this.#folders.add(dirname(path))
      } catch {
        // What was no file before has nothing that could be put back.
      }
    }
  }

  append(name: string, text: string): void {
    const path = this.#paths.get(name)
    if (path === undefined) throw Object.assign(new Error(`${name} is not set`), { code: 'ENOENT' })
    appendAtomically(path, text, (closed) => {
      // Before the scan it was somebody else.
      if (this.#kept.size > 0) this.#closed.push(...closed)
    })
    if (this.#kept.has(name)) this.#kept.set(name, Buffer.concat([this.#kept.get(name) ?? Buffer.alloc(0), Buffer.from(text)]))
  }

  /** Makes them what they were, but for what we have written since. For when nothing of the scan is left. */
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

  /** Whoever changes what is there now could change it later, too. */
  #isBehindLink(path: string): boolean {
    return this.#folders.has(dirname(path)) && lstatSync(dirname(path), { throwIfNoEntry: false })?.isSymbolicLink() === true
  }

  /** A new file, as the runner made the old one: the other may have a second name elsewhere. */
  #putBack(path: string, kept: Buffer | undefined): void {
    try {
      if (this.#isBehindLink(path)) removeTree(dirname(path))
      removeTree(path)
      if (kept === undefined) return
      makeFolder(dirname(path))
      writePrivate(path, kept, 0o644)
    } catch (error) {
      // Where the folder is not ours, its file can be.
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
  // An empty file says nothing, whoever made it.
  if (kept === undefined) return about.isFile() && about.size === 0
  return about.isFile() && about.size === kept.length && contentOf(path)?.equals(kept) === true
}

/**
 * @returns undefined when nothing is there
 * @throws when what is there is no file, or cannot be read
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
