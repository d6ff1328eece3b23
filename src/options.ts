import { accessSync, constants, realpathSync, statSync } from 'node:fs'
import { delimiter, dirname, isAbsolute, join, relative, resolve } from 'node:path'
import type { Readable } from 'node:stream'
import { damageOfKubeconfig } from './damage.ts'
import { errnoOf, KubepassError } from './errors.ts'
import { isInPod } from './identity/in-cluster.ts'
import { exampleOf, inputs, NO_AUDIENCE, type InputId } from './inputs.ts'
import { ownKubeconfigs, problemOfKubeconfig } from './own-kubeconfig.ts'
import { problemOfProxy, sealProxyPasswords } from './proxy-variables.ts'
import { quote } from './quote.ts'
import { isStdin, PATH_INPUTS, type ReadOnce } from './read-once.ts'
import type { Seal, Secret } from './secret.ts'
import { systemRoots } from './system-roots.ts'
import {
  isLabel,
  isNoPath,
  isSubdomain,
  kubeconfigContent,
  parseCertificateAuthority,
  parseProxy,
  parseServer,
  parseServerName,
  readSmallFile,
  sealToken,
  Wrong,
} from './values.ts'
import { makeFolder, settled } from './write.ts'

export type IdentityKind = 'token' | 'github-oidc' | 'gitlab-oidc' | 'kubeconfig' | 'in-cluster'

/** Where the API server is, and by what it is known. */
export interface ClusterAccess {
  /** Its URL, without a slash at the end. Empty in the options while it has yet to come with the identity. */
  readonly server: string
  readonly certificateAuthority: string
  readonly proxyUrl: URL | undefined
  readonly tlsServerName: string | undefined
}

export interface KubeconfigInput {
  /** A function, so that nothing shows the text by accident; its secrets are sealed when it is parsed. */
  readonly text: () => string
  /** The files that it names: where relative paths start, or why it may name none. */
  readonly files: { readonly folder: string } | { readonly refused: string }
  /** Its own current-context when undefined. */
  readonly context: string | undefined
  readonly allowExec: boolean
  /** The public CAs of the system, if `certificate_authority` is system. */
  readonly systemRoots: string | undefined
}

/** Everything a run is asked to do. Read once, before any network. */
export interface Options extends ClusterAccess {
  readonly serviceAccount: { readonly namespace: string; readonly name: string }
  readonly namespace: string
  /** The name of the cluster in the scan's kubeconfig; undefined: as its server. */
  readonly contextName: string | undefined
  readonly command: readonly [string, ...string[]] | undefined
  readonly acceptExitCodes: readonly number[]
  readonly env: 'inherit' | 'clean'
  readonly passEnv: readonly string[]
  readonly isolate: 'auto' | 'off' | 'required'
  readonly identity: 'auto' | IdentityKind
  readonly token: Secret | undefined
  readonly kubeconfig: KubeconfigInput | undefined
  readonly stdinTaken: boolean
  readonly audience: string
  /** Seconds. */
  readonly duration: number
  /** Seconds from the replacement of a credential to its end; its own expiry when undefined. */
  readonly rotateGrace: number | undefined
  /** Seconds. */
  readonly maxScan: number
  readonly tokenAudiences: readonly string[]
  readonly revocation: 'required' | 'best-effort'
  readonly prove: 'wait' | 'post' | 'off'
  readonly proofSamples: number
  readonly delivery: 'kubeconfig' | 'env' | 'output'
  readonly tokenVariable: string
  readonly directory: string
  readonly evidence: string | undefined
  /** Makes a check run of the evidence. */
  readonly checkToken: Secret | undefined
  /** Milliseconds for all that comes before the scan, and again for the revocation. */
  readonly deadline: number
}

/** GitLab's template always gives a value, so that this one stands for none. */
export const DEFAULT_MAX_SCAN_S = 6 * 3600

/** The value of `certificate_authority` that means the public CAs of the system. */
const SYSTEM = 'system'

/** The path that stands for standard output, so that another program can read the evidence. */
export const STANDARD_OUTPUT = '-'

/** Where the inputs come from. */
export interface Source {
  /** An accepted exit code of the scan becomes 0, and all that is printed is the job's log. */
  readonly isCI: boolean
  input(id: InputId): string | undefined
  /** How a user writes this input here: `service_account` in a workflow, `--service-account` in a terminal. */
  nameOf(id: InputId): string
  /** A command given as words, run without a shell. */
  readonly argv: readonly string[]
  readonly temp: string
  /** Relative paths start there, and artifacts are looked for; undefined in a terminal, which has a working directory only. */
  readonly workspace: string | undefined
  /** The directories of PATH, where the scan's program is looked for. */
  readonly path: string
  /** Later steps of the job can use the credential. */
  readonly hasLaterSteps: boolean
  /** A post step follows, which revokes and proves what main left. */
  readonly hasPost: boolean
  /** And the job fails if it does. */
  readonly postFailsJob: boolean
  /** The setting by which the host shows every variable in the log, where that is on. */
  readonly traced: string | undefined
  /** Whether we run in a Pod is read from it, and no input. */
  readonly env: NodeJS.ProcessEnv
  readonly stdin: (() => Readable) | undefined
  /** The texts of pipes, which were read before because a pipe can be read only once. */
  readonly once?: ReadOnce
}

/**
 * Reports every wrong input at once, each with its name, what is wrong and a right example. To finish a run
 * nothing is asked that only its start needs: a program or a directory may be gone by then.
 */
export function parseOptions(source: Source, seal: Seal, purpose: 'start' | 'finish'): Options {
  const problems: string[] = []
  /** The inputs with a problem, so that one mistake gives one complaint. */
  const wrong = new Set<InputId>()
  const read = <T>(id: InputId, parse: (text: string) => T, whenEmpty: T, fallback = inputs[id].default): T => {
    if (wrong.has(id)) return whenEmpty
    const text = textOf(id) || fallback
    try {
      if (text === '') {
        const { required } = inputs[id]
        if (required === true || (required !== undefined && bringer === undefined && isIdentityKnown())) throw new Wrong('is missing')
        return whenEmpty
      }
      const allowed = inputs[id].options
      if (allowed && !allowed.includes(text)) throw new Wrong(`is ${quote(text)}, not one of ${allowed.join(', ')}`)
      return parse(text)
    } catch (error) {
      if (!(error instanceof Wrong)) throw error
      wrong.add(id)
      problems.push(`${source.nameOf(id)} ${error.message}; ${exampleOf(id)}`)
      return whenEmpty
    }
  }
  const same = (text: string): string => text
  const choice = (id: InputId): string => read(id, same, inputs[id].default)

  sealProxyPasswords(source.env, seal)
  problems.push(...[problemOfProxy(source.env)].filter((problem) => problem !== undefined))
  const bringer = whoBringsTheCluster()
  const server = read('server', parseServer, '')
  const serviceAccount = read('service_account', parseServiceAccount, { namespace: '', name: '' })
  const maxDuration = read('max_duration', parseDuration, Infinity)
  const tokenFile = read('token_file', same, '')
  const token = read<Secret | undefined>('token', (text) => sealToken(text, seal), undefined)
  if (token !== undefined && tokenFile !== '')
    problems.push(`${source.nameOf('token')} and ${source.nameOf('token_file')} are both given: one is enough`)
  const shell = choice('shell')
  const allowDebugTrace = choice('allow_debug_trace') === 'true'
  const report = choice('report')
  // Not read without need: what is not known to anybody needs no redaction.
  const checkToken = report === 'check' ? read<Secret | undefined>('github_token', (text) => sealToken(text, seal), undefined) : undefined
  const certificateAuthority = read('certificate_authority', readCertificateAuthority, '')
  const options: Options = {
    server,
    certificateAuthority,
    serviceAccount,
    namespace: read('namespace', parseNamespace, serviceAccount.namespace),
    contextName: read<string | undefined>('context_name', parseContextName, undefined),
    command: readCommand(),
    acceptExitCodes: read('accept_exit_codes', parseExitCodes, [0]),
    env: choice('env') as Options['env'],
    passEnv: read('pass_env', parseVariableNames, []),
    isolate: choice('isolate') as Options['isolate'],
    identity: choice('identity') as Options['identity'],
    kubeconfig: read('kubeconfig', readKubeconfig, undefined),
    token: token ?? (tokenFile === '' ? undefined : read('token_file', readToken, undefined)),
    stdinTaken: PATH_INPUTS.some((id) => isStdin(textOf(id))),
    audience: read('audience', parseAudience, server),
    duration: read('duration', (text) => parseLife(text, maxDuration, source.nameOf('max_duration')), 900),
    rotateGrace: read<number | undefined>('rotate_grace', parseGrace, undefined),
    maxScan: read('max_scan', parseMaxScan, DEFAULT_MAX_SCAN_S),
    tokenAudiences: read('token_audiences', words, []),
    revocation: choice('revocation') as Options['revocation'],
    prove: choice('prove') as Options['prove'],
    proofSamples: read('proof_samples', parseSamples, 3),
    delivery: choice('delivery') as Options['delivery'],
    tokenVariable: read('token_variable', parseTokenVariable, 'KUBE_TOKEN'),
    directory:
      purpose === 'start' ? read('directory', (path) => parseDirectory(path, source.workspace), '', source.temp) : baseDirectory(source),
    proxyUrl: read<URL | undefined>('proxy_url', parseProxy, undefined),
    tlsServerName: read<string | undefined>('tls_server_name', parseServerName, undefined),
    evidence: read<string | undefined>('evidence', (path) => parseEvidencePath(path, source, purpose), undefined),
    checkToken,
    deadline: 1000 * read('deadline', parseDeadline, 60),
  }
  if (purpose === 'start' && !source.hasLaterSteps && options.command === undefined)
    problems.push(`no command was given${source.hasPost ? `: set ${source.nameOf('command')}` : ': kubepass run [FLAGS] -- COMMAND'}`)
  if (purpose === 'start' && source.hasLaterSteps && options.isolate === 'required' && options.command === undefined)
    problems.push(`${source.nameOf('isolate')} is required, but later steps cannot be isolated: set ${source.nameOf('command')}`)
  if (options.delivery === 'output' && options.command !== undefined)
    problems.push(`${source.nameOf('delivery')} is output, which is for later steps: with a command use env`)
  if (options.identity === 'token' && !given('token') && !given('token_file'))
    problems.push(
      `${source.nameOf('identity')} is token, but neither ${source.nameOf('token')} nor ${source.nameOf('token_file')} is given`,
    )
  if (!source.postFailsJob && options.prove === 'post')
    problems.push(
      `${source.nameOf('prove')} is post, but ${source.hasPost ? 'what comes after the script cannot fail a job' : 'there is no post step'} here`,
    )
  if (report === 'check' && !given('github_token'))
    problems.push(`${source.nameOf('report')} is check, but ${source.nameOf('github_token')} is empty`)
  if (purpose === 'start' && source.traced !== undefined && !allowDebugTrace) {
    problems.push(
      `${source.traced} is true: the log shows every variable, the ID token among them; unset it, or set ${source.nameOf('allow_debug_trace')} to true`,
    )
  }
  if (options.identity === 'gitlab-oidc' && options.audience === NO_AUDIENCE)
    problems.push(
      `${source.nameOf('audience')} is missing, for which the ID token is made; for example: ${server || inputs.audience.example}`,
    )
  if (options.identity === 'kubeconfig' && !given('kubeconfig'))
    problems.push(`${source.nameOf('identity')} is kubeconfig, but ${source.nameOf('kubeconfig')} is not given`)
  if (bringer === 'kubeconfig' && options.identity !== 'auto' && options.identity !== 'kubeconfig')
    problems.push(`${source.nameOf('kubeconfig')} is given, but ${source.nameOf('identity')} is ${options.identity}`)
  for (const id of bringer === 'kubeconfig' ? [] : (['context', 'allow_exec'] as const))
    if (given(id) && textOf(id) !== inputs[id].default)
      problems.push(`${source.nameOf(id)} is given without ${source.nameOf('kubeconfig')}`)
  if (problems.length > 0) {
    throw new KubepassError(
      'INPUT',
      problems.length === 1 ? (problems[0] ?? '') : `${problems.length} inputs are wrong:\n- ${problems.join('\n- ')}`,
    )
  }
  return options

  function textOf(id: InputId): string {
    return (source.input(id) ?? '').trim()
  }

  function given(id: InputId): boolean {
    return textOf(id) !== ''
  }

  /** A misspelled identity may bring the cluster, so that a missing server is no complaint then. */
  function isIdentityKnown(): boolean {
    return inputs.identity.options?.includes(textOf('identity') || inputs.identity.default) ?? true
  }

  function whoBringsTheCluster(): 'kubeconfig' | 'in-cluster' | undefined {
    const identity = textOf('identity') || inputs.identity.default
    const cluster: InputId[] = ['server', 'certificate_authority', 'proxy_url', 'tls_server_name']
    // `system` is the only CA that may stand beside a kubeconfig, which has no CA of its own then.
    const ofKubeconfig = cluster.filter((id) => id !== 'certificate_authority' || textOf(id) !== SYSTEM)
    const brought = { kubeconfig: ofKubeconfig, 'in-cluster': [...cluster, 'token', 'token_file'] satisfies InputId[] }
    const inCluster = identity === 'in-cluster' || (identity === 'auto' && !brought['in-cluster'].some(given) && isInPod(source.env))
    const kind = given('kubeconfig') ? 'kubeconfig' : inCluster ? 'in-cluster' : undefined
    for (const id of kind === undefined ? [] : brought[kind].filter(given)) {
      wrong.add(id)
      problems.push(`${source.nameOf(id)} is given, but comes with the identity ${kind}: leave one of them out`)
    }
    return kind
  }

  function readKubeconfig(text: string): KubeconfigInput {
    const asked = {
      context: textOf('context') || undefined,
      allowExec: choice('allow_exec') === 'true',
      systemRoots: certificateAuthority || undefined,
    }
    const content = kubeconfigContent(text)
    if (content !== undefined) return { ...asked, text: () => content, files: { refused: 'it was given as content' } }
    // Never echoed: it may be a part of a kubeconfig.
    if (isNoPath(text)) throw new Wrong(damageOfKubeconfig(text) ?? 'is neither a kubeconfig nor the path of one')
    const file = contentOf(text)
    const folder = dirname(resolve(text))
    // A job's files, and those that GitLab makes of its variables, are content, too: who wrote them is not who set up the runner.
    const ofTheJob = source.workspace === undefined ? [] : [source.workspace, `${source.workspace}.tmp`].map(realpathOr)
    const lies = ofTheJob.find((place) => [realpathOr(folder), realpathOr(text)].some((path) => isInside(path, place)))
    return { ...asked, text: () => file, files: lies === undefined ? { folder } : { refused: `it lies in ${quote(lies)}` } }
  }

  function readCertificateAuthority(text: string): string {
    return text === SYSTEM ? systemRoots() : parseCertificateAuthority(text, contentOf)
  }

  function readToken(path: string): Secret {
    if (isNoPath(path)) {
      if (path.length >= 16) seal(path)
      throw new Wrong('looks like a token, not like the path of one: a token is given as token')
    }
    return sealToken(contentOf(path), seal)
  }

  function contentOf(path: string): string {
    const text = source.once?.get(path)
    if (text instanceof Wrong) throw text
    if (text === undefined && isStdin(path)) throw new Wrong(`is ${quote(path)}, but there is no standard input here`)
    return text ?? readSmallFile(path)
  }

  function readCommand(): Options['command'] {
    if (purpose === 'finish') return undefined
    if (source.argv.length > 0) {
      const [program = '', ...args] = source.argv
      if (source.input('command') !== undefined)
        problems.push(`${source.nameOf('command')} and a command after -- are both given: one is enough`)
      if (!isProgram(program, source.path)) problems.push(`the command ${quote(program)} is not a program on PATH`)
      checkKubeconfig('the command', source.argv)
      return [program, ...args]
    }
    const command = read('command', same, '')
    if (command === '') return undefined
    if (command.includes('\0')) problems.push(`${source.nameOf('command')} holds a NUL character`)
    checkKubeconfig(source.nameOf('command'), [command])
    if (!wrong.has('shell') && !isProgram(shell, source.path)) {
      const way = shell === 'bash' ? `; install it, or set ${source.nameOf('shell')} to sh and mind that a failing pipe turns green` : ''
      problems.push(`${shell} is not on PATH${way}`)
    }
    return shell === 'bash' ? ['bash', '--noprofile', '--norc', '-eo', 'pipefail', '-c', command] : ['sh', '-e', '-c', command]
  }

  function checkKubeconfig(what: string, words: readonly string[]): void {
    if (choice('allow_own_kubeconfig') === 'true') return
    const input = textOf('kubeconfig')
    const file = kubeconfigContent(input) === undefined ? input : undefined
    const problem = problemOfKubeconfig(words, ownKubeconfigs(source.env, file))
    if (problem === undefined) return
    problems.push(
      `${what} ${problem}. The scan finds its own kubeconfig without an argument. Where it needs one, its own shell must expand "$KUBECONFIG"` +
        (source.isCI ? '. ' : `: ${source.nameOf('command')} 'kubectl --kubeconfig "$KUBECONFIG" ...'. `) +
        `If the caller's file is meant, set ${source.nameOf('allow_own_kubeconfig')} to true`,
    )
  }
}

function parseServiceAccount(text: string): Options['serviceAccount'] {
  const [namespace = '', name = '', ...more] = text.split('/')
  if (more.length > 0 || !isLabel(namespace) || !isSubdomain(name)) throw new Wrong(`is ${quote(text)}, not NAMESPACE/NAME`)
  return { namespace, name }
}

function parseNamespace(text: string): string {
  if (!isLabel(text)) throw new Wrong(`is ${quote(text)}, not the name of a namespace`)
  return text
}

/** Clients print the name, put it into file names, and take it as an argument. */
function parseContextName(text: string): string {
  if (text.length > 253 || !/^[A-Za-z0-9[][A-Za-z0-9.:@_/[\]-]*$/.test(text))
    throw new Wrong(`is ${quote(text)}, not a name of letters, digits and . : @ _ / [ ] -, of at most 253 characters`)
  return text
}

function parseDuration(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,7})(s|m|h|)$/.exec(text) ?? []
  if (number === '') throw new Wrong(`is ${quote(text)}, not a duration`)
  return Number(number) * { s: 1, m: 60, h: 3600, '': 1 }[unit as 's' | 'm' | 'h' | '']
}

/** The deadline, in seconds, for the pipes that are read before the other inputs. */
export function deadlineOf(source: Pick<Source, 'input'>): number {
  try {
    return parseDeadline((source.input('deadline') ?? '').trim() || inputs.deadline.default)
  } catch {
    return parseDeadline(inputs.deadline.default)
  }
}

function parseDeadline(text: string): number {
  const seconds = parseDuration(text)
  if (seconds < 1 || seconds > 600) throw new Wrong(`is ${quote(text)}, not from 1s to 10m`)
  return seconds
}

function parseGrace(text: string): number {
  const seconds = parseDuration(text)
  // https://github.com/kubernetes/kubernetes/blob/v1.36.2/staging/src/k8s.io/client-go/transport/token_source.go
  if (seconds < 60) throw new Wrong(`is ${quote(text)}: Go programs re-read a token once a minute, so that less than 60s cuts them off`)
  return seconds
}

function parseMaxScan(text: string): number {
  const seconds = parseDuration(text)
  if (seconds < 1 || seconds > 24 * 3600) throw new Wrong(`is ${quote(text)}, not from 1s to 24h`)
  return seconds
}

function parseLife(text: string, longest: number, nameOfLongest: string): number {
  const seconds = parseDuration(text)
  if (seconds < 600) throw new Wrong(`is ${quote(text)}: the API server issues no token for less than 10 minutes`)
  if (seconds > longest) throw new Wrong(`is ${quote(text)}, over the limit of ${longest} s; raise ${nameOfLongest} if that is meant`)
  return seconds
}

function parseExitCodes(text: string): number[] {
  return words(text).map((word) => {
    const code = Number(word)
    if (!Number.isInteger(code) || code < 0 || code > 255) throw new Wrong(`holds ${quote(word)}, not a number from 0 to 255`)
    return code
  })
}

function parseSamples(text: string): number {
  const samples = Number(text)
  if (!Number.isInteger(samples) || samples < 1 || samples > 20) throw new Wrong(`is ${quote(text)}, not a number from 1 to 20`)
  return samples
}

function words(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '')
}

function parseAudience(text: string): string {
  if (/[\s\p{Cc}]/u.test(text)) throw new Wrong('holds white space or control characters')
  return text
}

function parseVariableNames(text: string): string[] {
  const names = words(text)
  const wrong = names.find((name) => !isVariableName(name))
  if (wrong !== undefined) throw new Wrong(`holds ${quote(wrong)}, not the name of a variable`)
  return names
}

function parseTokenVariable(text: string): string {
  if (!isVariableName(text) || /^(PATH|HOME|NODE_OPTIONS|KUBECONFIG|KUBE_CONFIG_PATH|GITHUB_.*|RUNNER_.*|KUBEPASS_.*|LD_.*)$/.test(text)) {
    throw new Wrong(`is ${quote(text)}, not a name that a token may have`)
  }
  return text
}

function isVariableName(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text)
}

function parseEvidencePath(text: string, source: Source, purpose: 'start' | 'finish'): string {
  if (text === STANDARD_OUTPUT) {
    if (source.isCI) throw new Wrong("is -, but a job's standard output is its log: name a file")
    return text
  }
  if (text.includes('\0') || text.includes('\n')) throw new Wrong('holds a NUL or a line end')
  const file = resolve(source.workspace ?? '', text)
  if (purpose === 'finish') return settledOr(file)
  try {
    if (text.endsWith('/') || statSync(file, { throwIfNoEntry: false })?.isDirectory() === true)
      throw new Wrong(`is ${quote(text)}, which names a folder`)
    makeFolder(dirname(file))
    accessSync(dirname(file), constants.W_OK)
    return settled(file)
  } catch (error) {
    if (error instanceof Wrong) throw error
    throw new Wrong(`is ${quote(text)}, where no file can be written (${errnoOf(error)})`)
  }
}

function settledOr(path: string): string {
  try {
    return settled(path)
  } catch {
    return path
  }
}

/** Files in the workspace end up in artifacts, caches and commits. */
function parseDirectory(path: string, workspace: string | undefined): string {
  let real: string
  try {
    real = realpathSync(path)
    if (!statSync(real).isDirectory()) throw new Wrong(`is ${quote(path)}, which is no directory`)
    accessSync(real, constants.W_OK)
  } catch (error) {
    if (error instanceof Wrong) throw error
    throw new Wrong(`is ${quote(path)}, which cannot be used (${errnoOf(error)})`)
  }
  if (workspace !== undefined && isInside(real, realpathOr(workspace))) throw new Wrong(`is ${quote(path)}, which lies in the workspace`)
  if (real.includes(delimiter))
    throw new Wrong(`is ${quote(real)}, with a "${delimiter}": KUBECONFIG is a list, so that clients would look for two other files`)
  if (/\p{Cc}/u.test(real)) throw new Wrong(`is ${quote(real)}, with a control character`)
  return real
}

/** Where a run's private directory lies, also when the place is gone by now. */
export function baseDirectory(source: Pick<Source, 'input' | 'temp'>): string {
  const given = (source.input('directory') ?? '').trim()
  return realpathOr(given === '' ? source.temp : given)
}

function realpathOr(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return resolve(path)
  }
}

function isInside(path: string, parent: string): boolean {
  const way = relative(parent, path)
  return way !== '..' && !way.startsWith('../') && !isAbsolute(way)
}

function isProgram(name: string, path: string): boolean {
  return findProgram(name, path) !== undefined
}

/** @returns where a shell with this PATH would find it */
export function findProgram(name: string, path: string): string | undefined {
  const places = name.includes('/') ? [name] : path.split(delimiter).map((directory) => join(directory || '.', name))
  return places.find((place) => {
    try {
      accessSync(place, constants.X_OK)
      return statSync(place).isFile()
    } catch {
      return false
    }
  })
}
