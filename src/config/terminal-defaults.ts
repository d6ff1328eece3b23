import { statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { CLUSTER_INPUTS, isSuperfluous, TOKEN_INPUTS } from './cluster-source.ts'
import { flagName, terminalFlags, variableName } from './flags.ts'
import { type InputId, inputs } from './inputs.ts'

/** An input that the environment gives. */
export interface Default {
  readonly text: string
  /** The variable or the file that gives the input. */
  readonly from: string
  /** Why kubepass uses the kubeconfig; undefined for other inputs. */
  readonly why?: string
}

/**
 * The inputs of a terminal that no flag gives. Each has the variable KUBEPASS_*. If nothing names the API server, the kubeconfig is
 * the one that kubectl would use.
 * @throws INPUT if kubectl would merge several kubeconfigs
 */
export function terminalDefaults(flags: ReadonlyMap<InputId, string>, env: NodeJS.ProcessEnv): ReadonlyMap<InputId, Default> {
  const defaults = new Map<InputId, Default>()
  for (const id of idsFromVariables(env)) {
    const text = (env[variableName(id)] ?? '').trim()
    if (text !== '' && !flags.has(id) && !isOverruled(id, flags)) defaults.set(id, { text, from: variableName(id) })
  }
  const kubeconfig = isJob(env) ? undefined : kubeconfigOfKubectl((id) => flags.get(id) ?? defaults.get(id)?.text ?? '', env)
  return kubeconfig === undefined ? defaults : defaults.set('kubeconfig', kubeconfig)
}

/**
 * On GitHub an earlier step can set every variable, so none is an input. On GitLab everybody who may run a pipeline can set any variable,
 * so the guarded inputs are flags. Such a person cannot remove a variable of the runner, but can change its value.
 */
function idsFromVariables(env: NodeJS.ProcessEnv): readonly InputId[] {
  if (isGithubJob(env)) return []
  const ids: readonly InputId[] = [...terminalFlags, 'token']
  return isJob(env) ? ids.filter((id) => inputs[id].guard === undefined) : ids
}

function isGithubJob(env: NodeJS.ProcessEnv): boolean {
  return ['GITHUB_ACTIONS', 'GITHUB_RUN_ID'].some((name) => env[name] !== undefined)
}

function isJob(env: NodeJS.ProcessEnv): boolean {
  return isGithubJob(env) || ['GITLAB_CI', 'CI_JOB_ID'].some((name) => env[name] !== undefined)
}

const KUBECONFIG_INPUTS: readonly InputId[] = ['kubeconfig', 'context', 'allow_exec']

/** Whether a flag names the API server or the identity in another way than this input does. */
function isOverruled(id: InputId, flags: ReadonlyMap<InputId, string>): boolean {
  const isAnyFlag = (ids: readonly InputId[]): boolean => ids.some((each) => flags.has(each))
  if (TOKEN_INPUTS.includes(id)) return isAnyFlag([...TOKEN_INPUTS, 'kubeconfig'])
  if (KUBECONFIG_INPUTS.includes(id)) return isAnyFlag(['server', ...TOKEN_INPUTS])
  return CLUSTER_INPUTS.includes(id) && flags.has('kubeconfig')
}

/** The files that kubectl reads: those of KUBECONFIG, or ~/.kube/config. */
function kubeconfigOfKubectl(textOf: (id: InputId) => string, env: NodeJS.ProcessEnv): Default | undefined {
  const isNamed = [...TOKEN_INPUTS, 'kubeconfig' as const].some((id) => textOf(id) !== '')
  const isServerNamed = CLUSTER_INPUTS.some((id) => isSuperfluous(id, textOf(id), 'kubeconfig'))
  if (isNamed || isServerNamed || !['', 'auto', 'kubeconfig'].includes(textOf('identity'))) return undefined
  const named = (env['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '')
  const from = named.length > 0 ? 'KUBECONFIG' : '~/.kube/config'
  const [path, ...others] = (named.length > 0 ? named : [join(env['HOME'] ?? '', '.kube', 'config')]).filter(isFile)
  if (path === undefined) return undefined
  if (others.length > 0) {
    throw new KubepassError('INPUT', `KUBECONFIG names ${others.length + 1} files, which kubectl merges. kubepass reads one file.`, {
      hint: `Give the merged one: ${flagName('kubeconfig')} <(kubectl config view --flatten --raw)`,
    })
  }
  const place = from === 'KUBECONFIG' ? `KUBECONFIG names ${quote(path)}` : `${from} exists`
  return { text: path, from, why: `no API server is given, and ${place}` }
}

/** Not for /dev/null, with which a user without a cluster sets KUBECONFIG. */
function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true
}
