import { constants, fstatSync, lstatSync, mkdirSync, openSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { dirname, join } from 'node:path'
import { errnoOf, KubepassError } from '../base/errors.ts'
import { obstacleAt, withRestoredAccess, removeTree } from '../system/restore-access.ts'
import { writePrivate } from '../system/files.ts'

export const KUBECONFIG = 'kubeconfig'
export const TOKEN = 'token'
/** More than the size of the token and of the kubeconfig without the CA's certificates. */
const RESERVED_BYTES = 64 * 1024

/**
 * Makes the private directory, empty and owned by this user. If its name is predictable, it may exist already: left by a killed
 * attempt of the same job, or made by another user.
 * @param certificateAuthority a part of the later kubeconfig: the public CAs of a system take 300 kB
 * @returns a descriptor, by which kubepass finds the directory after a move
 */
export function createPrivateDirectory(directory: string, uid: number, certificateAuthority = ''): number {
  try {
    removePrivateDirectory(directory, dirname(directory), uid)
    mkdirSync(directory, { mode: 0o700 })
  } catch (cause) {
    throw new KubepassError('INPUT', `The private directory ${directory} could not be made (${errnoOf(cause)}).`, {
      hint: 'Does it exist and belong to another user, or is the disk full? Set directory to a path that is yours.',
    })
  }
  const room = join(directory, 'room')
  try {
    // A full disk must stop the run before there is a token, not after.
    writePrivate(room, Buffer.alloc(Math.max(RESERVED_BYTES, 2 * certificateAuthority.length)))
    rmSync(room)
    return openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  } catch (cause) {
    removePrivateDirectory(directory, dirname(directory), uid)
    throw cannotWrite(directory, cause)
  }
}

export function cannotWrite(directory: string, cause: unknown): KubepassError {
  return new KubepassError('INPUT', `kubepass cannot write into the private directory ${directory} (${errnoOf(cause)}).`, {
    hint: 'Is the disk full? Set directory to another path, for example below /dev/shm, which is in memory.',
  })
}

/**
 * Removes the directory with its content. The scan can forge a run state, so only a directory of this user in the expected place
 * is removed.
 * @param keepToken keeps the file with the (revoked) token, for a proof in the post step
 * @returns why the directory still exists; undefined on success
 */
export function removePrivateDirectory(directory: string, expectedParent: string, uid: number, keepToken = false): string | undefined {
  try {
    // A forged run state must not make kubepass change the modes of other folders.
    const isOurs = dirname(directory) === expectedParent
    const look = (): Stats | undefined => lstatSync(directory, { throwIfNoEntry: false })
    const about = isOurs ? withRestoredAccess(directory, look) : look()
    if (about === undefined) return undefined
    if (!isOurs) return `it is not in ${expectedParent}`
    if (!about.isDirectory()) return 'another file is in its place'
    if (about.uid !== uid) return `it belongs to another user (uid ${about.uid})`
    const entries = keepToken ? withRestoredAccess(directory, () => readdirSync(directory)).filter((name) => name !== TOKEN) : ['']
    for (const name of entries) removeTree(join(directory, name))
    return undefined
  } catch (error) {
    return obstacleAt(directory, error, uid)
  }
}

/**
 * The present path of the private directory; undefined if it was removed.
 * @param made the descriptor from createPrivateDirectory()
 */
export function currentPath(directory: string, made: number): string | undefined {
  if (fstatSync(made).nlink === 0) return undefined
  const now = lstatSync(directory, { throwIfNoEntry: false })
  if (now !== undefined && isSame(now, made)) return directory
  return readlinkSync(`/proc/self/fd/${made}`)
}

/** @returns why the directory still exists; undefined on success */
export function removeMovedDirectory(place: string, made: number, uid: number): string | undefined {
  try {
    // The scan can move the directory again between two calls. Only the directory that kubepass made may be removed.
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
