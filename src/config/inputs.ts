/** One input. The action, the GitLab component, the command line, their help and the README's table are made from these. */
export interface Input {
  description: string
  /** A value that works, shown when the one given does not. */
  example: string
  default: string
  /** In action.yml, where it is an expression. */
  actionDefault?: string
  required?: true | 'unless kubeconfig or in-cluster'
  /** Never echoed, and not a flag: argv can be read by every user of the machine. */
  secret?: true | 'unless a path'
  options?: readonly string[]
  /** Means nothing in a terminal. */
  ciOnly?: true
  /** Means nothing elsewhere. */
  only?: 'github' | 'gitlab'
  /**
   * It decides where the identity goes, or what is seen of it. On GitLab, where any variable can be overruled
   * from outside, it is therefore a flag; the pattern (RE2 and JavaScript) keeps out what quotes would not hold.
   */
  guard?: string
}

const table = {
  server: {
    description: 'URL of the Kubernetes API server, https only; a path prefix (as Rancher has it) is kept.',
    example: 'https://10.0.0.1:6443',
    default: '',
    required: 'unless kubeconfig or in-cluster',
    guard: String.raw`^(|https://[A-Za-z0-9.:/_~%\[\]-]+)$`,
  },
  certificate_authority: {
    description:
      "The API server's CA certificate: PEM text, its base64, or the path of a file that holds it; system: the public CAs that the system trusts, also beside a kubeconfig without a CA.",
    example: '/etc/kubernetes/pki/ca.crt',
    default: '',
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
    description: 'The scan, run by bash with -eo pipefail. On GitHub, without it, the credential is there for the later steps of the job.',
    example: 'kubectl get pods',
    default: '',
  },
  shell: {
    description: 'What runs the command. sh has no pipefail: a failing pipe turns green.',
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
    description: 'Names of variables that the scan gets although they would be withheld, separated by commas or spaces.',
    example: 'AWS_REGION,HTTPS_PROXY',
    default: '',
  },
  isolate: {
    description:
      "Whether the scan runs in user and PID namespaces of its own, where kubepass is out of an ordinary user's reach: auto (if that is allowed), required (not as root), or off (for sudo, rootless containers, ssh with root's included configuration, or a scan that sees other processes).",
    example: 'auto',
    default: 'auto',
    options: ['auto', 'required', 'off'],
    guard: '^(auto|required|off)$',
  },
  identity: {
    description: 'Who the job is towards the API server; auto takes the token or kubeconfig that is given, else the one that is there.',
    example: 'github-oidc',
    default: 'auto',
    options: ['auto', 'token', 'github-oidc', 'gitlab-oidc', 'kubeconfig', 'in-cluster'],
    guard: '^[a-z-]*$',
  },
  token: {
    description: 'Identity "token": any bearer token that the API server accepts.',
    example: 'eyJhbGciOiJSUzI1NiIs...',
    default: '',
    secret: true,
  },
  token_file: {
    description: 'Identity "token": the path of a file or (terminal only) a pipe that holds it; - reads standard input.',
    example: '/var/run/secrets/token',
    default: '',
  },
  kubeconfig: {
    description:
      'Identity "kubeconfig": the path of a kubeconfig, on a CI its content (base64 will do), in a terminal a pipe or - (standard input). The API server comes from it.',
    example: '/etc/kubepass/kubeconfig',
    default: '',
    secret: 'unless a path',
  },
  context: {
    description: 'Identity "kubeconfig": the context that counts; its current-context when empty.',
    example: 'production',
    default: '',
    guard: '^[A-Za-z0-9.:@_/-]*$',
  },
  allow_exec: {
    description: 'Identity "kubeconfig": whether it may name a program (exec) to run for the credential.',
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
  audience: {
    description:
      "Audience of the job's ID token: the server's URL, so that no other cluster can replay it. On GitHub that is the default; on GitLab only identity gitlab-oidc needs it.",
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
    description: 'The longest duration allowed, of one credential; how long a scan has access is max_scan.',
    example: '2h',
    default: '60m',
  },
  rotate_grace: {
    description:
      'While a scan outlives its credential: how long after its replacement the one before it is ended; at its own expiry when empty. From 60s, for scans of which all re-read the kubeconfig, as Go programs do.',
    example: '120s',
    default: '',
  },
  max_scan: {
    description: 'The longest time that the scan may take: then it is ended, and the credential revoked.',
    example: '45m',
    default: '6h',
  },
  token_audiences: {
    description: "Audiences of the credential, separated by commas or spaces; the API server's own when empty.",
    example: 'https://vault.example.com',
    default: '',
  },
  revocation: {
    description: 'required: fail unless the credential can be, and is, revoked. best-effort: go on without, and say so.',
    example: 'required',
    default: 'required',
    options: ['required', 'best-effort'],
  },
  prove: {
    description: 'When to prove that the credential is dead: wait (here, up to 15 s), post (in the post step, on GitHub), off.',
    example: 'wait',
    default: 'wait',
    options: ['wait', 'post', 'off'],
  },
  proof_samples: {
    description: 'Refusals in a row, each on a new connection, that make the proof; more for servers behind a balancer.',
    example: '3',
    default: '3',
  },
  delivery: {
    description:
      'Beside the kubeconfig, the token itself: nowhere else (kubeconfig), in a variable (env), or as the output "token" (output, on GitHub).',
    example: 'kubeconfig',
    default: 'kubeconfig',
    options: ['kubeconfig', 'env', 'output'],
  },
  token_variable: {
    description: 'Delivery "env": the variable\'s name.',
    example: 'KUBE_TOKEN',
    default: 'KUBE_TOKEN',
  },
  directory: {
    description: "Where the private directory of the kubeconfig is made; the runner's temp when empty, /dev/shm for memory only.",
    example: '/dev/shm',
    default: '',
  },
  proxy_url: {
    description: 'HTTP proxy towards the API server, for kubepass and the kubeconfig.',
    example: 'http://proxy.example.com:3128',
    default: '',
  },
  tls_server_name: {
    description: "The name in the API server's certificate, where it is not the URL's host.",
    example: 'kubernetes.default.svc',
    default: '',
    guard: '^[A-Za-z0-9.-]*$',
  },
  deadline: {
    description: 'Time limit for all that comes before the scan, and again for the revocation after it.',
    example: '60s',
    default: '60s',
  },
  evidence: {
    description:
      'File to write the evidence to, as JSON (schema: docs/evidence.schema.json); its folder is made. In a terminal - is standard output.',
    example: 'kubepass-evidence.json',
    default: '',
  },
  report: {
    description: 'Where the evidence is shown beside the log: summary (of the job), or check (also a check run; needs checks: write).',
    example: 'check',
    default: 'summary',
    options: ['summary', 'check'],
    ciOnly: true,
    only: 'github',
  },
  github_token: {
    description: 'The token that makes the check run.',
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
export const inputs: Readonly<Record<InputId, Input>> = table
export const inputIds = Object.keys(table) as InputId[]

/** The part of an error that shows a value that works. */
export function exampleOf(id: InputId): string {
  return `for example: ${inputs[id].example}`
}

/**
 * The audience on GitLab if the job gives none, because its identity needs no ID token. GitLab makes an ID token all the
 * same, and no cluster accepts it.
 */
export const NO_AUDIENCE = 'no-audience.invalid'

export interface Output {
  description: string
}

/** What later steps of a GitHub job can read. */
export const outputs = {
  kubeconfig: { description: 'Path of the kubeconfig (without command).' },
  expires_at: { description: 'When the credential expires by itself, ISO 8601.' },
  credential_id: { description: "The credential's id as the audit log writes it: JTI=..." },
  exit_code: { description: "The scan's own exit code (with command)." },
  token: { description: 'The token itself, masked; only with delivery: output.' },
} as const satisfies Record<string, Output>

export type OutputId = keyof typeof outputs
