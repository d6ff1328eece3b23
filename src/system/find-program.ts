import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export function isProgram(name: string, path: string): boolean {
  return findProgram(name, path) !== undefined
}

/** @returns the path at which a shell with this PATH would find the program */
export function findProgram(name: string, path: string): string | undefined {
  const places = name.includes('/') ? [name] : path.split(delimiter).map((directory) => join(directory || '.', name))
  return places.find((place) => {
    try {
      accessSync(place, constants.X_OK)
      return statSync(place).isFile()
    } catch {
      return false
    }
  })
}

/** The folders of the programs that kubepass itself starts. It does not use PATH, because earlier steps of the job can set it. */
export const SYSTEM_PATH = '/usr/bin:/bin:/usr/sbin:/sbin'
