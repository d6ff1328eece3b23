import { isAbsolute, resolve } from 'node:path'
import { KubepassError } from '../base/errors.ts'
import { escapeText, quote } from '../base/quote.ts'
import { parseCertificate } from '../config/certificates.ts'
import type { ClusterAccess, KubeconfigInput } from '../config/cluster-access.ts'
import { damageOfKubeconfig } from '../config/damage.ts'
import { explainInvalid } from '../config/invalid-value.ts'
import { parseProxy, parseServer, parseServerName } from '../config/parsers.ts'
import { isNoPath } from '../config/path-or-content.ts'
import { checkKeyPair, sealKey, sealToken } from '../config/seal-credentials.ts'
import { readSmallFile } from '../config/small-file.ts'
import type { SealedString } from '../redact/sealed-string.ts'
import { findProgram } from '../system/find-program.ts'
import { type ExecCredential, execInfo, runExecPlugin, sealSecrets } from './exec-plugin.ts'
import type { AuthInfo, Identity, IdentityContext } from './identity.ts'
import type { Exec, Kubeconfig, TextOrFile } from './read-kubeconfig.ts'

/** When less than this is left of an exec plugin's credential, kubepass runs the plugin again. */
const FRESH_MS = 60_000

/** The user and the cluster of one context of a kubeconfig. */
export async function kubeconfigIdentity(input: KubeconfigInput, context: IdentityContext): Promise<Identity> {
  const { nameOf, seal } = context
  const refuse = (why: string, hint?: string): KubepassError => new KubepassError('INPUT', `${nameOf('kubeconfig')} ${why}.`, { hint })
  const checked = <T>(field: string, read: () => T): T =>
    explainInvalid(read, (fault) => refuse(`has ${field}, which ${fault}`, hintFor(field)))
  // Imported only here, because it brings client-node and a YAML parser.
  const { readKubeconfig } = await import('./read-kubeconfig.ts')
  const parsed = readKubeconfig(input.text(), input.context, {
    token: (text) => checked('a token', () => sealToken(text, seal)),
    key: (text) => checked('client-key-data', () => sealKey(text, seal)),
  })
  const damage = 'refused' in parsed ? damageOfKubeconfig(input.text()) : undefined
  if ('refused' in parsed) throw damage === undefined ? refuse(parsed.refused, parsed.hint) : refuse(damage)
  const cluster: ClusterAccess = {
    server: checked('a server', () => parseServer(parsed.server)),
    certificateAuthority: trustedBy(parsed.certificateAuthority),
    proxyUrl: parsed.proxyUrl ? checked('a proxy-url', () => parseProxy(parsed.proxyUrl ?? '')) : undefined,
    tlsServerName: parsed.tlsServerName ? checked('a tls-server-name', () => parseServerName(parsed.tlsServerName ?? '')) : undefined,
  }
  const remarks = [
    ...(context.whyKubeconfig === undefined ? [] : [`its context ${escapeText(parsed.context)} leads to ${cluster.server}`]),
    ...(parsed.user.by === 'certificate' && parsed.user.besideToken
      ? ['its user has a token and a client certificate: kubepass uses the certificate, which the API server prefers']
      : []),
  ]
  const remark = remarks.length === 0 ? undefined : remarks.join('; ')
  return { kind: 'kubeconfig', cluster, remark, authInfo: authInfoOf(parsed.user) }

  function trustedBy(own: TextOrFile | undefined): string {
    const { systemRoots } = input
    if (own !== undefined && systemRoots !== undefined)
      throw refuse(`has a CA, and ${nameOf('certificate_authority')} is system: which of them counts`, 'Leave one of them out.')
    if (own !== undefined) return certificateIn('certificate-authority', own)
    if (systemRoots !== undefined) return systemRoots
    throw refuse(
      'has no certificate-authority-data for its cluster: nothing is trusted on first use',
      `Add it: the base64 of the API server's CA certificate, as PEM. Or set ${nameOf('certificate_authority')} to system, if a public CA ` +
        "signed the API server's certificate, as at the DNS endpoint of GKE.",
    )
  }

  function authInfoOf(user: Kubeconfig['user']): Identity['authInfo'] {
    if (user.by === 'exec') return ofPlugin(user.exec)
    if (user.by === 'token file') {
      const path = pathOf('tokenFile', user.file)
      // Read again for each use, because another program may renew the token.
      const read = (): SealedString => checked('a tokenFile', () => sealToken(readSmallFile(path), seal))
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

  function keyIn(path: string): SealedString {
    return checked('a client-key', () => sealKey(readSmallFile(path), seal))
  }

  function certificateIn(field: string, from: TextOrFile): string {
    return 'text' in from
      ? checked(`${field}-data`, () => parseCertificate(from.text))
      : checked(`a ${field}`, () => parseCertificate(readSmallFile(pathOf(field, from.file))))
  }

  /** The author of a kubeconfig could have any file read and sent to any server. So a kubeconfig of the job may name no file. */
  function pathOf(field: string, file: string): string {
    if (isNoPath(file, 'folder' in input.files ? input.files.folder : '')) throw refuse(`has ${field}, but not as the path of a file`)
    if ('folder' in input.files) return resolve(input.files.folder, file)
    throw refuse(
      `names a file (${field}: ${quote(file)}), but ${input.files.refused}: its author could have kubepass read any file and send it to a server`,
      'Write the value itself into it, as kubectl config view --raw --flatten does, or give the path of a kubeconfig outside of the workspace.',
    )
  }

  function ofPlugin(exec: Exec): Identity['authInfo'] {
    if (!input.allowExec) {
      throw refuse(
        `names a program to run (exec: ${quote(exec.command)})`,
        `Set ${nameOf('allow_exec')} to true, if no untrusted person can write this kubeconfig.`,
      )
    }
    const plugin = { ...exec, command: commandOf(exec.command) }
    sealSecrets(exec, seal)
    const own = Object.fromEntries(exec.env.map(({ name, value }) => [name, value]))
    // The system's CAs do not fit into a variable, and the program can read them itself.
    const ownAuthority = input.systemRoots === undefined ? cluster.certificateAuthority : ''
    const env = { ...context.env, ...own, KUBERNETES_EXEC_INFO: execInfo(exec, { ...cluster, certificateAuthority: ownAuthority }) }
    let current: ExecCredential | undefined
    return async (signal) => {
      if (current?.expiresAt === undefined || current.expiresAt - Date.now() < FRESH_MS)
        current = await runExecPlugin(plugin, env, seal, signal)
      return current.authInfo
    }
  }

  function commandOf(command: string): string {
    if (isAbsolute(command)) return command
    // As in the Go clients, a command with a slash is a path relative to the kubeconfig.
    const path = command.includes('/') ? pathOf('exec.command', command) : command
    if (!context.hasPost) return path
    const program = findProgram(path, context.path)
    throw refuse(
      `names the program ${quote(command)} without its absolute path: kubepass runs it again at the end of the job, and PATH may have changed by then`,
      program === undefined ? 'It is not on PATH now.' : `Write command: ${program}`,
    )
  }
}

/** The correct form of a field of a kubeconfig. */
function hintFor(field: string): string | undefined {
  if (field.endsWith('server')) return 'Write it as https://HOST:PORT.'
  if (field.endsWith('proxy-url')) return 'Write it as http://HOST:PORT or https://HOST:PORT; kubepass uses no other proxies.'
  if (field.endsWith('-data')) return 'Write the base64 of a PEM file: base64 -w0 FILE.'
  return undefined
}
