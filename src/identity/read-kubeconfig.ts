import { KubeConfig } from '@kubernetes/client-node'
import { parseDocument } from 'yaml'
import { quote } from '../base/quote.ts'
import type { SealedString } from '../redact/sealed-string.ts'

/** One context of a kubeconfig. The types of its fields are checked; their values are not. */
export interface Kubeconfig {
  /** The name of the context. */
  readonly context: string
  readonly server: string
  /** undefined if the kubeconfig names none; other clients then trust the system's CAs. */
  readonly certificateAuthority: TextOrFile | undefined
  readonly proxyUrl: string | undefined
  readonly tlsServerName: string | undefined
  readonly user: User
}

export type TextOrFile = { readonly text: string } | { readonly file: string }

export type User =
  | { readonly by: 'token'; readonly token: SealedString }
  | { readonly by: 'token file'; readonly file: string }
  | {
      readonly by: 'certificate'
      readonly certificate: TextOrFile
      readonly key: { readonly secret: SealedString } | { readonly file: string }
      /** Whether the user also has a token. The API server would check it only if it rejected the certificate. */
      readonly besideToken: boolean
    }
  | { readonly by: 'exec'; readonly exec: Exec }

/** A program that prints a credential. https://kubernetes.io/docs/reference/config-api/client-authentication.v1/ */
export interface Exec {
  readonly apiVersion: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: readonly { readonly name: string; readonly value: string }[]
  readonly installHint: string | undefined
  /** Set if the program gets the cluster's data; `config` is the cluster's extension for exec plugins. */
  readonly clusterInfo: { readonly config: unknown } | undefined
}

/** Why kubepass refuses a kubeconfig. `refused` follows the name of the input. Texts from the kubeconfig are quoted. */
export interface Refusal {
  readonly refused: string
  readonly hint?: string | undefined
}

/** The caller's functions that seal secrets. They are passed in, because this module is a separate bundle. */
export interface Keep {
  token(text: string): SealedString
  key(text: string): SealedString
}

type Fields = Record<string, unknown>
interface ExecFields {
  apiVersion?: string
  command?: string
  args?: string[]
  env?: unknown
  installHint?: string
  provideClusterInfo?: boolean
  interactiveMode?: string
}
type Kind = 'string' | 'boolean' | 'strings' | 'any' | Refusal

const IMPERSONATION: Refusal = { refused: 'makes it act as another user', hint: 'Give the identity its own rights instead.' }
const BASIC: Refusal = { refused: 'Kubernetes has not accepted since 1.19' }
const CLUSTER = new Map<string, Kind>([
  ['server', 'string'],
  ['certificate-authority', 'string'],
  ['certificate-authority-data', 'string'],
  ['tls-server-name', 'string'],
  ['proxy-url', 'string'],
  ['disable-compression', 'boolean'],
  ['extensions', 'any'],
  [
    'insecure-skip-tls-verify',
    { refused: 'would send the credential to any server that responds', hint: 'Remove it, and add certificate-authority-data.' },
  ],
])
const USER = new Map<string, Kind>([
  ['token', 'string'],
  ['tokenFile', 'string'],
  ['client-certificate', 'string'],
  ['client-certificate-data', 'string'],
  ['client-key', 'string'],
  ['client-key-data', 'string'],
  ['exec', 'any'],
  ['extensions', 'any'],
  ['token-file', { refused: 'is no field of a kubeconfig, although some clients read it', hint: 'Write tokenFile.' }],
  ['auth-provider', { refused: 'Kubernetes 1.26 has removed', hint: "Use the provider's exec plugin." }],
  ['username', BASIC],
  ['password', BASIC],
  ...['as', 'as-uid', 'as-groups', 'as-user-extra'].map((name): [string, Kind] => [name, IMPERSONATION]),
])
const CONTEXT = new Map<string, Kind>([
  ['cluster', 'string'],
  ['user', 'string'],
  ['namespace', 'string'],
  ['extensions', 'any'],
])
const EXEC = new Map<string, Kind>([
  ['apiVersion', 'string'],
  ['command', 'string'],
  ['args', 'strings'],
  ['env', 'any'],
  ['installHint', 'string'],
  ['provideClusterInfo', 'boolean'],
  ['interactiveMode', 'string'],
])
const EXEC_VERSIONS = ['client.authentication.k8s.io/v1', 'client.authentication.k8s.io/v1beta1']

/**
 * Reads one context of a kubeconfig. Its fields are checked against a list before client-node gets them: client-node would at once
 * read the file that the non-standard `token-file` names.
 * @param context undefined for the current-context
 */
export function readKubeconfig(text: string, context: string | undefined, keep: Keep): Kubeconfig | Refusal {
  const document = parseYaml(text)
  if ('refused' in document) return document
  const { config } = document
  const name = context ?? config['current-context']
  if (typeof name !== 'string' || name === '')
    return { refused: 'has no current-context', hint: 'Name one of its contexts in the input context.' }
  const chosen = entryOf(config, 'context', name, CONTEXT)
  if (isRefusal(chosen)) return chosen
  const cluster = entryOf(config, 'cluster', chosen['cluster'], CLUSTER)
  if (isRefusal(cluster)) return cluster
  if (cluster['server'] === undefined) return { refused: `has no server for cluster ${shown(chosen['cluster'])}` }
  const user = entryOf(config, 'user', chosen['user'], USER)
  if (isRefusal(user)) return user

  // client-node gets the checked fields and not the text, because its parser may read the text differently.
  const loaded = new KubeConfig()
  const entry = (kind: string, fields: Fields): object[] => [{ name, [kind]: fields }]
  loaded.loadFromString(
    JSON.stringify({
      clusters: entry('cluster', cluster),
      users: entry('user', user),
      contexts: entry('context', { cluster: name, user: name }),
      'current-context': name,
    }),
  )
  const { server, caData, caFile, proxyUrl, tlsServerName } = loaded.getCurrentCluster() ?? { server: '' }
  const certificateAuthority = textOrFile(caData, caFile)
  const way = wayOf(user, loaded, cluster, keep)
  if (isRefusal(way)) return { ...way, refused: `${way.refused} (user ${shown(chosen['user'])})` }
  return { context: name, server, certificateAuthority, proxyUrl, tlsServerName, user: way }
}

/** Parses strictly. An error contains no text of the kubeconfig, which may be a secret. */
function parseYaml(text: string): { config: Fields } | Refusal {
  const options = { strict: true, uniqueKeys: true, stringKeys: true, merge: false, prettyErrors: false } as const
  const document = parseDocument(text, options)
  const [problem] = [...document.errors, ...document.warnings]
  const hint = 'kubectl config view --raw writes it in the correct form.'
  if (problem !== undefined)
    return { refused: `is no YAML (${problem.code} in line ${text.slice(0, problem.pos[0]).split('\n').length})`, hint }
  let config: unknown
  try {
    config = document.toJS({ maxAliasCount: 0 })
  } catch {
    return { refused: 'holds YAML aliases, which no kubeconfig needs', hint }
  }
  if (
    !isObject(config) ||
    ![undefined, 'Config'].includes(config['kind'] as string) ||
    ![undefined, 'v1'].includes(config['apiVersion'] as string)
  )
    return { refused: 'is no kubeconfig (apiVersion: v1, kind: Config)' }
  return { config }
}

/** The only entry with this name, with its non-empty fields; a refusal if a field is not known to be harmless. */
function entryOf(config: Fields, kind: 'context' | 'cluster' | 'user', name: unknown, kinds: Map<string, Kind>): Fields | Refusal {
  const list = config[`${kind}s`]
  const entries = Array.isArray(list) ? list.filter(isObject) : []
  const [entry, ...others] = entries.filter((each) => each['name'] === name)
  if (entry === undefined || name === undefined || name === '') {
    const names = entries.slice(0, 10).map((each) => shown(each['name']))
    return { refused: `has no ${kind} ${shown(name)}`, hint: names.length === 0 ? undefined : `It has ${names.join(', ')}.` }
  }
  if (others.length > 0) return { refused: `has two ${kind}s ${shown(name)}` }
  const fields = entry[kind]
  if (!isObject(fields)) return { refused: `has nothing in ${kind} ${shown(name)}` }
  const wrong = wrongField(fields, kinds)
  return wrong === undefined ? setFields(fields) : { ...wrong, refused: `${wrong.refused} (${kind} ${shown(name)})` }
}

function wrongField(fields: Fields, kinds: Map<string, Kind>): Refusal | undefined {
  for (const [name, value] of Object.entries(setFields(fields))) {
    const kind = kinds.get(name)
    if (kind === undefined) return { refused: `has a field ${quote(name)} that is not known` }
    if (typeof kind === 'object') return { refused: `has ${name}, which ${kind.refused}`, hint: kind.hint }
    const right = kind === 'any' || (kind === 'strings' ? Array.isArray(value) && value.every(isString) : typeof value === kind)
    if ([value].flat().some(holdsNul)) return { refused: `has ${name}, which holds a NUL character` }
    if (!right) return { refused: `has ${name}, but not as a ${kind === 'strings' ? 'list of strings' : kind}` }
  }
  return undefined
}

/** As in the Go clients, an empty value counts as missing. */
function setFields(fields: Fields): Fields {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== null && value !== '' && value !== false),
  )
}

function wayOf(fields: Fields, loaded: KubeConfig, cluster: Fields, keep: Keep): User | Refusal {
  const { token, certData, certFile, keyData, keyFile } = loaded.getCurrentUser() ?? {}
  const { exec } = fields
  const bearer = bearerOf(token, fields['tokenFile'])
  const pair = { certificate: textOrFile(certData, certFile), key: textOrFile(keyData, keyFile) }
  const part = pair.certificate ?? pair.key
  const unclear = wrongNumber({ token: bearer, 'client-certificate': part, exec })
  if (unclear !== undefined) return unclear
  if (exec !== undefined) return execOf(exec, cluster)
  if (bearer !== undefined && part === undefined) return toTokenUser(bearer, keep)
  // The token beside a certificate is not used, but it is a secret.
  if (token) keep.token(token)
  return toCertificateUser(pair, bearer !== undefined, keep)
}

/** client-node does not know tokenFile; in the Go clients it takes precedence over token. */
function bearerOf(token: string | undefined, tokenFile: unknown): TextOrFile | undefined {
  return isString(tokenFile) ? { file: tokenFile } : textOrFile(token, undefined)
}

/** Refuses a user with no way to authenticate, or with several, of which only a token may stand beside a certificate. */
function wrongNumber(ways: Record<'token' | 'client-certificate' | 'exec', unknown>): Refusal | undefined {
  const given = Object.keys(setFields(ways))
  if (given.length === 0) return { refused: 'has nothing to authenticate with' }
  const names = given.join(' and ')
  if (given.length === 1 || names === 'token and client-certificate') return undefined
  return { refused: `has ${names}: which of them counts?`, hint: 'Leave one of them.' }
}

function toTokenUser(bearer: TextOrFile, keep: Keep): User {
  return 'file' in bearer ? { by: 'token file', file: bearer.file } : { by: 'token', token: keep.token(bearer.text) }
}

function toCertificateUser(pair: Record<'certificate' | 'key', TextOrFile | undefined>, besideToken: boolean, keep: Keep): User | Refusal {
  const { certificate } = pair
  const key = pair.key && ('text' in pair.key ? { secret: keep.key(pair.key.text) } : pair.key)
  if (certificate === undefined) return { refused: 'has a client-key without a client-certificate' }
  if (key === undefined) return { refused: 'has a client-certificate without a client-key' }
  return { by: 'certificate', certificate, key, besideToken }
}

function execOf(fields: unknown, cluster: Fields): User | Refusal {
  if (!isObject(fields)) return { refused: 'has exec, but not as a mapping' }
  const wrong = wrongField(fields, EXEC)
  if (wrong !== undefined) return { ...wrong, refused: `${wrong.refused} (exec)` }
  const {
    apiVersion = '',
    command,
    args = [],
    env = [],
    installHint,
    provideClusterInfo,
    interactiveMode,
  } = setFields(fields) as ExecFields
  if (!EXEC_VERSIONS.includes(apiVersion))
    return { refused: `has exec for ${shown(apiVersion)}`, hint: `Known are ${EXEC_VERSIONS.join(' and ')}.` }
  if (command === undefined) return { refused: 'has exec without a command' }
  const wrongMode = wrongInteractiveMode(interactiveMode, apiVersion)
  if (wrongMode !== undefined) return wrongMode
  if (!isVariables(env)) return { refused: 'has exec with an env that is no list of name and value' }
  const clusterInfo = provideClusterInfo ? { config: pluginConfigOf(cluster) } : undefined
  return { by: 'exec', exec: { apiVersion, command, args, env, installHint, clusterInfo } }
}

/** v1 requires the mode, v1beta1 does not. */
function wrongInteractiveMode(mode: string | undefined, apiVersion: string): Refusal | undefined {
  if (mode === 'Always') return { refused: 'has exec with interactiveMode: Always, but kubepass runs without a terminal' }
  const isKnown = mode === undefined ? apiVersion !== EXEC_VERSIONS[0] : ['Never', 'IfAvailable'].includes(mode)
  return isKnown ? undefined : { refused: 'has exec without a known interactiveMode', hint: 'Add interactiveMode: Never.' }
}

/** The cluster's extension for exec plugins; undefined if it has none. */
function pluginConfigOf({ extensions }: Fields): unknown {
  const list = Array.isArray(extensions) ? extensions.filter(isObject) : []
  return list.find(({ name }) => name === 'client.authentication.k8s.io/exec')?.['extension']
}

function isVariables(value: unknown): value is { name: string; value: string }[] {
  return (
    Array.isArray(value) &&
    value.every((each) => isObject(each) && [each['name'], each['value']].every((text) => isString(text) && !holdsNul(text)))
  )
}

/** Node.js passes no NUL to a process, and its error would show the text. */
function holdsNul(value: unknown): boolean {
  return isString(value) && value.includes('\0')
}

function textOrFile(text: string | undefined, file: string | undefined): TextOrFile | undefined {
  return text ? { text } : file ? { file } : undefined
}

function isRefusal(value: object): value is Refusal {
  return 'refused' in value
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}

function shown(value: unknown): string {
  return typeof value === 'string' ? quote(value) : 'without a name'
}
