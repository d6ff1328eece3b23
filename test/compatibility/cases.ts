import { generateKeyPairSync, createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { parse, stringify } from 'yaml'
import type { ClusterInfo } from '../cluster/cluster.ts'
import { EXEC_V1, execCredential, execEntry, type Fields, type RunnerDisk } from '../scenario/kubeconfigs.ts'

/** The values that a case can use. */
export interface Materials {
  info: ClusterInfo
  disk: RunnerDisk
  /** A token with the issuer's rights. */
  token: string
  /** The path of a certificate or key that the program `certificates` wrote. */
  pem: (file: string) => string
  /** The ports of the API server, of a relay to it on ::1, and of an HTTP proxy. */
  port: string
  port6: string
  gateway: string
  /** The port of a SOCKS proxy. */
  socks: string
}

/** The input of both programs. */
export interface Given {
  /** The fields of cluster and user, in addition to a right server, CA and client certificate. */
  cluster?: Fields
  user?: Fields
  /** Replaces the text of the kubeconfig. */
  text?: (right: string) => string | Buffer
  /** Replaces the path of the kubeconfig. */
  path?: (file: string) => string
  /** The shell script of the case, in which `run PATH` runs the program with that kubeconfig. */
  script?: string
  env?: Record<string, string>
  /** For kubepass only. */
  flags?: string[]
}

export interface Case {
  title: string
  /** The API server's certificate chain, then its key, as files of `certificates`. Default: those of the cluster. */
  shows?: readonly [string, ...string[]]
  given: (materials: Materials) => Given
  /** A remark in the row of a case that both programs accept. */
  remark?: string
}

export interface Section {
  title: string
  /** Whether the row says if the program used the proxy. */
  byProxy?: true
  cases: readonly Case[]
}

const base64 = (text: string | Buffer): string => Buffer.from(text).toString('base64')
const ca = (text: string | Buffer): Given => ({ cluster: { 'certificate-authority-data': base64(text) } })
const crlf = (text: string): string => text.replaceAll('\n', '\r\n')
const labelled = (pem: string, label: string): string => pem.replaceAll(/(BEGIN|END) [A-Z0-9 ]*PRIVATE KEY/g, `$1 ${label}`)

/** The client's certificate, with its key in another form. */
const key =
  (text: string, certificate?: string) =>
  (info: ClusterInfo): Given => ({
    user: { 'client-certificate-data': base64(certificate ?? readFileSync(info.clientCert)), 'client-key-data': base64(text) },
  })

function form(pem: string, type: 'pkcs1' | 'pkcs8' | 'sec1', passphrase?: string): string {
  const privateKey = createPrivateKey(pem)
  if (passphrase !== undefined && type === 'pkcs8')
    return privateKey.export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase }).toString()
  if (passphrase !== undefined) return privateKey.export({ type: 'sec1', format: 'pem', cipher: 'aes-256-cbc', passphrase }).toString()
  return (
    type === 'pkcs1'
      ? privateKey.export({ type, format: 'pem' })
      : privateKey.export({ type, format: 'pem' } as { type: 'pkcs8'; format: 'pem' })
  ).toString()
}

const clientKey = ({ info }: Materials): string => readFileSync(info.clientKey, 'utf8')
const clusterCa = ({ info }: Materials): string => readFileSync(info.ca, 'utf8')
const OTHER_KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const EC_PARAMETERS = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n'
const BROKEN = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'

const trustAnchors: Case[] = [
  {
    title: 'the root; the server shows its intermediate CA',
    shows: ['server.crt', 'intermediate.crt', 'server.key'],
    given: ({ pem }) => ca(pem('root.crt')),
  },
  {
    title: 'the root; the server does not show its intermediate CA',
    shows: ['server.crt', 'server.key'],
    given: ({ pem }) => ca(pem('root.crt')),
  },
  { title: 'the intermediate CA alone', shows: ['server.crt', 'server.key'], given: ({ pem }) => ca(pem('intermediate.crt')) },
  {
    title: "the server's own certificate, which a CA signed",
    shows: ['server.crt', 'server.key'],
    given: ({ pem }) => ca(pem('server.crt')),
  },
  {
    title: "the server's own certificate, self-signed",
    shows: ['self-signed.crt', 'self-signed.key'],
    given: ({ pem }) => ca(pem('self-signed.crt')),
  },
  { title: 'another CA', shows: ['server-of-root.crt', 'server-of-root.key'], given: ({ pem }) => ca(pem('intermediate.crt')) },
  {
    title: 'an expired CA',
    shows: ['server-of-expired-root.crt', 'server-of-expired-root.key'],
    given: ({ pem }) => ca(pem('expired-root.crt')),
  },
  { title: "the server's own certificate, expired", shows: ['expired.crt', 'expired.key'], given: ({ pem }) => ca(pem('expired.crt')) },
  {
    title: "the server's own certificate, for another host",
    shows: ['elsewhere.crt', 'elsewhere.key'],
    given: ({ pem }) => ca(pem('elsewhere.crt')),
  },
  {
    title: 'the same, and `tls-server-name` names that host',
    shows: ['elsewhere.crt', 'elsewhere.key'],
    given: ({ pem }) => ({ cluster: { 'certificate-authority-data': base64(pem('elsewhere.crt')), 'tls-server-name': 'elsewhere.test' } }),
  },
  {
    title: 'a server certificate with a common name only',
    shows: ['common-name.crt', 'common-name.key'],
    given: ({ pem }) => ({ cluster: { 'certificate-authority-data': base64(pem('root.crt')), 'tls-server-name': 'kubernetes.test' } }),
  },
  { title: 'no CA, and a server of no public CA', given: () => ({ cluster: { 'certificate-authority-data': '' } }) },
  {
    title: 'the same, with the input `certificate_authority: system`',
    given: () => ({ cluster: { 'certificate-authority-data': '' }, flags: ['--certificate-authority', 'system'] }),
  },
  {
    title: '`insecure-skip-tls-verify`',
    given: () => ({ cluster: { 'certificate-authority-data': '', 'insecure-skip-tls-verify': true } }),
  },
  { title: 'a bundle that holds the right one and an expired one', given: (at) => ca(at.pem('expired-root.crt') + clusterCa(at)) },
  { title: 'a bundle that holds it twice', given: (at) => ca(clusterCa(at) + clusterCa(at)) },
  { title: 'a bundle with a block that cannot be read', given: (at) => ca(BROKEN + clusterCa(at)) },
  { title: 'a bundle with a private key', given: (at) => ca(OTHER_KEY + clusterCa(at)) },
  { title: 'text before and after the block', given: (at) => ca(`Subject: CN = test\n# a comment\n${clusterCa(at)}the end`) },
  { title: 'line ends of Windows', given: (at) => ca(crlf(clusterCa(at))) },
  { title: 'a byte order mark', given: (at) => ca(`\ufeff${clusterCa(at)}`) },
  { title: 'no line end behind the last line', given: (at) => ca(clusterCa(at).trimEnd()) },
  {
    title: 'lines of another length',
    given: (at) =>
      ca(
        clusterCa(at)
          .replaceAll(/\n(?=[A-Za-z0-9+/=]+\n)/g, '')
          .replace(/(-----BEGIN CERTIFICATE-----)/, '$1\n'),
      ),
  },
  { title: 'the label TRUSTED CERTIFICATE', given: (at) => ca(clusterCa(at).replaceAll('CERTIFICATE', 'TRUSTED CERTIFICATE')) },
  { title: 'the label X509 CERTIFICATE', given: (at) => ca(clusterCa(at).replaceAll('CERTIFICATE', 'X509 CERTIFICATE')) },
  { title: 'DER instead of PEM', given: (at) => ca(new X509Certificate(clusterCa(at)).raw) },
  {
    title: 'a file, as UTF-16 with a byte order mark',
    remark: 'kubepass reads the byte order mark',
    given: (at) => ({
      cluster: {
        'certificate-authority-data': '',
        'certificate-authority': at.disk.write('utf16.crt', `\ufeff${clusterCa(at)}`, 'utf16le'),
      },
    }),
  },
  {
    title: 'the base64 broken into lines',
    given: (at) => ({ cluster: { 'certificate-authority-data': base64(clusterCa(at)).replaceAll(/(.{64})/g, '$1\n') } }),
  },
  {
    title: 'a file of another CA beside the data',
    remark: 'the data counts',
    given: ({ info }) => ({ cluster: { 'certificate-authority': info.otherCA } }),
  },
]

const keys: Case[] = [
  { title: 'EC, PKCS#8', given: (at) => key(clientKey(at))(at.info) },
  { title: 'EC, SEC 1', given: (at) => key(form(clientKey(at), 'sec1'))(at.info) },
  { title: 'EC, SEC 1, behind its EC PARAMETERS', given: (at) => key(EC_PARAMETERS + form(clientKey(at), 'sec1'))(at.info) },
  { title: 'EC, SEC 1, labelled PRIVATE KEY', given: (at) => key(labelled(form(clientKey(at), 'sec1'), 'PRIVATE KEY'))(at.info) },
  { title: 'EC, SEC 1, labelled RSA PRIVATE KEY', given: (at) => key(labelled(form(clientKey(at), 'sec1'), 'RSA PRIVATE KEY'))(at.info) },
  { title: 'EC, PKCS#8, labelled RSA PRIVATE KEY', given: (at) => key(labelled(clientKey(at), 'RSA PRIVATE KEY'))(at.info) },
  { title: 'EC, PKCS#8, labelled EC PRIVATE KEY', given: (at) => key(labelled(clientKey(at), 'EC PRIVATE KEY'))(at.info) },
  { title: 'EC, PKCS#8, labelled ANY PRIVATE KEY', given: (at) => key(labelled(clientKey(at), 'ANY PRIVATE KEY'))(at.info) },
  { title: 'EC P-384', given: ({ info, pem }) => key(pem('client-p384.key'), pem('client-p384.crt'))(info) },
  { title: 'Ed25519', given: ({ info, pem }) => key(pem('client-ed25519.key'), pem('client-ed25519.crt'))(info) },
  { title: 'RSA, PKCS#8', given: ({ info, pem }) => key(pem('client-rsa.key'), pem('client-rsa.crt'))(info) },
  { title: 'RSA, PKCS#1', given: ({ info, pem }) => key(form(pem('client-rsa.key'), 'pkcs1'), pem('client-rsa.crt'))(info) },
  {
    title: 'RSA, PKCS#1, labelled PRIVATE KEY',
    given: ({ info, pem }) => key(labelled(form(pem('client-rsa.key'), 'pkcs1'), 'PRIVATE KEY'), pem('client-rsa.crt'))(info),
  },
  {
    title: 'RSA, PKCS#8, labelled RSA PRIVATE KEY',
    given: ({ info, pem }) => key(labelled(pem('client-rsa.key'), 'RSA PRIVATE KEY'), pem('client-rsa.crt'))(info),
  },
  { title: 'line ends of Windows', given: (at) => key(crlf(clientKey(at)))(at.info) },
  { title: 'text before the block', given: (at) => key(`Bag Attributes\n    localKeyID: 01\n${clientKey(at)}`)(at.info) },
  { title: 'two keys, the right one first', given: (at) => key(clientKey(at) + OTHER_KEY)(at.info) },
  { title: 'two keys, the right one last', given: (at) => key(OTHER_KEY + clientKey(at))(at.info) },
  {
    title: 'certificate and key in one file',
    given: (at) => {
      const both = at.disk.write('both.pem', readFileSync(at.info.clientCert, 'utf8') + clientKey(at))
      return { user: { 'client-certificate': both, 'client-key': both } }
    },
  },
  { title: 'encrypted, PKCS#8', given: (at) => key(form(clientKey(at), 'pkcs8', 'hunter2'))(at.info) },
  { title: 'encrypted, with headers', given: (at) => key(form(clientKey(at), 'sec1', 'hunter2'))(at.info) },
  { title: 'of another certificate', given: (at) => key(OTHER_KEY)(at.info) },
  { title: 'the label PUBLIC KEY', given: (at) => key(labelled(clientKey(at), 'PUBLIC KEY'))(at.info) },
  {
    title: 'a client certificate behind the one of its CA',
    given: (at) => key(clientKey(at), clusterCa(at) + readFileSync(at.info.clientCert, 'utf8'))(at.info),
  },
]

const texts: Case[] = [
  { title: 'JSON', given: () => ({ text: (right) => JSON.stringify(parse(right)) }) },
  { title: 'line ends of Windows', given: () => ({ text: crlf }) },
  { title: 'a byte order mark', given: () => ({ text: (right) => `\ufeff${right}` }) },
  { title: 'UTF-16, little endian, with a byte order mark', given: () => ({ text: (right) => Buffer.from(`\ufeff${right}`, 'utf16le') }) },
  {
    title: 'UTF-16, big endian, with a byte order mark',
    given: () => ({ text: (right) => Buffer.from(`\ufeff${right}`, 'utf16le').swap16() }),
  },
  { title: 'UTF-16 without a byte order mark', given: () => ({ text: (right) => Buffer.from(right, 'utf16le') }) },
  { title: 'comments and an end mark', given: () => ({ text: (right) => `# by hand\n---\n${right}...\n` }) },
  { title: 'two documents, the right one first', given: () => ({ text: (right) => `${right}---\nkind: Config\n` }) },
  { title: 'tabs as indentation', given: () => ({ text: (right) => right.replaceAll('  ', '\t') }) },
  { title: 'a key twice', given: () => ({ text: (right) => `${right}kind: Config\n` }) },
  {
    title: 'an anchor and an alias',
    given: () => ({ text: (right) => right.replace('kind: Config', 'kind: &kind Config\npreferences: {x: *kind}') }),
  },
  { title: 'a field of the user that is not known', given: () => ({ user: { 'client-certifcate': 'x' } }) },
  { title: 'a field beside the lists that is not known', given: () => ({ text: (right) => `${right}colour: red\n` }) },
  { title: 'neither `apiVersion` nor `kind`', given: () => ({ text: (right) => right.replaceAll(/^(apiVersion|kind):.*\n/gm, '') }) },
  { title: 'another `apiVersion`', given: () => ({ text: (right) => right.replace('apiVersion: v1', 'apiVersion: v2') }) },
  { title: 'no `current-context`', given: () => ({ text: (right) => right.replace(/^current-context:.*\n/m, '') }) },
  { title: 'empty', given: () => ({ text: () => '' }) },
  { title: 'a YAML list', given: () => ({ text: () => '- a\n- b\n' }) },
]

const users: Case[] = [
  { title: 'token', given: ({ token }) => ({ user: { token } }) },
  {
    title: 'token and a client certificate',
    given: ({ token, info }) => ({ user: { token, ...certificate(info) } }),
    remark: 'the certificate counts, and the log says so',
  },
  {
    title: 'tokenFile and a client certificate',
    given: ({ token, info, disk }) => ({ user: { tokenFile: disk.write('token', token), ...certificate(info) } }),
    remark: 'the certificate counts, and the log says so',
  },
  {
    title: 'token and tokenFile',
    given: ({ token, disk }) => ({ user: { token: 'hunter2hunter2hunter2', tokenFile: disk.write('token', `${token}\n`) } }),
    remark: 'the file counts',
  },
  { title: 'token with a line end', remark: 'the line end does not count', given: ({ token }) => ({ user: { token: `${token}\n` } }) },
  { title: 'a tokenFile that is empty, and token', given: ({ token, disk }) => ({ user: { token, tokenFile: disk.write('empty', '') } }) },
  {
    title: 'token, and empty texts for all else',
    given: ({ token }) => ({ user: { token, tokenFile: '', username: '', password: '', 'client-key-data': '', as: '' } }),
  },
  {
    title: 'exec, which prints a token',
    given: ({ token, disk }) => ({ user: execEntry(disk.plugin(execCredential({ token })).command), flags: ['--allow-exec', 'true'] }),
    remark: 'with the input `allow_exec`',
  },
  {
    title: 'token and exec',
    given: ({ token, disk }) => ({
      user: { token, ...execEntry(disk.plugin(execCredential({ token })).command) },
      flags: ['--allow-exec', 'true'],
    }),
  },
  {
    title: 'a client certificate and exec',
    given: ({ token, info, disk }) => ({
      user: { ...certificate(info), ...execEntry(disk.plugin(execCredential({ token })).command) },
      flags: ['--allow-exec', 'true'],
    }),
  },
  {
    title: 'exec of v1alpha1',
    given: ({ token, disk }) => ({
      user: execEntry(disk.plugin(execCredential({ token })).command, { apiVersion: EXEC_V1.replace('v1', 'v1alpha1') }),
      flags: ['--allow-exec', 'true'],
    }),
  },
  { title: 'username and password', given: () => ({ user: { username: 'admin', password: 'hunter2hunter2hunter2' } }) },
  {
    title: 'token, username and password',
    given: ({ token }) => ({ user: { token, username: 'admin', password: 'hunter2hunter2hunter2' } }),
  },
  { title: 'a client certificate, and `as` another user', given: ({ info }) => ({ user: { ...certificate(info), as: 'somebody' } }) },
  { title: 'an auth-provider', given: () => ({ user: { 'auth-provider': { name: 'gcp' } } }) },
  { title: 'a client certificate without its key', given: ({ info }) => ({ user: { 'client-certificate': info.clientCert } }) },
  {
    title: 'files of another client certificate beside the data',
    remark: 'the data counts',
    given: ({ info }) => ({ user: { ...certificate(info), 'client-certificate': info.adminCert, 'client-key': info.adminKey } }),
  },
]

function certificate(info: ClusterInfo): Fields {
  return { 'client-certificate-data': base64(readFileSync(info.clientCert)), 'client-key-data': base64(readFileSync(info.clientKey)) }
}

const paths: Case[] = [
  {
    title: 'files that are named relative to the kubeconfig',
    given: ({ info }) => ({
      cluster: { 'certificate-authority-data': '', 'certificate-authority': 'files/ca.crt' },
      user: { 'client-certificate': './files/client.crt', 'client-key': 'files/../files/client.key' },
      script: `mkdir -p "$(dirname "$FILE")/files"; cp ${info.ca} ${info.clientCert} ${info.clientKey} "$(dirname "$FILE")/files"; run "$FILE"`,
    }),
  },
  {
    title: 'a path with blanks, quotes and umlauts',
    given: () => ({ script: `cp "$FILE" "$PWD/a 'b' \\"ü\\"; c"; run "$PWD/a 'b' \\"ü\\"; c"` }),
  },
  { title: 'a path relative to the working directory', given: () => ({ script: 'cp "$FILE" config; run config' }) },
  { title: 'a link', given: () => ({ script: 'ln -sf "$FILE" link; run link' }) },
  { title: '`~/config`, which no shell has expanded', given: () => ({ script: 'cp "$FILE" ~/config; run "~/config"' }) },
  {
    title: 'a file named with `~` in the kubeconfig',
    given: ({ info }) => ({
      user: { 'client-certificate': '~/client.crt', 'client-key': info.clientKey },
      script: `cp ${info.clientCert} ~/client.crt; run "$FILE"`,
    }),
  },
  { title: 'two paths with a colon between them', given: () => ({ script: 'run "$FILE:$FILE"' }) },
  { title: 'a folder', given: () => ({ script: 'run "$PWD"' }) },
  { title: 'nothing is there', given: () => ({ script: 'run /nowhere/config' }) },
  { title: 'empty', given: () => ({ script: 'run ""' }) },
  {
    title: 'a folder as client-key',
    given: ({ info }) => ({ user: { 'client-certificate': info.clientCert, 'client-key': dirname(info.clientKey) } }),
  },
]

const pipes: Case[] = [
  { title: 'a process substitution', given: () => ({ script: 'run <(cat "$FILE")' }) },
  {
    title: 'a process substitution that is slow',
    given: () => ({ script: 'run <(head -c 100 "$FILE"; sleep 0.3; tail -c +101 "$FILE")' }),
  },
  { title: 'a process substitution that is empty', given: () => ({ script: 'run <(true)' }) },
  { title: 'a named pipe', given: () => ({ script: 'mkfifo pipe; cat "$FILE" > pipe & run pipe; rm pipe' }) },
  { title: '`/dev/stdin`, a pipe', given: () => ({ script: 'cat "$FILE" | run /dev/stdin' }) },
  { title: '`/dev/stdin`, a file', given: () => ({ script: 'run /dev/stdin < "$FILE"' }) },
  { title: '`/dev/fd/0`, a here-document', given: () => ({ script: 'run /dev/fd/0 <<< "$(cat "$FILE")"' }) },
  { title: '`-`', given: () => ({ script: 'cat "$FILE" | run -' }), remark: 'standard input; kubectl looks for a file of that name' },
  { title: '`/dev/null`', given: () => ({ script: 'run /dev/null' }) },
]

const servers: Case[] = [
  { title: '`https://localhost:PORT`', given: ({ port }) => ({ cluster: { server: `https://localhost:${port}` } }) },
  { title: '`HTTPS://LocalHost:PORT/`', given: ({ port }) => ({ cluster: { server: `HTTPS://LocalHost:${port}/` } }) },
  { title: '`https://localhost.:PORT`', given: ({ port }) => ({ cluster: { server: `https://localhost.:${port}` } }) },
  { title: '`https://[::1]:PORT`', given: ({ port6 }) => ({ cluster: { server: `https://[::1]:${port6}` } }) },
  { title: '`https://[0:0:0:0:0:0:0:1]:PORT`', given: ({ port6 }) => ({ cluster: { server: `https://[0:0:0:0:0:0:0:1]:${port6}` } }) },
  { title: '`https://[::1%25lo]:PORT`', given: ({ port6 }) => ({ cluster: { server: `https://[::1%25lo]:${port6}` } }) },
  { title: '`https://[::ffff:127.0.0.1]:PORT`', given: ({ port }) => ({ cluster: { server: `https://[::ffff:127.0.0.1]:${port}` } }) },
  { title: '`127.0.0.1:PORT`', given: ({ port }) => ({ cluster: { server: `127.0.0.1:${port}` } }) },
  { title: '`localhost:PORT`', given: ({ port }) => ({ cluster: { server: `localhost:${port}` } }) },
  { title: '`http://127.0.0.1:PORT`', given: ({ port }) => ({ cluster: { server: `http://127.0.0.1:${port}` } }) },
  { title: '`https://127.0.0.1:PORT?a=b`', given: ({ port }) => ({ cluster: { server: `https://127.0.0.1:${port}?a=b` } }) },
  { title: '`https://user:word@127.0.0.1:PORT`', given: ({ port }) => ({ cluster: { server: `https://user:word@127.0.0.1:${port}` } }) },
  { title: '` https://127.0.0.1:PORT`, with a blank', given: ({ port }) => ({ cluster: { server: ` https://127.0.0.1:${port}` } }) },
  {
    title: '`tls-server-name: 127.0.0.1`',
    given: ({ port }) => ({ cluster: { server: `https://localhost:${port}`, 'tls-server-name': '127.0.0.1' } }),
  },
  { title: '`tls-server-name: ::1`', given: () => ({ cluster: { 'tls-server-name': '::1' } }) },
  { title: '`tls-server-name: 127.0.0.9`, which the certificate lacks', given: () => ({ cluster: { 'tls-server-name': '127.0.0.9' } }) },
  { title: '`tls-server-name: KUBERNETES.test`', given: () => ({ cluster: { 'tls-server-name': 'KUBERNETES.test' } }) },
  { title: '`tls-server-name: wrong.test`', given: () => ({ cluster: { 'tls-server-name': 'wrong.test' } }) },
]

/** A server whose host name is not a loopback address. */
const behind =
  (env: (gateway: string, socks: string) => Record<string, string>, host = '0.0.0.0') =>
  ({ port, gateway, socks }: Materials): Given => ({
    cluster: { server: `https://${host}:${port}`, 'tls-server-name': 'kubernetes.test' },
    env: env(gateway, socks),
  })
const hostOf = (url: string): string => new URL(url).host

const proxies: Case[] = [
  { title: '`HTTPS_PROXY`', given: behind((url) => ({ HTTPS_PROXY: url })) },
  { title: '`https_proxy`', given: behind((url) => ({ https_proxy: url })) },
  { title: '`HTTPS_PROXY` goes before `https_proxy`', given: behind((url) => ({ HTTPS_PROXY: url, https_proxy: 'http://127.0.0.1:1' })) },
  { title: '`HTTPS_PROXY=HOST:PORT`', given: behind((url) => ({ HTTPS_PROXY: hostOf(url) })) },
  { title: '`HTTP_PROXY` and `ALL_PROXY`', given: behind((url) => ({ HTTP_PROXY: url, ALL_PROXY: url, all_proxy: url })) },
  { title: '`HTTPS_PROXY` for 127.0.0.1', given: behind((url) => ({ HTTPS_PROXY: url }), '127.0.0.1') },
  { title: '`HTTPS_PROXY` for localhost', given: behind((url) => ({ HTTPS_PROXY: url }), 'localhost') },
  { title: '`HTTPS_PROXY` for a host that only the proxy finds', given: behind((url) => ({ HTTPS_PROXY: url }), 'kubernetes.test') },
  { title: '`NO_PROXY=0.0.0.0`', given: behind((url) => ({ HTTPS_PROXY: url, NO_PROXY: '0.0.0.0' })) },
  { title: '`NO_PROXY=0.0.0.0/8`', given: behind((url) => ({ HTTPS_PROXY: url, NO_PROXY: '10.0.0.0/8, 0.0.0.0/8' })) },
  { title: '`NO_PROXY=0.0.0.0:443`, another port', given: behind((url) => ({ HTTPS_PROXY: url, NO_PROXY: '0.0.0.0:443' })) },
  { title: '`NO_PROXY=*`', given: behind((url) => ({ HTTPS_PROXY: url, NO_PROXY: '*' })) },
  { title: '`no_proxy=0.0.0.0`', given: behind((url) => ({ https_proxy: url, no_proxy: '0.0.0.0' })) },
  {
    title: '`NO_PROXY=example.com` for kubernetes.test',
    given: behind((url) => ({ HTTPS_PROXY: url, NO_PROXY: 'example.com' }), 'kubernetes.test'),
  },
  { title: '`HTTPS_PROXY=socks5://HOST:PORT`', given: behind((_, socks) => ({ HTTPS_PROXY: socks })) },
  { title: '`HTTPS_PROXY=ftp://HOST:PORT`', given: behind((url) => ({ HTTPS_PROXY: `ftp://${hostOf(url)}` })) },
  { title: '`HTTPS_PROXY=http://[`', given: behind(() => ({ HTTPS_PROXY: 'http://[' })) },
  {
    title: '`proxy-url` goes before `HTTPS_PROXY`, also for 127.0.0.1',
    given: ({ gateway }) => ({ cluster: { 'proxy-url': gateway }, env: { HTTPS_PROXY: 'http://127.0.0.1:1' } }),
  },
  {
    title: '`proxy-url: socks5://HOST:PORT`',
    given: ({ port, socks }) => ({ cluster: { server: `https://127.0.0.1:${port}`, 'proxy-url': socks } }),
  },
]

export const sections: readonly Section[] = [
  { title: 'Trust anchors', cases: trustAnchors },
  { title: 'Client keys', cases: keys },
  { title: 'The text of a kubeconfig', cases: texts },
  { title: 'Users', cases: users },
  { title: 'Paths', cases: paths },
  { title: 'Pipes', cases: pipes },
  { title: 'Servers', cases: servers },
  { title: 'Proxies', byProxy: true, cases: proxies },
]

/** The kubeconfig of a case. */
export function kubeconfigFor({ cluster = {}, user }: Given, { info, port }: Materials): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: 'here',
        cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority-data': base64(readFileSync(info.ca)), ...cluster },
      },
    ],
    users: [{ name: 'issuer', user: user ?? certificate(info) }],
    contexts: [{ name: 'issue', context: { cluster: 'here', user: 'issuer' } }],
    'current-context': 'issue',
  })
}
