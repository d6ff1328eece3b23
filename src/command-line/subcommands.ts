import type { Code } from '../base/errors.ts'
import { type ExtraFlagName, terminalInputs } from '../config/flags.ts'
import type { InputId } from '../config/inputs.ts'

/** A command of the terminal program. Its parser, its help and its completion are made from this table. */
export interface Subcommand {
  /** The effect of the command, in one line. */
  readonly summary: string
  /** The words that follow the flags, as the usage shows them. */
  readonly operands: string
  /** How many words the command takes besides its flags, without those after `--`. */
  readonly operandCount: 0 | 1 | 'one or more'
  readonly inputs: readonly InputId[]
  readonly extraFlags: readonly ExtraFlagName[]
  /** Command lines, each with what it does. */
  readonly examples: readonly (readonly [what: string, line: string])[]
  /** The exit codes besides 0. */
  readonly exitCodes: readonly Code[]
  /** The meaning of exit code 1 if the command itself ends with it. */
  readonly exitCode1?: string
}

export const completionShells = ['bash', 'zsh', 'fish'] as const
export type CompletionShell = (typeof completionShells)[number]

export type SubcommandName = 'run' | 'revoke' | 'sweep' | 'suggest' | 'decode' | 'completion' | 'version'

/** The inputs for the address of the API server, the identity and the time limit. */
const ACCESS = [
  'server',
  'certificate_authority',
  'service_account',
  'identity',
  'token_file',
  'kubeconfig',
  'context',
  'allow_exec',
  'proxy_url',
  'tls_server_name',
  'deadline',
] as const satisfies readonly InputId[]

export const subcommands: Readonly<Record<SubcommandName, Subcommand>> = {
  run: {
    summary: 'Issue a credential, run the command with it, revoke the credential and prove that it is dead.',
    operands: '-- COMMAND [ARG ...]',
    operandCount: 0,
    inputs: terminalInputs,
    extraFlags: ['quiet'],
    examples: [
      [
        'With the current context of kubectl as the identity:',
        'kubepass run --service-account kubepass/scanner -- kubectl get pods --namespace payments',
      ],
      [
        'With a token from a file as the identity:',
        'kubepass run --server https://10.0.0.1:6443 --certificate-authority ca.crt \\\n    --service-account kubepass/scanner --token-file issuer.token -- trivy k8s --report summary',
      ],
    ],
    exitCodes: [
      'INPUT',
      'IDENTITY',
      'REFUSED',
      'UNREACHABLE',
      'RIGHTS',
      'NOT_REVOKED',
      'TIMEOUT',
      'COMMAND_NOT_FOUND',
      'INTERRUPTED',
      'INTERNAL',
    ],
  },
  revoke: {
    summary: 'Finish a run that was killed, from the run state that it left. Give the flags, variables and kubeconfig of that run.',
    operands: 'STATE-FILE',
    operandCount: 1,
    inputs: terminalInputs,
    extraFlags: ['quiet'],
    examples: [
      ['After a crash of the machine:', 'kubepass revoke --service-account kubepass/scanner /tmp/kubepass-0123456789abcdef.state.json'],
    ],
    exitCodes: ['INPUT', 'IDENTITY', 'NOT_REVOKED', 'INTERRUPTED', 'INTERNAL'],
  },
  sweep: {
    summary: 'Delete the bound Secrets of runs that are over, in the namespace of the ServiceAccount.',
    operands: '',
    operandCount: 0,
    inputs: ACCESS,
    extraFlags: ['dry-run', 'json', 'github-token-file', 'gitlab-token-file', 'quiet'],
    examples: [['To see what it would delete:', 'kubepass sweep --service-account kubepass/scanner --dry-run']],
    exitCodes: ['INPUT', 'IDENTITY', 'REFUSED', 'UNREACHABLE', 'INTERRUPTED', 'INTERNAL'],
  },
  suggest: {
    summary: 'Print the smallest Roles and bindings that allow what the runs of the evidence files used.',
    operands: 'EVIDENCE ...',
    operandCount: 'one or more',
    inputs: [],
    extraFlags: ['check'],
    examples: [
      ['For the evidence of two runs:', 'kubepass suggest monday.json tuesday.json > role.yaml'],
      ['In the review of a change:', 'kubepass suggest --check role.yaml kubepass-evidence.json'],
    ],
    exitCodes: ['INPUT'],
    exitCode1: 'with --check: a right was used that the manifest does not grant',
  },
  decode: {
    summary: 'Print header and claims of the token on standard input, without its signature.',
    operands: '< TOKEN',
    operandCount: 0,
    inputs: [],
    extraFlags: [],
    examples: [['For the token of a Pod:', 'kubepass decode < /var/run/secrets/kubernetes.io/serviceaccount/token']],
    exitCodes: ['INPUT'],
  },
  completion: {
    summary: 'Print the script that completes the words of kubepass in a shell.',
    operands: completionShells.join('|'),
    operandCount: 1,
    inputs: [],
    extraFlags: [],
    examples: [
      ['In ~/.bashrc:', 'eval "$(kubepass completion bash)"'],
      ['In ~/.zshrc, after compinit:', 'eval "$(kubepass completion zsh)"'],
      ['For fish:', 'kubepass completion fish > ~/.config/fish/completions/kubepass.fish'],
    ],
    exitCodes: ['INPUT'],
  },
  version: {
    summary: 'Print the version.',
    operands: '',
    operandCount: 0,
    inputs: [],
    extraFlags: [],
    examples: [],
    exitCodes: [],
  },
}

export const subcommandNames = Object.keys(subcommands) as SubcommandName[]

/** How to call the command. */
export function usageOf(name: SubcommandName): string {
  const { inputs, extraFlags: extra, operands } = subcommands[name]
  return ['kubepass', name, ...(inputs.length + extra.length > 0 ? ['[FLAGS]'] : []), operands].join(' ').trimEnd()
}

export function isSubcommandName(word: string): word is SubcommandName {
  return subcommandNames.some((name) => name === word)
}
