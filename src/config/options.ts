import { dirname, resolve } from 'node:path'
import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { problemOfProxy, sealProxyPasswords } from '../net/proxy-variables.ts'
import type { Seal, SealedString } from '../redact/sealed-string.ts'
import { isProgram } from '../system/find-program.ts'
import { isInPod } from '../system/pod.ts'
import { parseCertificateAuthority } from './certificates.ts'
import type { ClusterAccess, IdentityKind, KubeconfigInput } from './cluster-access.ts'
import { damageOfKubeconfig } from './damage.ts'
import { exampleOf, type InputId, inputs, NO_AUDIENCE } from './inputs.ts'
import { InvalidValue } from './invalid-value.ts'
import { ownKubeconfigs, problemOfKubeconfig } from './own-kubeconfig.ts'
import {
  parseAudience,
  parseContextName,
  parseDeadline,
  parseDuration,
  parseExitCodes,
  parseGrace,
  parseLife,
  parseMaxScan,
  parseNamespace,
  parseProxy,
  parseSamples,
  parseServer,
  parseServerName,
  parseServiceAccount,
  parseTokenVariable,
  parseVariableNames,
  splitList,
} from './parsers.ts'
import { isNoPath, kubeconfigContent } from './path-or-content.ts'
import { baseDirectory, isInside, parseDirectory, parseEvidencePath, realpathOr } from './paths.ts'
import { isStdin, PATH_INPUTS } from './read-pipes.ts'
import { sealToken } from './seal-credentials.ts'
import { readSmallFile } from './small-file.ts'
import type { InputSource } from './source.ts'
import { systemRoots } from './system-roots.ts'

/** The parsed inputs of a run. They are read once, before any request. */
export interface Options extends ClusterAccess {
  readonly serviceAccount: { readonly namespace: string; readonly name: string }
  readonly namespace: string
  /** The name of the cluster in the scan's kubeconfig; undefined for the server's name. */
  readonly contextName: string | undefined
  readonly command: readonly [string, ...string[]] | undefined
  readonly acceptExitCodes: readonly number[]
  readonly env: 'inherit' | 'clean'
  readonly passEnv: readonly string[]
  readonly isolate: 'auto' | 'off' | 'required'
  readonly identity: 'auto' | IdentityKind
  readonly token: SealedString | undefined
  readonly kubeconfig: KubeconfigInput | undefined
  readonly stdinTaken: boolean
  readonly audience: string
  /** Seconds. */
  readonly duration: number
  /** Seconds from the replacement of a credential to its revocation; undefined to wait for its expiry. */
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
  /** The token that creates a check run with the evidence. */
  readonly checkToken: SealedString | undefined
  /** Milliseconds for everything before the scan, and again for the revocation. */
  readonly deadline: number
}

/** GitLab's template always passes a value for max_scan. This one therefore counts as not set. */
export const DEFAULT_MAX_SCAN_S = 6 * 3600

/** The value of `certificate_authority` that means the public CAs of the system. */
const SYSTEM = 'system'

/**
 * Reports all wrong inputs together, each with its name, its fault and a correct example.
 * @param purpose `finish` skips the checks that only the start of a run needs, because a program or directory may no longer exist
 * @throws INPUT
 */
export function parseOptions(source: InputSource, seal: Seal, purpose: 'start' | 'finish'): Options {
  const problems: string[] = []
  /** The inputs with a problem. Each is reported once. */
  const wrong = new Set<InputId>()
  const read = <T>(id: InputId, parse: (text: string) => T, whenEmpty: T, fallback = inputs[id].default): T => {
    if (wrong.has(id)) return whenEmpty
    const text = textOf(id) || fallback
    try {
      if (text === '') {
        const { required } = inputs[id]
        if (required === true || (required !== undefined && clusterFrom === undefined && isIdentityKnown()))
          throw new InvalidValue('is missing')
        return whenEmpty
      }
      const allowed = inputs[id].options
      if (allowed && !allowed.includes(text)) throw new InvalidValue(`is ${quote(text)}, not one of ${allowed.join(', ')}`)
      return parse(text)
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error
      wrong.add(id)
      problems.push(`${source.nameOf(id)} ${error.message}; ${exampleOf(id)}`)
      return whenEmpty
    }
  }
  const asText = (text: string): string => text
  const choice = (id: InputId): string => read(id, asText, inputs[id].default)

  sealProxyPasswords(source.env, seal)
  problems.push(...[problemOfProxy(source.env)].filter((problem) => problem !== undefined))
  const clusterFrom = identityWithCluster()
  const server = read('server', parseServer, '')
  const serviceAccount = read('service_account', parseServiceAccount, { namespace: '', name: '' })
  const maxDuration = read('max_duration', parseDuration, Infinity)
  const tokenFile = read('token_file', asText, '')
  const token = read<SealedString | undefined>('token', (text) => sealToken(text, seal), undefined)
  if (token !== undefined && tokenFile !== '')
    problems.push(`${source.nameOf('token')} and ${source.nameOf('token_file')} are both given: leave one out`)
  const shell = choice('shell')
  const allowDebugTrace = choice('allow_debug_trace') === 'true'
  const report = choice('report')
  // Read only if needed, so that the redactor need not search for it otherwise.
  const checkToken =
    report === 'check' ? read<SealedString | undefined>('github_token', (text) => sealToken(text, seal), undefined) : undefined
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
    tokenAudiences: read('token_audiences', splitList, []),
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
      `${source.nameOf('prove')} is post, but here ${source.hasPost ? 'after_script cannot fail the job' : 'no post step follows'}`,
    )
  if (report === 'check' && !given('github_token'))
    problems.push(`${source.nameOf('report')} is check, but ${source.nameOf('github_token')} is empty`)
  if (purpose === 'start' && source.debugTraceVariable !== undefined && !allowDebugTrace) {
    problems.push(
      `${source.debugTraceVariable} is true: the log shows every variable, the ID token among them; unset it, or set ${source.nameOf('allow_debug_trace')} to true`,
    )
  }
  if (options.identity === 'gitlab-oidc' && options.audience === NO_AUDIENCE)
    problems.push(
      `${source.nameOf('audience')} is missing: the ID token is issued for it; for example: ${server || inputs.audience.example}`,
    )
  if (options.identity === 'kubeconfig' && !given('kubeconfig'))
    problems.push(`${source.nameOf('identity')} is kubeconfig, but ${source.nameOf('kubeconfig')} is not given`)
  if (clusterFrom === 'kubeconfig' && options.identity !== 'auto' && options.identity !== 'kubeconfig')
    problems.push(`${source.nameOf('kubeconfig')} is given, but ${source.nameOf('identity')} is ${options.identity}`)
  for (const id of clusterFrom === 'kubeconfig' ? [] : (['context', 'allow_exec'] as const))
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

  /** If the identity is misspelled, a missing server is not reported, because the intended identity may provide it. */
  function isIdentityKnown(): boolean {
    return inputs.identity.options?.includes(textOf('identity') || inputs.identity.default) ?? true
  }

  function identityWithCluster(): 'kubeconfig' | 'in-cluster' | undefined {
    const identity = textOf('identity') || inputs.identity.default
    const cluster: InputId[] = ['server', 'certificate_authority', 'proxy_url', 'tls_server_name']
    // `system` is the only CA that may be given with a kubeconfig; that kubeconfig must then have no CA.
    const ofKubeconfig = cluster.filter((id) => id !== 'certificate_authority' || textOf(id) !== SYSTEM)
    const provided = { kubeconfig: ofKubeconfig, 'in-cluster': [...cluster, 'token', 'token_file'] satisfies InputId[] }
    const inCluster = identity === 'in-cluster' || (identity === 'auto' && !provided['in-cluster'].some(given) && isInPod(source.env))
    const kind = given('kubeconfig') ? 'kubeconfig' : inCluster ? 'in-cluster' : undefined
    for (const id of kind === undefined ? [] : provided[kind].filter(given)) {
      wrong.add(id)
      problems.push(`${source.nameOf(id)} is given, but the identity ${kind} provides it: leave one of them out`)
    }
    return kind
  }

  function readKubeconfig(text: string): KubeconfigInput {
    const settings = {
      context: textOf('context') || undefined,
      allowExec: choice('allow_exec') === 'true',
      systemRoots: certificateAuthority || undefined,
    }
    const content = kubeconfigContent(text)
    if (content !== undefined) return { ...settings, text: () => content, files: { refused: 'it was given as content' } }
    // The message does not quote the text, because it may be a part of a kubeconfig.
    if (isNoPath(text)) throw new InvalidValue(damageOfKubeconfig(text) ?? 'is neither a kubeconfig nor the path of one')
    const file = contentOf(text)
    const folder = dirname(resolve(text))
    // Not trusted, like content: files of the job, and files that GitLab makes of variables. The runner's owner did not write them.
    const ofTheJob = source.workspace === undefined ? [] : [source.workspace, `${source.workspace}.tmp`].map(realpathOr)
    const jobFolder = ofTheJob.find((place) => [realpathOr(folder), realpathOr(text)].some((path) => isInside(path, place)))
    return { ...settings, text: () => file, files: jobFolder === undefined ? { folder } : { refused: `it lies in ${quote(jobFolder)}` } }
  }

  function readCertificateAuthority(text: string): string {
    return text === SYSTEM ? systemRoots() : parseCertificateAuthority(text, contentOf)
  }

  function readToken(path: string): SealedString {
    if (isNoPath(path)) {
      if (path.length >= 16) seal(path)
      throw new InvalidValue('looks like a token, not like the path of one: give a token as token')
    }
    return sealToken(contentOf(path), seal)
  }

  function contentOf(path: string): string {
    const text = source.pipeTexts?.get(path)
    if (text instanceof InvalidValue) throw text
    if (text === undefined && isStdin(path)) throw new InvalidValue(`is ${quote(path)}, but there is no standard input here`)
    return text ?? readSmallFile(path)
  }

  function readCommand(): Options['command'] {
    if (purpose === 'finish') return undefined
    if (source.argv.length > 0) {
      const [program = '', ...args] = source.argv
      if (source.input('command') !== undefined)
        problems.push(`${source.nameOf('command')} and a command after -- are both given: leave one out`)
      if (!isProgram(program, source.path)) problems.push(`the command ${quote(program)} is not a program on PATH`)
      checkKubeconfig('the command', source.argv)
      return [program, ...args]
    }
    const command = read('command', asText, '')
    if (command === '') return undefined
    if (command.includes('\0')) problems.push(`${source.nameOf('command')} holds a NUL character`)
    checkKubeconfig(source.nameOf('command'), [command])
    if (!wrong.has('shell') && !isProgram(shell, source.path)) {
      const advice = shell === 'bash' ? `; install it, or set ${source.nameOf('shell')} to sh, which ignores failures inside a pipe` : ''
      problems.push(`${shell} is not on PATH${advice}`)
    }
    return shell === 'bash' ? ['bash', '--noprofile', '--norc', '-eo', 'pipefail', '-c', command] : ['sh', '-e', '-c', command]
  }

  function checkKubeconfig(commandName: string, words: readonly string[]): void {
    if (choice('allow_own_kubeconfig') === 'true') return
    const input = textOf('kubeconfig')
    const file = kubeconfigContent(input) === undefined ? input : undefined
    const problem = problemOfKubeconfig(words, ownKubeconfigs(source.env, file))
    if (problem === undefined) return
    problems.push(
      `${commandName} ${problem}. The scan finds its own kubeconfig without an argument. Where it needs one, its own shell must expand "$KUBECONFIG"` +
        (source.isCI ? '. ' : `: ${source.nameOf('command')} 'kubectl --kubeconfig "$KUBECONFIG" ...'. `) +
        `To allow the caller's file, set ${source.nameOf('allow_own_kubeconfig')} to true`,
    )
  }
}

/** The deadline, in seconds, for the pipes that are read before the other inputs. */
export function deadlineOf(source: Pick<InputSource, 'input'>): number {
  try {
    return parseDeadline((source.input('deadline') ?? '').trim() || inputs.deadline.default)
  } catch {
    return parseDeadline(inputs.deadline.default)
  }
}
