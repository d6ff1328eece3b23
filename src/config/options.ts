import { KubepassError } from '../base/errors.ts'
import { sealProxyPasswords } from '../net/proxy-variables.ts'
import type { Allow } from '../rbac/allow.ts'
import type { Seal, SealedString } from '../redact/sealed-string.ts'
import type { ClusterAccess, IdentityKind, KubeconfigInput } from './cluster-access.ts'
import { type Command, commandOf, commandRules, commandSha256Of } from './command.ts'
import type { GivenInputs, Rule } from './given-inputs.ts'
import { InputReader, type Problem } from './input-reader.ts'
import { inputRules, sourceRules, tokenRule } from './input-rules.ts'
import { type InputId, inputs } from './inputs.ts'
import { parseDeadline, parseMaxScan } from './parsers.ts'
import { baseDirectory } from './paths.ts'
import { isStdin, PATH_INPUTS } from './read-pipes.ts'
import type { InputSource } from './source.ts'

/** The parsed inputs of a run. They are read once, before any request. */
export interface Options extends ClusterAccess {
  readonly serviceAccount: { readonly namespace: string; readonly name: string }
  readonly namespace: string
  /** The name of the cluster in the scan's kubeconfig; undefined for the server's name. */
  readonly contextName: string | undefined
  readonly command: Command | undefined
  /** In hex. */
  readonly commandSha256: string | undefined
  readonly acceptExitCodes: readonly number[]
  readonly env: 'inherit' | 'clean'
  readonly passEnv: readonly string[]
  readonly isolate: 'auto' | 'off' | 'required'
  readonly identity: 'auto' | IdentityKind
  readonly token: SealedString | undefined
  readonly kubeconfig: KubeconfigInput | undefined
  readonly stdinTaken: boolean
  /** Which requests of the scan may pass. */
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
  readonly delivery: 'auto' | 'proxy' | 'kubeconfig' | 'env' | 'output'
  readonly allow: Allow
  readonly tokenVariable: string
  readonly directory: string
  readonly evidence: string | undefined
  readonly requests: string | undefined
  /** The token that creates a check run with the evidence. */
  readonly checkToken: SealedString | undefined
  /** Milliseconds for everything before the scan, and again for the revocation. */
  readonly deadline: number
}

/** GitLab's template always passes a value for max_scan. This one therefore counts as not set. */
export const DEFAULT_MAX_SCAN_S = parseMaxScan(inputs.max_scan.default)

/**
 * The order in which inputs are read and rules are checked. The message lists the problems in this order. An input that is not in
 * the list is read where a rule or another input needs it.
 */
const STEPS: readonly (InputId | Rule)[] = [
  ...sourceRules,
  'server',
  'service_account',
  'max_duration',
  'token',
  tokenRule,
  'shell',
  'allow_debug_trace',
  'report',
  'github_token',
  'certificate_authority',
  'namespace',
  'context_name',
  ...commandRules,
  'accept_exit_codes',
  'env',
  'pass_env',
  'isolate',
  'identity',
  'kubeconfig',
  'token_file',
  'allow',
  'audience',
  'duration',
  'rotate_grace',
  'max_scan',
  'token_audiences',
  'revocation',
  'prove',
  'proof_samples',
  'delivery',
  'token_variable',
  'directory',
  'proxy_url',
  'tls_server_name',
  'evidence',
  'requests',
  'deadline',
  ...inputRules,
]

/**
 * Reports all wrong inputs together, each with its name, its fault and a correct example.
 * @param purpose `finish` skips the checks that only the start of a run needs, because a program or directory may no longer exist
 * @throws INPUT
 */
export function parseOptions(source: InputSource, seal: Seal, purpose: 'start' | 'finish'): Options {
  sealProxyPasswords(source.env, seal)
  const reader = new InputReader(source, seal, purpose)
  for (const step of STEPS) {
    if (typeof step === 'string') reader.value(step)
    else reader.check(step)
  }
  const options = optionsOf(reader)
  // Only now, so that no problem is lost if the options need an input that is not among the steps.
  throwProblems(reader.problems, reader.isWrong('server') && !reader.has('server') ? source.noServerHint : undefined)
  return options
}

/** Another code than INPUT counts only if nothing else is wrong. */
function throwProblems(problems: readonly Problem[], hint: string | undefined): void {
  const [first] = problems
  if (first === undefined) return
  const code = problems.every((each) => each.code === first.code) ? first.code : 'INPUT'
  const list = problems.map(({ text }) => text).join('\n- ')
  throw new KubepassError(code, problems.length === 1 ? first.text : `${problems.length} inputs are wrong:\n- ${list}`, { hint })
}

function optionsOf(given: GivenInputs): Options {
  const server = given.value('server')
  const serviceAccount = given.value('service_account')
  return {
    server,
    certificateAuthority: given.value('certificate_authority'),
    serviceAccount,
    namespace: given.value('namespace') ?? serviceAccount.namespace,
    contextName: given.value('context_name'),
    command: commandOf(given),
    commandSha256: commandSha256Of(given),
    acceptExitCodes: given.value('accept_exit_codes'),
    env: given.value('env'),
    passEnv: given.value('pass_env'),
    isolate: given.value('isolate'),
    identity: given.value('identity'),
    kubeconfig: given.value('kubeconfig'),
    token: given.value('token') ?? given.value('token_file'),
    stdinTaken: PATH_INPUTS.some((id) => isStdin(given.text(id))),
    allow: given.value('allow'),
    audience: given.value('audience') ?? server,
    duration: given.value('duration'),
    rotateGrace: given.value('rotate_grace'),
    maxScan: given.value('max_scan'),
    tokenAudiences: given.value('token_audiences'),
    revocation: given.value('revocation'),
    prove: given.value('prove'),
    proofSamples: given.value('proof_samples'),
    delivery: given.value('delivery'),
    tokenVariable: given.value('token_variable'),
    directory: given.purpose === 'start' ? given.value('directory') : baseDirectory(given.source),
    proxyUrl: given.value('proxy_url'),
    tlsServerName: given.value('tls_server_name'),
    evidence: given.value('evidence'),
    requests: given.value('requests'),
    checkToken: given.value('github_token'),
    deadline: 1000 * given.value('deadline'),
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
