import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { KubepassError } from '../base/errors.ts'
import type { Options } from '../config/options.ts'
import type { Seal, SealedString } from '../redact/sealed-string.ts'
import { withRestoredAccess } from '../system/restore-access.ts'
import { stageReplacement } from '../system/files.ts'
import { cannotWrite, KUBECONFIG, TOKEN } from './private-directory.ts'

/** The longest name that Kubernetes gives to an object. */
const LONGEST_NAME = 253

/**
 * Writes the token and a kubeconfig for it into the private directory, in place of those that are there: a reader
 * finds the old or the new, and what cannot be written whole changes nothing.
 * Go clients re-read `tokenFile`; the others know only `token`. JSON is YAML.
 * @returns the kubeconfig's path
 */
export function writeKubeconfig(directory: string, options: Options, token: SealedString, uid: number): string {
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
    const written = [stageReplacement(path, `${JSON.stringify(kubeconfig, undefined, 2)}\n`), stageReplacement(tokenFile, token.reveal())]
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
export function readSavedToken(directory: string, uid: number, seal: Seal): SealedString | undefined {
  let file: number
  try {
    const path = join(directory, TOKEN)
    file = withRestoredAccess(path, () => openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK))
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
