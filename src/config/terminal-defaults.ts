import { statSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { CLUSTER_INPUTS, isSuperfluous, TOKEN_INPUTS } from './cluster-source.ts'
import { type CommandLine, flagName, variableName } from './flags.ts'
import { type InputId, inputs } from './inputs.ts'

/** An input that the environment gives. */
export interface Default {
  readonly text: string
  /** The variable or the file that gives the input. */
  readonly from: string
  /** The reason to use the kubeconfig of kubectl; undefined for the inputs that a variable KUBEPASS_* gives. */
  readonly reason?: string
}

export interface TerminalDefaults {
  readonly values: ReadonlyMap<InputId, Default>
  /** The hint of the error that no input names the API server. */
  readonly noServerHint: string
}

/**
 * The inputs of a terminal that no flag gives. Each has the variable KUBEPASS_*. If nothing names the API server, the kubeconfig is
 * the one that kubectl would use.
 * @throws INPUT if kubectl would merge several kubeconfigs, or KUBECONFIG names none
 */
export function terminalDefaults(line: CommandLine, env: NodeJS.ProcessEnv): TerminalDefaults {
  const { values: flags } = line
  const values = new Map<InputId, Default>()
  const overruled = overruledInputs(line)
  for (const id of idsFromVariables(line, env)) {
    const text = (env[variableName(id)] ?? '').trim()
    if (text !== '' && !flags.has(id) && !overruled.has(id)) values.set(id, { text, from: variableName(id) })
  }
  const where = jobOf(env)
  if (where !== undefined) return { values, noServerHint: NO_DEFAULTS[where] }
  const textOf = (id: InputId): string => flags.get(id) ?? values.get(id)?.text ?? ''
  if (isConnectionOrIdentityGiven(textOf)) return { values, noServerHint: NOT_SEARCHED }
  const kubeconfig = kubeconfigOfKubectl(env)
  if (kubeconfig !== undefined) values.set('kubeconfig', kubeconfig)
  return { values, noServerHint: env['KUBECONFIG'] ? NO_CLUSTER : NO_KUBECONFIG }
}

const NOT_SEARCHED =
  'kubepass does not use the kubeconfig of kubectl, because another input sets the identity or the connection to the API server.'
const NO_CLUSTER = 'KUBECONFIG is /dev/null, so kubepass uses no kubeconfig.'
const NO_KUBECONFIG = 'No kubeconfig names the API server: KUBECONFIG is not set, and ~/.kube/config does not exist.'

const NO_DEFAULTS = {
  github: 'In a job of GitHub, KUBEPASS_* and KUBECONFIG are no defaults: give flags.',
  gitlab: 'In a job of GitLab, KUBECONFIG and the variable of this input are no defaults: give a flag.',
} as const

/** The CI whose variables are set. A variable of a job can change the value of GITLAB_CI, but cannot unset it, so only presence counts. */
function jobOf(env: NodeJS.ProcessEnv): keyof typeof NO_DEFAULTS | undefined {
  const isAnySet = (...names: string[]): boolean => names.some((name) => env[name] !== undefined)
  if (isAnySet('GITHUB_ACTIONS', 'GITHUB_RUN_ID')) return 'github'
  return isAnySet('GITLAB_CI', 'CI_JOB_ID') ? 'gitlab' : undefined
}

/** Whether the process runs in a job, whose files and variables other people can have written. */
export function isInJob(env: NodeJS.ProcessEnv): boolean {
  return jobOf(env) !== undefined
}

/**
 * On GitHub an earlier step can set every variable, so none is an input. On GitLab everybody who may run a pipeline can set any variable.
 * So the guarded inputs are flags there, and an identity of a variable counts only if the flag `--identity` names it.
 */
function idsFromVariables({ values: flags, ids }: CommandLine, env: NodeJS.ProcessEnv): readonly InputId[] {
  const all: readonly InputId[] = [...ids, 'token']
  const job = jobOf(env)
  if (job === 'github') return []
  if (job === undefined) return all
  const identity = flags.get('identity')
  const named = identity === 'token' ? TOKEN_INPUTS : identity === 'kubeconfig' ? KUBECONFIG_INPUTS : []
  const isAllowed = (id: InputId): boolean => named.includes(id) || ![...TOKEN_INPUTS, ...KUBECONFIG_INPUTS].includes(id)
  return all.filter((id) => inputs[id].guard === undefined && isAllowed(id))
}

const KUBECONFIG_INPUTS: readonly InputId[] = ['kubeconfig', 'context', 'allow_exec']

/** The inputs whose variables have no effect beside a flag, because the flag names the API server or the identity in another way. */
const OVERRULED_BY: Partial<Record<InputId, readonly InputId[]>> = {
  server: ['identity', ...KUBECONFIG_INPUTS],
  token_file: ['identity', 'token', ...KUBECONFIG_INPUTS],
  kubeconfig: ['identity', ...CLUSTER_INPUTS, ...TOKEN_INPUTS],
  context: ['identity', ...CLUSTER_INPUTS, ...TOKEN_INPUTS],
}

/** The inputs whose variables have no effect if the flag `--identity` names this identity. */
const OVERRULED_BY_IDENTITY: Readonly<Record<string, readonly InputId[]>> = {
  token: KUBECONFIG_INPUTS,
  kubeconfig: [...CLUSTER_INPUTS, ...TOKEN_INPUTS],
  'in-cluster': [...CLUSTER_INPUTS, ...TOKEN_INPUTS, ...KUBECONFIG_INPUTS],
}

function overruledInputs({ values: flags, argv }: CommandLine): ReadonlySet<InputId> {
  const ofFlags = [...flags.keys()].flatMap((id) => OVERRULED_BY[id] ?? [])
  const ofIdentity = OVERRULED_BY_IDENTITY[flags.get('identity') ?? ''] ?? []
  return new Set<InputId>([...ofFlags, ...ofIdentity, ...(argv.length > 0 ? (['command'] as const) : [])])
}

/** Whether an input sets the connection to the API server, or an identity other than that of a kubeconfig. */
function isConnectionOrIdentityGiven(textOf: (id: InputId) => string): boolean {
  return (
    [...TOKEN_INPUTS, 'kubeconfig' as const].some((id) => textOf(id) !== '') ||
    CLUSTER_INPUTS.some((id) => isSuperfluous(id, textOf(id), 'kubeconfig')) ||
    !['', 'auto', 'kubeconfig'].includes(textOf('identity'))
  )
}

/** The file that kubectl reads: that of KUBECONFIG, or ~/.kube/config. A user without a cluster sets KUBECONFIG=/dev/null. */
function kubeconfigOfKubectl(env: NodeJS.ProcessEnv): Default | undefined {
  const named = [...new Set((env['KUBECONFIG'] ?? '').split(delimiter))].filter((path) => path !== '')
  const home = env['HOME'] ?? ''
  // A relative path would be a file of the working directory, which another person may have written.
  if (named.length === 0 && !isAbsolute(home)) return undefined
  const [path, ...others] = (named.length > 0 ? named : [join(home, '.kube', 'config')]).filter(isFile)
  if (others.length > 0) {
    throw new KubepassError('INPUT', `KUBECONFIG names ${others.length + 1} files, which kubectl merges. kubepass reads one file.`, {
      hint: `Give the merged one: ${flagName('kubeconfig')} <(kubectl config view --flatten --raw)`,
    })
  }
  if (path === undefined && named.some((each) => each !== '/dev/null')) {
    throw new KubepassError('INPUT', `KUBECONFIG names ${quote(named.join(delimiter))}, which is no regular file.`, {
      hint: `Correct the variable, or name the API server: ${flagName('server')}, or ${flagName('kubeconfig')} FILE.`,
    })
  }
  if (path === undefined) return undefined
  const place = named.length > 0 ? `KUBECONFIG names ${path}` : '~/.kube/config exists'
  return { text: path, from: named.length > 0 ? 'KUBECONFIG' : '~/.kube/config', reason: `no API server is given, and ${place}` }
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile()
  } catch {
    return false
  }
}
