import { accessSync, constants, realpathSync, statSync } from 'node:fs'
import { delimiter, dirname, isAbsolute, relative, resolve } from 'node:path'
import { errnoOf } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { makeFolder, resolveRealPath } from '../system/files.ts'
import { InvalidValue } from './invalid-value.ts'
import type { InputSource } from './source.ts'

/** The value of `evidence` that means standard output. */
export const STANDARD_OUTPUT = '-'

export function parseEvidencePath(text: string, source: InputSource, purpose: 'start' | 'finish'): string {
  if (text === STANDARD_OUTPUT) {
    if (source.isCI) throw new InvalidValue("is -, but a job's standard output is its log: name a file")
    return text
  }
  return parseReportPath(text, source, purpose)
}

/** The path of a file that kubepass writes for people. The folder of the file is made. */
export function parseReportPath(text: string, source: InputSource, purpose: 'start' | 'finish'): string {
  if (text.includes('\0') || text.includes('\n')) throw new InvalidValue('holds a NUL or a line end')
  const file = resolve(source.workspace ?? '', text)
  if (purpose === 'finish') return resolveRealPathOr(file)
  try {
    if (text.endsWith('/') || statSync(file, { throwIfNoEntry: false })?.isDirectory() === true)
      throw new InvalidValue(`is ${quote(text)}, which names a folder`)
    makeFolder(dirname(file))
    accessSync(dirname(file), constants.W_OK)
    return resolveRealPath(file)
  } catch (error) {
    if (error instanceof InvalidValue) throw error
    throw new InvalidValue(`is ${quote(text)}, where no file can be written (${errnoOf(error)})`)
  }
}

function resolveRealPathOr(path: string): string {
  try {
    return resolveRealPath(path)
  } catch {
    return path
  }
}

/** Refuses a directory in the workspace, because files there end up in artifacts, caches and commits. */
export function parseDirectory(path: string, workspace: string | undefined): string {
  let real: string
  try {
    real = realpathSync(path)
    if (!statSync(real).isDirectory()) throw new InvalidValue(`is ${quote(path)}, which is no directory`)
    accessSync(real, constants.W_OK)
  } catch (error) {
    if (error instanceof InvalidValue) throw error
    throw new InvalidValue(`is ${quote(path)}, which cannot be used (${errnoOf(error)})`)
  }
  if (workspace !== undefined && isInside(real, realpathOr(workspace)))
    throw new InvalidValue(`is ${quote(path)}, which lies in the workspace`)
  if (real.includes(delimiter))
    throw new InvalidValue(`is ${quote(real)}, with a "${delimiter}": KUBECONFIG is a list, so that clients would look for two other files`)
  if (/\p{Cc}/u.test(real)) throw new InvalidValue(`is ${quote(real)}, with a control character`)
  return real
}

/** The folder of a run's private directory. The folder may no longer exist. */
export function baseDirectory(source: Pick<InputSource, 'input' | 'temp'>): string {
  const given = (source.input('directory') ?? '').trim()
  return realpathOr(given === '' ? source.temp : given)
}

export function realpathOr(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return resolve(path)
  }
}

export function isInside(path: string, parent: string): boolean {
  const rest = relative(parent, path)
  return rest !== '..' && !rest.startsWith('../') && !isAbsolute(rest)
}
