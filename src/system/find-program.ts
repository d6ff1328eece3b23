import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export function isProgram(name: string, path: string): boolean {
  return findProgram(name, path) !== undefined
}

/** @returns where a shell with this PATH would find it */
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

/** Where the programs are that kubepass starts itself: not PATH, which earlier steps of the job set. */
export const SYSTEM_PATH = '/usr/bin:/bin:/usr/sbin:/sbin'
