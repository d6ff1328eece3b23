import { isAbsolute, resolve } from 'node:path'
import { damageOfKubeconfig } from '../damage.ts'
import { KubepassError } from '../errors.ts'
import { findProgram, type ClusterAccess, type KubeconfigInput } from '../options.ts'
import { quote } from '../quote.ts'
import type { Secret } from '../secret.ts'
import {
  checkKeyPair,
  isNoPath,
  parseCertificate,
  parseProxy,
  parseServer,
  parseServerName,
  readSmallFile,
  sealKey,
  sealToken,
  Wrong,
} from '../values.ts'
import type { Surroundings } from './choose.ts'
import { execInfo, runExecPlugin, sealSecrets, type ExecCredential } from './exec-plugin.ts'
import type { AuthInfo, Identity } from './identity.ts'
import type { Exec, Kubeconfig, TextOrFile } from './read-kubeconfig.ts'

/** A credential of an exec plugin is used until it has less than this left. */
const FRESH_MS = 60_000

/** The user and the cluster of one context of a kubeconfig. */
export async function kubeconfigIdentity(input: KubeconfigInput, surroundings: Surroundings): Promise<Identity> {
  const { nameOf, seal } = surroundings
  const refuse = (why: string, hint?: string): KubepassError => new KubepassError('INPUT', `${nameOf('kubeconfig')} ${why}.`, { hint })
  const checked = <T>(what: string, read: () => T): T => {
    try {
      return read()
    } catch (error) {
      throw error instanceof Wrong ? refuse(`has ${what}, which ${error.message}`) : error
    }
  }
  // It brings client-node and a YAML parser with it.
  const { readKubeconfig } = await import('./read-kubeconfig.ts')
  const found = readKubeconfig(input.text(), input.context, {
    token: (text) => checked('a token', () => sealToken(text, seal)),
    key: (text) => checked('client-key-data', () => sealKey(text, seal)),
  })
  const damage = 'refused' in found ? damageOfKubeconfig(input.text()) : undefined
  if ('refused' in found) throw damage === undefined ? refuse(found.refused, found.hint) : refuse(damage)
  const cluster: ClusterAccess = {
    server: checked('a server', () => parseServer(found.server)),
    certificateAuthority: certificateIn('certificate-authority', found.certificateAuthority),
    proxyUrl: found.proxyUrl ? checked('a proxy-url', () => parseProxy(found.proxyUrl ?? '')) : undefined,
    tlsServerName: found.tlsServerName ? checked('a tls-server-name', () => parseServerName(found.tlsServerName ?? '')) : undefined,
  }
  return { kind: 'kubeconfig', cluster, authInfo: authInfoOf(found.user) }

  function authInfoOf(user: Kubeconfig['user']): Identity['authInfo'] {
    if (user.by === 'exec') return ofPlugin(user.exec)
    if (user.by === 'token file') {
      const path = pathOf('tokenFile', user.file)
      // Read again for each use: somebody may renew it.
      const read = (): Secret => checked('a tokenFile', () => sealToken(readSmallFile(path), seal))
      read()
      return () => Promise.try(() => ({ bearer: read() }))
    }
    const authInfo = user.by === 'token' ? { bearer: user.token } : certificateOf(user)
    return () => Promise.resolve(authInfo)
  }

  function certificateOf(user: Extract<Kubeconfig['user'], { by: 'certificate' }>): AuthInfo {
    const { key } = user
    const certificate = certificateIn('client-certificate', user.certificate)
    const sealed = 'secret' in key ? key.secret : keyIn(pathOf('client-key', key.file))
    return checked('a client-certificate', () => checkKeyPair({ certificate, key: sealed }))
  }

  function keyIn(path: string): Secret {
    return checked('a client-key', () => sealKey(readSmallFile(path), seal))
  }

  function certificateIn(field: string, from: TextOrFile): string {
    return 'text' in from
      ? checked(`${field}-data`, () => parseCertificate(from.text))
      : checked(`a ${field}`, () => parseCertificate(readSmallFile(pathOf(field, from.file))))
  }

  /** Who writes a kubeconfig with a file in it has that file read, and sent to a server of his choice. */
  function pathOf(field: string, file: string): string {
    if (isNoPath(file, 'folder' in input.files ? input.files.folder : '')) throw refuse(`has ${field}, but not as the path of a file`)
    if ('folder' in input.files) return resolve(input.files.folder, file)
    throw refuse(
      `names a file (${field}: ${quote(file)}), but ${input.files.refused}: who writes it could have any file read and sent away`,
      'Put in the value itself, as kubectl config view --raw --flatten does, or give the path of a kubeconfig outside of the workspace.',
    )
  }

  function ofPlugin(exec: Exec): Identity['authInfo'] {
    if (!input.allowExec) {
      throw refuse(
        `names a program to run (exec: ${quote(exec.command)})`,
        `Set ${nameOf('allow_exec')} to true if nobody else can write this kubeconfig.`,
      )
    }
    const plugin = { ...exec, command: commandOf(exec.command) }
    sealSecrets(exec, seal)
    const own = Object.fromEntries(exec.env.map(({ name, value }) => [name, value]))
    const env = { ...surroundings.env, ...own, KUBERNETES_EXEC_INFO: execInfo(exec, cluster) }
    let current: ExecCredential | undefined
    return async (signal) => {
      if (current?.expiresAt === undefined || current.expiresAt - Date.now() < FRESH_MS)
        current = await runExecPlugin(plugin, env, seal, signal)
      return current.authInfo
    }
  }

  function commandOf(command: string): string {
    if (isAbsolute(command)) return command
    // As the Go clients have it: with a slash it is a path beside the kubeconfig.
    const path = command.includes('/') ? pathOf('exec.command', command) : command
    if (!surroundings.hasPost) return path
    const program = findProgram(path, surroundings.path)
    throw refuse(
      `names the program ${quote(command)} without its whole path: it is run again when the job ends, and PATH may lead elsewhere by then`,
      program === undefined ? 'It is not on PATH now.' : `Write command: ${program}`,
    )
  }
}
