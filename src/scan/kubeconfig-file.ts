import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { KubepassError } from '../base/errors.ts'
import type { ClusterAccess } from '../config/cluster-access.ts'
import type { Options } from '../config/options.ts'
import type { Seal, SealedString } from '../redact/sealed-string.ts'
import { withRestoredAccess } from '../system/restore-access.ts'
import { stageReplacement } from '../system/files.ts'
import { cannotWrite, KUBECONFIG, TOKEN } from './private-directory.ts'

/** The longest name that Kubernetes gives to an object. */
const LONGEST_NAME = 253

/** The server that a kubeconfig names, and the bearer for that server. */
export interface KubeconfigContent extends ClusterAccess {
  /** The name of cluster, user and context. */
  readonly name: string
  readonly namespace: string
  readonly bearer: SealedString
  /** Whether the bearer is also in a file. Go clients re-read it; other clients know only the kubeconfig. */
  readonly hasTokenFile: boolean
}

/** For a scan that holds the token. */
export function directAccess(options: Options, token: SealedString): KubeconfigContent {
  const { server, certificateAuthority, proxyUrl, tlsServerName } = options
  return { ...namesOf(options), server, certificateAuthority, proxyUrl, tlsServerName, bearer: token, hasTokenFile: true }
}

/** For a scan that reaches the API server through the API proxy. The names are still those of the API server. */
export function proxiedAccess(options: Options, proxy: { url: string; certificate: string; credential: SealedString }): KubeconfigContent {
  const { url: server, certificate: certificateAuthority, credential: bearer } = proxy
  return { ...namesOf(options), server, certificateAuthority, proxyUrl: undefined, tlsServerName: undefined, bearer, hasTokenFile: false }
}

function namesOf({ contextName, namespace, server }: Options): Pick<KubeconfigContent, 'name' | 'namespace'> {
  return { name: contextName ?? nameOfCluster(server), namespace }
}

/**
 * Writes a kubeconfig into the private directory, and the token if it is to be in a file, or replaces both. A reader gets the old file or
 * the new one, never a part. A failed write changes no file. JSON is YAML.
 * @returns the kubeconfig's path
 */
export function writeKubeconfig(directory: string, content: KubeconfigContent, uid: number): string {
  const about = lstatSync(directory, { throwIfNoEntry: false })
  if (about?.isDirectory() !== true || about.uid !== uid) {
    throw new KubepassError('INPUT', `The private directory ${directory} is missing, or belongs to another user.`, {
      hint: 'Does the scan remove or replace it? Set directory to another path.',
    })
  }
  const tokenFile = tokenFileIn(directory)
  const { name, namespace, server, certificateAuthority, proxyUrl, tlsServerName, bearer, hasTokenFile } = content
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name,
        cluster: {
          server,
          'certificate-authority-data': Buffer.from(certificateAuthority).toString('base64'),
          ...(proxyUrl && { 'proxy-url': proxyUrl.href.replace(/\/$/, '') }),
          ...(tlsServerName && { 'tls-server-name': tlsServerName }),
        },
      },
    ],
    users: [{ name, user: { token: bearer.reveal(), ...(hasTokenFile && { tokenFile }) } }],
    contexts: [{ name, context: { cluster: name, user: name, namespace } }],
    'current-context': name,
  }
  const path = join(directory, KUBECONFIG)
  try {
    // Both files are written before one is replaced. Go clients read the token file, which is replaced last.
    const written = [stageReplacement(path, `${JSON.stringify(kubeconfig, undefined, 2)}\n`)]
    if (hasTokenFile) written.push(stageReplacement(tokenFile, bearer.reveal()))
    for (const replace of written) replace()
  } catch (cause) {
    throw cannotWrite(directory, cause)
  }
  return path
}

export function tokenFileIn(directory: string): string {
  return join(directory, TOKEN)
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
