import { closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { dirname, join } from 'node:path'
import { obstacleAt, regained, removeTree } from './access.ts'
import { errnoOf, KubepassError } from './errors.ts'
import type { Options } from './options.ts'
import type { Seal, Secret } from './secret.ts'
import { writeNext, writePrivate } from './write.ts'

const KUBECONFIG = 'kubeconfig'
const TOKEN = 'token'
/** The longest name that Kubernetes gives to an object. */
const LONGEST_NAME = 253
/** More than the token and the kubeconfig take without the CA's certificates. */
const ROOM_BYTES = 64 * 1024

/**
 * Makes the private directory, empty and ours. Where its name can be foretold it may be there: from an attempt
 * of the same job that was killed, or from somebody else.
 * @param certificateAuthority a part of the later kubeconfig: the public CAs of a system take 300 kB
 * @returns a descriptor, which finds the directory after a move
 */
export function makeDirectory(directory: string, uid: number, certificateAuthority = ''): number {
  try {
    removeKubeconfig(directory, dirname(directory), uid)
    mkdirSync(directory, { mode: 0o700 })
  } catch (cause) {
    throw new KubepassError('INPUT', `The private directory ${directory} could not be made (${errnoOf(cause)}).`, {
      hint: 'Is it there already, and of another user, or is the disk full? Name a place of your own as directory.',
    })
  }
  const room = join(directory, 'room')
  try {
    // What could not be written once there is a token is found out before.
    writePrivate(room, Buffer.alloc(Math.max(ROOM_BYTES, 2 * certificateAuthority.length)))
    rmSync(room)
    return openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  } catch (cause) {
    removeKubeconfig(directory, dirname(directory), uid)
    throw cannotWrite(directory, cause)
  }
}

function cannotWrite(directory: string, cause: unknown): KubepassError {
  return new KubepassError('INPUT', `In the private directory ${directory} nothing can be written (${errnoOf(cause)}).`, {
    hint: 'Is the disk full? Name another place as directory: /dev/shm lies in memory.',
  })
}

/**
 * Writes the token and a kubeconfig for it into the private directory, in place of those that are there: a reader
 * finds the old or the new, and what cannot be written whole changes nothing.
 * Go clients re-read `tokenFile`; the others know only `token`. JSON is YAML.
 * @returns the kubeconfig's path
 */
export function writeKubeconfig(directory: string, options: Options, token: Secret, uid: number): string {
  const about = lstatSync(directory, { throwIfNoEntry: false })
  if (about?.isDirectory() !== true || about.uid !== uid) {
    throw new KubepassError('INPUT', `The private directory ${directory} is not there any more, or not ours.`, {
      hint: 'Does the scan remove or replace it? Name another place as directory.',
    })
  }
  const tokenFile = join(directory, TOKEN)
  const name = options.contextName ?? nameOfCluster(options.server)
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name,
        cluster: {
          server: options.server,
          'certificate-authority-data': Buffer.from(options.certificateAuthority).toString('base64'),
          ...(options.proxyUrl && { 'proxy-url': options.proxyUrl.href.replace(/\/$/, '') }),
          ...(options.tlsServerName && { 'tls-server-name': options.tlsServerName }),
        },
      },
    ],
    users: [{ name, user: { token: token.reveal(), tokenFile } }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: options.namespace } }],
    'current-context': name,
  }
  const path = join(directory, KUBECONFIG)
  try {
    // Go clients read the token's file: what has failed before that is in place has changed nothing for them.
    const written = [writeNext(path, `${JSON.stringify(kubeconfig, undefined, 2)}\n`), writeNext(tokenFile, token.reveal())]
    for (const replace of written) replace()
  } catch (cause) {
    throw cannotWrite(directory, cause)
  }
  return path
}

/**
 * Scanners print the context's name as the account of every finding: it tells one cluster from another.
 * @returns the server's host, the port unless it is that of https, and the path, which is all that Rancher's clusters differ in
 */
export function nameOfCluster(server: string): string {
  const { host, pathname } = new URL(server)
  return `${host}${pathname}`
    .replace(/\/+$/, '')
    .replaceAll(/[^A-Za-z0-9.:@_/[\]-]/g, '-')
    .slice(0, LONGEST_NAME)
}

/** The token that a run left in its directory; undefined when there is none that is surely ours. */
export function readLeftToken(directory: string, uid: number, seal: Seal): Secret | undefined {
  let file: number
  try {
    const path = join(directory, TOKEN)
    file = regained(path, () => openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK))
  } catch {
    return undefined
  }
  try {
    const about = fstatSync(file)
    if (!about.isFile() || about.uid !== uid || about.size < 16 || about.size > 64 * 1024) return undefined
    return seal(readFileSync(file, 'utf8'))
  } finally {
    closeSync(file)
  }
}

/**
 * Removes the directory and what is in it. A receipt can be forged by the scan, so nothing but our own directories is removed.
 * @param keepToken leave the (revoked) token for a proof in the post step
 * @returns why it is still there; undefined when it is gone
 */
export function removeKubeconfig(directory: string, expectedParent: string, uid: number, keepToken = false): string | undefined {
  try {
    // A forged receipt must not change the modes of other folders.
    const isOurs = dirname(directory) === expectedParent
    const look = (): Stats | undefined => lstatSync(directory, { throwIfNoEntry: false })
    const about = isOurs ? regained(directory, look) : look()
    if (about === undefined) return undefined
    if (!isOurs) return `it does not lie in ${expectedParent}`
    if (!about.isDirectory()) return 'something else was put in its place'
    if (about.uid !== uid) return `it belongs to another user (uid ${about.uid})`
    const leaving = keepToken ? regained(directory, () => readdirSync(directory)).filter((name) => name !== TOKEN) : ['']
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
export function placeOf(directory: string, made: number): string | undefined {
  if (fstatSync(made).nlink === 0) return undefined
  const now = lstatSync(directory, { throwIfNoEntry: false })
  if (now !== undefined && isSame(now, made)) return directory
  return readlinkSync(`/proc/self/fd/${made}`)
}

/** @returns why it is still there; undefined when it is gone */
export function removeMoved(place: string, made: number, uid: number): string | undefined {
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
