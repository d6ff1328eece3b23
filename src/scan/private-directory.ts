import { constants, fstatSync, lstatSync, mkdirSync, openSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { dirname, join } from 'node:path'
import { errnoOf, KubepassError } from '../base/errors.ts'
import { obstacleAt, withRestoredAccess, removeTree } from '../system/restore-access.ts'
import { writePrivate } from '../system/files.ts'

export const KUBECONFIG = 'kubeconfig'
export const TOKEN = 'token'
/** More than the token and the kubeconfig take without the CA's certificates. */
const RESERVED_BYTES = 64 * 1024

/**
 * Makes the private directory, empty and ours. Where its name can be foretold it may be there: from an attempt
 * of the same job that was killed, or from somebody else.
 * @param certificateAuthority a part of the later kubeconfig: the public CAs of a system take 300 kB
 * @returns a descriptor, which finds the directory after a move
 */
export function createPrivateDirectory(directory: string, uid: number, certificateAuthority = ''): number {
  try {
    removePrivateDirectory(directory, dirname(directory), uid)
    mkdirSync(directory, { mode: 0o700 })
  } catch (cause) {
    throw new KubepassError('INPUT', `The private directory ${directory} could not be made (${errnoOf(cause)}).`, {
      hint: 'Is it there already, and of another user, or is the disk full? Name a place of your own as directory.',
    })
  }
  const room = join(directory, 'room')
  try {
    // What could not be written once there is a token is found out before.
    writePrivate(room, Buffer.alloc(Math.max(RESERVED_BYTES, 2 * certificateAuthority.length)))
    rmSync(room)
    return openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  } catch (cause) {
    removePrivateDirectory(directory, dirname(directory), uid)
    throw cannotWrite(directory, cause)
  }
}

export function cannotWrite(directory: string, cause: unknown): KubepassError {
  return new KubepassError('INPUT', `In the private directory ${directory} nothing can be written (${errnoOf(cause)}).`, {
    hint: 'Is the disk full? Name another place as directory: /dev/shm lies in memory.',
  })
}

/**
 * Removes the directory and what is in it. A run state can be forged by the scan, so nothing but our own directories is removed.
 * @param keepToken leave the (revoked) token for a proof in the post step
 * @returns why it is still there; undefined when it is gone
 */
export function removePrivateDirectory(directory: string, expectedParent: string, uid: number, keepToken = false): string | undefined {
  try {
    // A forged run state must not change the modes of other folders.
    const isOurs = dirname(directory) === expectedParent
    const look = (): Stats | undefined => lstatSync(directory, { throwIfNoEntry: false })
    const about = isOurs ? withRestoredAccess(directory, look) : look()
    if (about === undefined) return undefined
    if (!isOurs) return `it does not lie in ${expectedParent}`
    if (!about.isDirectory()) return 'something else was put in its place'
    if (about.uid !== uid) return `it belongs to another user (uid ${about.uid})`
    const leaving = keepToken ? withRestoredAccess(directory, () => readdirSync(directory)).filter((name) => name !== TOKEN) : ['']
    for (const name of leaving) removeTree(join(directory, name))
    return undefined
  } catch (error) {
    return obstacleAt(directory, error, uid)
  }
}

/**
 * The present path of the private directory; undefined if somebody removed it.
 * @param made what makeDirectory gave
 */
export function currentPath(directory: string, made: number): string | undefined {
  if (fstatSync(made).nlink === 0) return undefined
  const now = lstatSync(directory, { throwIfNoEntry: false })
  if (now !== undefined && isSame(now, made)) return directory
  return readlinkSync(`/proc/self/fd/${made}`)
}

/** @returns why it is still there; undefined when it is gone */
export function removeMovedDirectory(place: string, made: number, uid: number): string | undefined {
  try {
    // The scan can move the directory again between two calls. Only the directory that we made is removed.
    if (!isSame(lstatSync(place), made)) return 'it was moved again'
    removeTree(place)
    return undefined
  } catch (error) {
    return obstacleAt(place, error, uid)
  }
}

function isSame({ dev, ino }: { dev: number; ino: number }, made: number): boolean {
  const about = fstatSync(made)
  return about.dev === dev && about.ino === ino
}
