import { readFileSync, statSync } from 'node:fs'
import { errnoOf } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { InvalidValue } from './invalid-value.ts'

/** Every file that kubepass needs is smaller. */
export const LARGEST_FILE = 1024 * 1024

export function readSmallFile(path: string, largest = LARGEST_FILE): string {
  try {
    const about = statSync(path)
    if (about.isFIFO()) throw new InvalidValue(`names ${quote(path)}, a pipe, which can be read only once: give a file`)
    if (!about.isFile()) throw new InvalidValue(`names ${quote(path)}, which is no file`)
    if (about.size > largest) throw new InvalidValue(`names ${quote(path)}, which is over ${largest / LARGEST_FILE} MiB`)
    return textIn(readFileSync(path))
  } catch (error) {
    if (error instanceof InvalidValue) throw error
    throw new InvalidValue(`names ${quote(path, 120)}, which cannot be read (${errnoOf(error)})`)
  }
}

/** Decodes a file. A byte order mark selects UTF-16, because Windows PowerShell writes it. */
export function textIn(bytes: Buffer): string {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8'
  return new TextDecoder(encoding).decode(bytes)
}
