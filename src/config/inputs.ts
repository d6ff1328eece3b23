/** One input. The action, the GitLab templates, the flags with their help, and the README's table are made from these. */
export interface Input {
  description: string
  /** A valid value, shown in the message about an invalid one. */
  example: string
  default: string
  /** The default in action.yml, if it is an expression. */
  actionDefault?: string
  required?: true | 'unless kubeconfig or in-cluster'
  /** Never quoted in a message, and no flag, because every user of the machine can read argv. */
  secret?: true | 'unless a path'
  options?: readonly string[]
  /** The options that every other platform refuses. */
  optionsOnly?: Readonly<Record<string, 'github' | 'gitlab'>>
  /** Set for inputs whose value can be a path. A shell then completes the value with the names of files or folders. */
  path?: 'file' | 'folder'
  /** The input has no effect in a terminal. */
  ciOnly?: true
  /** The only platform on which the input has an effect. */
  only?: 'github' | 'gitlab'
  /**
   * Set for inputs that decide which server gets the identity, or what becomes visible of it. On GitLab such an input is a flag,
   * because everybody who may run a pipeline can set any variable. The pattern (RE2 and JavaScript) refuses characters that
   * could end the quotes around the flag.
   */
  guard?: string
}

const table = {
  server: {
    description: 'URL of the Kubernetes API server, https only; a path prefix, as in Rancher, is kept.',
    example: 'https://10.0.0.1:6443',
    default: '',
    required: 'unless kubeconfig or in-cluster',
    guard: String.raw`^(|https://[A-Za-z0-9.:/_~%\[\]-]+)$`,
  },
  certificate_authority: {
    description:
      "The API server's CA certificate: PEM text, its base64, or the path of a file with either. system: the public CAs that the system trusts, also with a kubeconfig that has no CA.",
    example: '/etc/kubernetes/pki/ca.crt',
    default: '',
    path: 'file',
    required: 'unless kubeconfig or in-cluster',
    guard: String.raw`^[A-Za-z0-9+/=._ \r\n-]*$`,
  },
  service_account: {
    description: 'The ServiceAccount whose token the scan gets, as NAMESPACE/NAME.',
    example: 'kubepass/scanner',
    default: '',
    required: true,
    guard: '^[a-z0-9.-]+/[a-z0-9.-]+$',
  },
  namespace: {
    description: "The default namespace in the scan's kubeconfig; the ServiceAccount's own when empty.",
    example: 'payments',
    default: '',
  },
  context_name: {
    description:
      "Name of cluster, context and user in the scan's kubeconfig, which scanners print as the account; the server's host and port when empty.",
    example: 'production',
    default: '',
  },
  command: {
    description: 'The scan, run by bash with -eo pipefail. On GitHub, without a command, later steps of the job can use the credential.',
    example: 'kubectl get pods',
    default: '',
  },
  shell: {
    description: 'The shell that runs the command. sh has no pipefail, so that a failure inside a pipe is lost.',
    example: 'bash',
    default: 'bash',
    options: ['bash', 'sh'],
  },
  accept_exit_codes: {
    description: 'Exit codes of the scan that count as success on a CI, separated by commas; 0,100,101 suits CINC Auditor.',
    example: '0,100,101',
    default: '0',
    ciOnly: true,
  },
  env: {
    description: "The scan's environment: inherit (without the runner's secrets) or clean (PATH, HOME, locale and pass_env only).",
    example: 'clean',
    default: 'inherit',
    options: ['inherit', 'clean'],
  },
  pass_env: {
    description: 'Names of variables that the scan gets although kubepass would withhold them, separated by commas or spaces.',
    example: 'AWS_REGION,HTTPS_PROXY',
    default: '',
  },
  isolate: {
    description:
      "Whether the scan runs in its own user and PID namespaces, so that an ordinary user's scan cannot reach kubepass: auto (if the machine allows it), required (not as root), or off (for sudo, rootless containers, ssh with root's included configuration, or a scan that sees other processes).",
    example: 'auto',
    default: 'auto',
    options: ['auto', 'required', 'off'],
    guard: '^(auto|required|off)$',
  },
  identity: {
    description: 'Who the job is to the API server. auto uses the given token or kubeconfig, else the only identity that the job has.',
    example: 'github-oidc',
    default: 'auto',
    options: ['auto', 'token', 'github-oidc', 'gitlab-oidc', 'kubeconfig', 'in-cluster'],
    optionsOnly: { 'github-oidc': 'github', 'gitlab-oidc': 'gitlab' },
    guard: '^[a-z-]*$',
  },
  token: {
    description: 'Identity "token": any bearer token that the API server accepts.',
    example: 'eyJhbGciOiJSUzI1NiIs...',
    default: '',
    secret: true,
  },
  token_file: {
    description: 'Identity "token": the path of a file with the token; in a terminal also a pipe or - (standard input).',
    example: '/var/run/secrets/token',
    default: '',
    path: 'file',
  },
  kubeconfig: {
    description:
      'Identity "kubeconfig": the path of a kubeconfig; on a CI also its content or the base64 of it, in a terminal also a pipe or - (standard input). It also names the API server.',
    example: '/etc/kubepass/kubeconfig',
    default: '',
    path: 'file',
    secret: 'unless a path',
  },
  context: {
    description: 'Identity "kubeconfig": the context to use; its current-context when empty.',
    example: 'production',
    default: '',
    guard: '^[A-Za-z0-9.:@_/-]*$',
  },
  allow_exec: {
    description: 'Identity "kubeconfig": whether it may name a program (exec) that kubepass runs to get the credential.',
    example: 'true',
    default: 'false',
    options: ['true', 'false'],
    guard: '^(true|false)$',
  },
  allow_own_kubeconfig: {
    description: 'Whether the command may name a kubeconfig of the caller: a file of KUBECONFIG, ~/.kube/config, or the input kubeconfig.',
    example: 'true',
    default: 'false',
    options: ['true', 'false'],
    guard: '^(true|false)$',
  },
  allow: {
    description:
      'Which requests of the scan may pass: granted (all that RBAC grants), read (get, list, watch, logs and self reviews), or RBAC rules as YAML or the path of a file. It can only narrow what RBAC grants.',
    example: 'read',
    default: 'granted',
    path: 'file',
    // Without quotes: a rule without apiGroups is for the core group.
    guard: String.raw`^[A-Za-z0-9._:/,*{}\[\] \r\n-]*$`,
  },
  audience: {
    description:
      "Audience of the job's ID token. Give the server's URL, so that no other cluster can use the token. On GitHub that is the default; on GitLab only the identity gitlab-oidc needs it.",
    example: 'https://10.0.0.1:6443',
    default: '',
    ciOnly: true,
    guard: String.raw`^[^'\s]*$`,
  },
  duration: {
    description: 'Life of the credential, from 10m: 15m, 900s, 1h or seconds.',
    example: '15m',
    default: '15m',
  },
  max_duration: {
    description: 'The longest allowed duration of one credential. max_scan limits how long a scan has access.',
    example: '2h',
    default: '60m',
  },
  rotate_grace: {
    description:
      'If a scan outlives its credential: how long after the renewal kubepass revokes the old credential; when empty, the old one lives until its expiry. From 60s, only for scans that re-read the kubeconfig, as Go programs do.',
    example: '120s',
    default: '',
  },
  max_scan: {
    description: 'The longest time that the scan may take. Then kubepass ends the scan and revokes the credential.',
    example: '45m',
    default: '6h',
  },
  token_audiences: {
    description: "Audiences of the credential, separated by commas or spaces; the API server's own when empty.",
    example: 'https://vault.example.com',
    default: '',
  },
  revocation: {
    description:
      'required: kubepass fails unless it can revoke, and does revoke, the credential. best-effort: if it cannot, it warns and goes on.',
    example: 'required',
    default: 'required',
    options: ['required', 'best-effort'],
  },
  prove: {
    description: 'When to prove that the credential is dead: wait (after the scan, up to 15 s), post (in the post step, on GitHub), off.',
    example: 'wait',
    default: 'wait',
    options: ['wait', 'post', 'off'],
    optionsOnly: { post: 'github' },
  },
  proof_samples: {
    description: 'How many refusals in a row, each on a new connection, make the proof. Give more for API servers behind a load balancer.',
    example: '3',
    default: '3',
  },
  delivery: {
    description:
      'How the scan reaches the API server: through the API proxy of kubepass (proxy), so that it never gets the token; with the token in its kubeconfig (kubeconfig), for a scan that cannot reach 127.0.0.1; also with the token in a variable (env), or in the output "token" (output, on GitHub). auto: proxy with a command, else kubeconfig.',
    example: 'auto',
    default: 'auto',
    options: ['auto', 'proxy', 'kubeconfig', 'env', 'output'],
    optionsOnly: { output: 'github' },
    guard: '^(auto|proxy|kubeconfig|env|output)$',
  },
  token_variable: {
    description: 'Delivery "env": the variable\'s name. A second variable, which ends in _FILE, names the file of the token.',
    example: 'KUBE_TOKEN',
    default: 'KUBE_TOKEN',
  },
  directory: {
    description:
      "The folder in which kubepass creates the private directory of the kubeconfig; the runner's temp when empty, /dev/shm for memory only.",
    example: '/dev/shm',
    default: '',
    path: 'folder',
  },
  proxy_url: {
    description: 'HTTP proxy to the API server, for kubepass and the kubeconfig.',
    example: 'http://proxy.example.com:3128',
    default: '',
  },
  tls_server_name: {
    description: "The name in the API server's certificate, if it differs from the URL's host.",
    example: 'kubernetes.default.svc',
    default: '',
    guard: '^[A-Za-z0-9.-]*$',
  },
  deadline: {
    description: 'Time limit for everything before the scan, and again for the revocation after it.',
    example: '60s',
    default: '60s',
  },
  evidence: {
    description:
      'File to write the evidence to, as JSON (schema: docs/evidence.schema.json); kubepass creates its folder. In a terminal - is standard output.',
    example: 'kubepass-evidence.json',
    default: '',
    path: 'file',
  },
  requests: {
    description: 'File with one line of JSON for each request of the scan; kubepass creates its folder. It needs the API proxy.',
    example: 'kubepass-requests.jsonl',
    default: '',
    path: 'file',
  },
  report: {
    description:
      'Where kubepass shows the evidence besides the log: summary (of the job), or check (also a check run; needs checks: write).',
    example: 'check',
    default: 'summary',
    options: ['summary', 'check'],
    ciOnly: true,
    only: 'github',
  },
  github_token: {
    description: 'The token that creates the check run.',
    example: '${{ github.token }}',
    default: '',
    actionDefault: '${{ github.token }}',
    secret: true,
    ciOnly: true,
    only: 'github',
  },
  allow_debug_trace: {
    description: 'Run although CI_DEBUG_TRACE shows every variable, and so the ID token, in the log.',
    example: 'false',
    default: 'false',
    options: ['true', 'false'],
    ciOnly: true,
    only: 'gitlab',
    guard: '^(true|false)$',
  },
} as const satisfies Record<string, Input>

export type InputId = keyof typeof table

/** One of the words that an input with `options` allows; never for any other input. */
export type Choice<Id extends InputId> = (typeof table)[Id] extends { readonly options: readonly (infer Word)[] } ? Word : never

export const inputs: Readonly<Record<InputId, Input>> = table
export const inputIds = Object.keys(table) as InputId[]

/** The options that a platform does not refuse; undefined if the input has no options. */
export function optionsOn(platform: 'github' | 'gitlab' | 'terminal', id: InputId): readonly string[] | undefined {
  const { options, optionsOnly = {} } = inputs[id]
  return options?.filter((option) => [undefined, platform].includes(optionsOnly[option]))
}

/** The part of a message that shows a valid value. */
export function exampleOf(id: InputId): string {
  return `for example: ${inputs[id].example}`
}

/**
 * The audience on GitLab if the job gives none, because its identity needs no ID token. GitLab issues an ID token anyway, and no
 * cluster accepts a token with this audience.
 */
export const NO_AUDIENCE = 'no-audience.invalid'

export interface Output {
  description: string
}

/** The outputs of the action, for later steps of a GitHub job. */
export const outputs = {
  kubeconfig: { description: 'Path of the kubeconfig (without command).' },
  expires_at: { description: 'When the credential expires by itself, ISO 8601.' },
  credential_id: { description: "The credential's id as the audit log writes it: JTI=..." },
  exit_code: { description: "The scan's own exit code (with command)." },
  token: { description: 'The token itself, masked; only with delivery: output.' },
  token_file: { description: 'Path of the file with the token; only with delivery: output.' },
} as const satisfies Record<string, Output>

export type OutputId = keyof typeof outputs
