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
 * Writes the token and a kubeconfig for it into the private directory, or replaces both. A reader gets the old file or the new one,
 * never a part. A failed write changes no file.
 * Go clients re-read `tokenFile`; other clients know only `token`. JSON is YAML.
 * @returns the kubeconfig's path
 */
export function writeKubeconfig(directory: string, options: Options, token: SealedString, uid: number): string {
  const about = lstatSync(directory, { throwIfNoEntry: false })
  if (about?.isDirectory() !== true || about.uid !== uid) {
    throw new KubepassError('INPUT', `The private directory ${directory} is missing, or belongs to another user.`, {
      hint: 'Does the scan remove or replace it? Set directory to another path.',
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
    // Both files are written before one is replaced. Go clients read the token file, which is replaced last.
    const written = [stageReplacement(path, `${JSON.stringify(kubeconfig, undefined, 2)}\n`), stageReplacement(tokenFile, token.reveal())]
    for (const replace of written) replace()
  } catch (cause) {
    throw cannotWrite(directory, cause)
  }
  return path
}

/**
 * The name of the context. Scanners print it as the account of every finding, so it must differ between clusters.
 * @returns the server's host, the port unless it is 443, and the path, because the URLs of Rancher's clusters differ only in it
 */
export function nameOfCluster(server: string): string {
  const { host, pathname } = new URL(server)
  return `${host}${pathname}`
    .replace(/\/+$/, '')
    .replaceAll(/[^A-Za-z0-9.:@_/[\]-]/g, '-')
    .slice(0, LONGEST_NAME)
}

/** The token that a run left in its directory; undefined if the file is missing, not a regular file of `uid`, or of unlikely size. */
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
