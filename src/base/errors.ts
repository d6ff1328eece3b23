/** What went wrong, as tests and exit codes know it. The README and docs/troubleshooting.md are made of this. */
const table = {
  INPUT: {
    exit: 80,
    means: 'an input is wrong; nothing was sent to the network',
    todo: 'Each wrong input is named, with what is wrong and a value that works. A value that was damaged on its way (quotes, lost line ends, a second base64, `REDACTED`) is named with the command that gives the right one. Correct them all, then run the job again.',
  },
  IDENTITY: {
    exit: 81,
    means: 'there is no identity, or more than one',
    todo: 'On GitHub the job needs `permissions: id-token: write`, on GitLab the `id_tokens` of the template. If two are there, set `identity`. An audience that does not fit is the input `audience`; an ID token that has expired on GitLab needs a longer `timeout`. A token that has expired, or is not valid yet, is named with its times before it is sent. If the ID token service of GitHub has a certificate of an internal CA, name that CA in `NODE_EXTRA_CA_CERTS`. If the program of a kubeconfig failed, the last lines of its standard error are shown: run it in a step before, to see them all.',
  },
  REFUSED: {
    exit: 82,
    means: 'the API server refused',
    todo: 'For 403 the message has the RBAC rule to add, or the words of the admission policy; the API server answers 403, too, for a namespace or a ServiceAccount that does not exist. For 401 the API server gives no reason: compare the claims that are shown with its `--authentication-config`, or its `--oidc` flags (issuer, audience, claim rules), or read its log. For 404 the message has the command that creates the namespace or the ServiceAccount. If the API server answered for something else than was asked for, `server` has a path that is not part of the URL.',
  },
  UNREACHABLE: {
    exit: 83,
    means: 'the API server was not reached, or something else answered for it',
    todo: 'Check `server`, `certificate_authority` and `tls_server_name`; behind a proxy `proxy_url` or `HTTPS_PROXY`. Nothing is trusted but the CA that you give. An answer that is no Kubernetes Status (HTML, other JSON) or a redirect comes from a gateway, a firewall, a captive portal or a login page in between. Before the scan a host without an address is tried for 5 s only; all else is tried for `deadline`, which the log tells after 3 s.',
  },
  RIGHTS: {
    exit: 84,
    means: 'the token is not the one that was asked for',
    todo: 'It was revoked unused. Look for a gateway that changes requests, or for a signing plugin of the API server.',
  },
  LEAK: { exit: 85, means: 'a secret leaked (reserved)', todo: 'Not in use yet.' },
  NOT_REVOKED: {
    exit: 86,
    means: 'the credential was not revoked; beats every other code',
    todo: 'The message says when the token dies by itself. To end it now, delete the Secret that the evidence names: `kubectl delete secret -n NAMESPACE NAME`. Then see the cause that is shown: a missing right to delete Secrets, a network that broke, or an ID token that ran out.',
  },
  TAMPERED: {
    exit: 87,
    means: "the scan wrote to the runner's command files",
    todo: 'What it wrote there was removed, so that no later step believes it. If that was no attack: a variable or an output for later steps is set by a step of its own, or name the file in `pass_env`, and the scan may write to it.',
  },
  TIMEOUT: {
    exit: 124,
    means: 'the scan took longer than `max_scan`, and was ended',
    todo: 'The credential was revoked. See what the scan waits for; if it needs the time, raise `max_scan`.',
  },
  INTERRUPTED: {
    exit: 130,
    means: 'ended by SIGHUP (129), SIGINT (130) or SIGTERM (143)',
    todo: 'The job was cancelled, or ran into a time limit. The credential was revoked; what was left open, the post step has finished: read its log.',
  },
  INTERNAL: { exit: 1, means: 'a defect of kubepass', todo: 'Please report it, with the log; it holds no secret.' },
} as const satisfies Record<string, { exit: number; means: string; todo: string }>

export type Code = keyof typeof table
export const errorCodes: Readonly<Record<Code, { exit: number; means: string; todo: string }>> = table

interface Details {
  /** What to do about it: the line, flag or RBAC rule to add. */
  hint?: string | undefined
  cause?: unknown
  /** What was asked for has surely not happened. */
  noEffect?: boolean
  /** There was an answer, longer than any that is read. */
  responseTooLarge?: boolean
}

/** An error that a user can act on. Its texts hold no secret, no foreign bytes unquoted, no response body. */
export class KubepassError extends Error {
  readonly code: Code
  readonly hint: string | undefined
  readonly noEffect: boolean
  readonly responseTooLarge: boolean

  constructor(code: Code, message: string, details: Details = {}) {
    super(message, { cause: details.cause })
    this.name = 'KubepassError'
    this.code = code
    this.hint = details.hint
    this.noEffect = details.noEffect ?? false
    this.responseTooLarge = details.responseTooLarge ?? false
  }
}

export function codeOf(error: unknown): Code {
  return error instanceof KubepassError ? error.code : 'INTERNAL'
}

export function exitCodeOf(error: unknown): number {
  return table[codeOf(error)].exit
}

/** Node's own code of a failed call, like ENOENT; empty when there is none. */
export function errnoOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** The message, the chain of causes, then the hint. Never a stack. */
export function describe(error: unknown): string {
  const lines = [messageOf(error)]
  for (let cause = causeOf(error); cause !== undefined; cause = causeOf(cause)) lines.push(`Caused by: ${messageOf(cause)}`)
  if (error instanceof KubepassError && error.hint !== undefined) lines.push(error.hint)
  return lines.join('\n')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined
}
