/** The error codes with their exit codes. `npm run generate` writes the tables of README.md and docs/ from them. */
const table = {
  INPUT: {
    exit: 80,
    means: 'an input is wrong; nothing was sent to the network',
    todo: 'The message names each wrong input, its fault and a value that works. If a value was damaged by copying (quotes, lost line ends, a second base64, `REDACTED`), the message has the command that gives the right value. Correct all of them, then run the job again.',
  },
  IDENTITY: {
    exit: 81,
    means: 'the job has no identity, or more than one',
    todo: 'On GitHub the job needs `permissions: id-token: write`; on GitLab it needs the `id_tokens` of the template. If the job has two identities, set `identity`. If the audience is wrong, set `audience`. If an ID token of GitLab has expired, raise `timeout`. kubepass does not send a token that has expired or is not valid yet; the message shows its times. If an internal CA signed the certificate of the ID token service of GitHub, name that CA in `NODE_EXTRA_CA_CERTS`. If the program of a kubeconfig failed, the message shows the last lines of its standard error: to see all of them, run the program in an earlier step.',
  },
  REFUSED: {
    exit: 82,
    means: 'the API server refused',
    todo: 'For 403 the message has the RBAC rule to add, or the message of the admission policy; the API server also answers 403 if the namespace or the ServiceAccount does not exist. For 401 the API server gives no reason: compare the claims in the message with its `--authentication-config`, or its `--oidc` flags (issuer, audience, claim rules), or read its log. For 404 the message has the command that creates the namespace or the ServiceAccount. If the API server answered about another resource than the one in the request, `server` has a path that is not part of the URL.',
  },
  UNREACHABLE: {
    exit: 83,
    means: 'kubepass did not reach the API server, or something else answered in its place',
    todo: 'Check `server`, `certificate_authority` and `tls_server_name`; behind a proxy `proxy_url` or `HTTPS_PROXY`. kubepass trusts only the CA that you give. An answer that is no Kubernetes Status (HTML, other JSON) or a redirect comes from a gateway, a firewall, a captive portal or a login page in between. Before the scan, kubepass tries a host without an address for 5 s only; it retries after other failures until `deadline`. After 3 s the log says so.',
  },
  RIGHTS: {
    exit: 84,
    means: 'the token is not the one that was asked for',
    todo: 'kubepass revoked the token before any use. Look for a gateway that changes requests, or for a signing plugin of the API server.',
  },
  LEAK: { exit: 85, means: 'a secret leaked (reserved)', todo: 'Not in use yet.' },
  NOT_REVOKED: {
    exit: 86,
    means: 'the credential was not revoked; this code takes precedence over all others',
    todo: 'The message says when the token expires. To end it now, delete the Secret that the evidence names: `kubectl delete secret -n NAMESPACE NAME`. Then remove the cause that the message shows: a missing right to delete Secrets, a network failure, or an ID token that has expired.',
  },
  TAMPERED: {
    exit: 87,
    means: "the scan wrote to the runner's command files",
    todo: 'kubepass removed the text from the files, so that no later step uses it. If this was no attack, set variables and outputs for later steps in a separate step. Or name the file in `pass_env`: then the scan may write to it.',
  },
  TIMEOUT: {
    exit: 124,
    means: 'the scan took longer than `max_scan`, so kubepass ended it',
    todo: 'kubepass revoked the credential. Find out what the scan waits for; if it needs more time, raise `max_scan`.',
  },
  COMMAND_NOT_FOUND: {
    exit: 127,
    means: 'the command names no executable program; nothing was sent to the network',
    todo: 'The message names the program. Correct the name, install the program, or make the file executable. A shell also uses 127 for an unknown program.',
  },
  INTERRUPTED: {
    exit: 130,
    means: 'a signal ended the run: SIGHUP (129), SIGINT (130) or SIGTERM (143)',
    todo: 'The job was cancelled, or reached a time limit. kubepass revoked the credential; if it had no time for that, the post step did: read the log of the post step.',
  },
  INTERNAL: { exit: 1, means: 'a defect of kubepass', todo: 'Please report it with the log; the log holds no secret.' },
} as const satisfies Record<string, { exit: number; means: string; todo: string }>

export type Code = keyof typeof table
export const errorCodes: Readonly<Record<Code, { exit: number; means: string; todo: string }>> = table

interface Details {
  /** What the user must do, such as the line, flag or RBAC rule to add. */
  hint?: string | undefined
  cause?: unknown
  /** True if the server certainly did not do what the request asked for. */
  noEffect?: boolean
  /** True if the response was longer than the limit for responses. */
  responseTooLarge?: boolean
}

/** An error that a user can act on. Its texts hold no secret, no unquoted foreign bytes and no response body. */
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

/** The code that Node.js gives a failed call, such as ENOENT; empty if the error has none. */
export function errnoOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** Returns the message, the chain of causes and the hint, one a line; no stack, because a stack does not help a user. */
export function describe(error: unknown): string {
  const lines = messagesOf(error)
  if (error instanceof KubepassError && error.hint !== undefined) lines.push(error.hint)
  return lines.join('\n')
}

/** Returns the message and the chain of causes, without the hint, on one line. */
export function reasonOf(error: unknown): string {
  return messagesOf(error).join(' ').replaceAll(/\s+/g, ' ').trim()
}

/** The message, then the chain of causes. */
function messagesOf(error: unknown): string[] {
  const messages = [messageOf(error)]
  for (let cause = causeOf(error); cause !== undefined; cause = causeOf(cause)) messages.push(`Caused by: ${messageOf(cause)}`)
  return messages
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined
}
