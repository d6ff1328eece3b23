import type { V1Status } from '@kubernetes/client-node'
import { certificateLines } from '../certificate.ts'
import { claimsOf, isoTime } from '../credential.ts'
import { KubepassError } from '../errors.ts'
import { TooLong, type Http, type Response } from '../http.ts'
import type { AuthInfo } from '../identity/identity.ts'
import { PROXY_EXAMPLE } from '../proxy-variables.ts'
import { quote } from '../quote.ts'
import { canHeal, isUntrusted, proxyStatusOf, reasonOf, retried, wantsCertificate } from '../retry.ts'
import type { Secret } from '../secret.ts'

export interface Call {
  method: 'GET' | 'POST' | 'DELETE'
  /** Behind the server's URL: /api/v1/... */
  path: string
  auth: AuthInfo
  body?: object
  /** What form of answer; JSON when undefined. */
  accept?: string
  /** A connection of its own instead of the one that is kept open. */
  anew?: boolean
}

export interface Answer {
  status: number
  /** The JSON document; undefined when the body was none. */
  body: unknown
  /** Texts of the Warning headers: foreign, quote them. */
  warnings: string[]
  /** An earlier try whose answer was lost may have taken effect. */
  mayHaveActed: boolean
}

/** The one place that speaks to the API server. */
export class KubeClient {
  readonly server: string
  readonly #http: Http
  readonly #userAgent: string
  readonly #say: (text: string) => void

  constructor(http: Http, server: string, userAgent: string, say: (text: string) => void) {
    this.#http = http
    this.server = server
    this.#userAgent = userAgent
    this.#say = say
  }

  /** Sends the call until it has an answer that trying again cannot change, or `signal` ends it. */
  async call(call: Call, signal: AbortSignal): Promise<Answer> {
    const tellRetry = (why: string): void => this.#say(`${new URL(this.server).host} does not answer as it should (${why}); trying again.`)
    const { last, mayHaveActed } = await retried((attempt) => this.#send(call, attempt), signal, tellRetry)
    if ('failure' in last) throw last.failure instanceof KubepassError ? last.failure : this.#unreachable(call, last.failure, !mayHaveActed)
    if (canHeal(last.status))
      throw new KubepassError('UNREACHABLE', `The API server keeps answering ${last.status} to ${call.method} ${call.path}.`, {
        hint: 'Is it overloaded or starting, or is it a gateway that answers, with no API server behind it? Run the job again, or raise deadline.',
      })
    return answerOf(last, mayHaveActed)
  }

  close(): void {
    this.#http.close()
  }

  #send(call: Call, signal: AbortSignal): Promise<Response> {
    const request = {
      url: new URL(this.server + call.path),
      method: call.method,
      headers: {
        accept: call.accept ?? 'application/json',
        'user-agent': this.#userAgent,
        ...('bearer' in call.auth ? { authorization: `Bearer ${call.auth.bearer.reveal()}` } : {}),
        ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      ...('bearer' in call.auth ? {} : { clientCertificate: call.auth }),
      signal,
    }
    return call.anew ? this.#http.exchangeAnew(request) : this.#http.exchange(request)
  }

  #unreachable(call: Call, failure: unknown, noEffect: boolean): KubepassError {
    const reason = reasonOf(failure)
    return new KubepassError('UNREACHABLE', `No answer from ${new URL(this.server).host} to ${call.method} ${call.path}: ${reason}.`, {
      noEffect,
      tooLong: failure instanceof TooLong,
      hint: this.#hintFor(failure),
    })
  }

  #hintFor(failure: unknown): string {
    if (wantsCertificate(failure))
      return 'The other side wants a client certificate, or another one than it was shown: the identity kubeconfig can have one.'
    if (proxyStatusOf(failure) === 407) return `The proxy wants a name and a password, or others: ${PROXY_EXAMPLE} as HTTPS_PROXY.`
    if (!isUntrusted(failure)) return 'Check server, and proxy_url or HTTPS_PROXY if the API server is behind one.'
    const ofProxy = this.#http.hasTlsProxy
      ? " If it is the proxy's, which is reached by https: that must be of a CA that Node.js trusts (NODE_EXTRA_CA_CERTS)."
      : ''
    return `The certificate does not verify: give the CA of this API server as certificate_authority (or in the kubeconfig), and tls_server_name if the certificate names another host.${ofProxy}`
  }
}

/** What the server said, as an error for the user: its own words quoted, and what to do about them. */
export function refusalOf(answer: Answer, what: string, auth: AuthInfo, hint = hintFor(answer, auth)): KubepassError {
  const status = statusOf(answer)
  if (status === undefined) {
    return new KubepassError('UNREACHABLE', `Asked to ${what}, something that is no Kubernetes API server answered ${answer.status}.`, {
      hint,
    })
  }
  const said = status.message === undefined ? '' : ` ${quote(status.message)}`
  return new KubepassError('REFUSED', `The API server refused to ${what}: ${answer.status}${said}.`, {
    hint,
    noEffect: !answer.mayHaveActed,
  })
}

/** The answer's Status object; undefined when something else than an API server answered. */
export function statusOf(answer: Answer): V1Status | undefined {
  const body = answer.body as Partial<V1Status> | undefined
  return body?.kind === 'Status' && body.apiVersion === 'v1' ? body : undefined
}

function hintFor(answer: Answer, auth: AuthInfo): string {
  if (answer.status >= 300 && answer.status < 400)
    return 'Redirects are not followed, so that the token goes nowhere else: give the URL that it leads to as server.'
  if (statusOf(answer) === undefined)
    return 'The answer is not from a Kubernetes API server: is there a gateway or a captive portal in between?'
  if (answer.status === 401) return 'bearer' in auth ? unknownBearer(auth.bearer) : unknownCertificate(auth.certificate)
  const rule = answer.status === 403 ? missingRule(answer) : undefined
  return rule ?? "The API server's own words are quoted above. Its audit log has the request, by a User-Agent that begins with kubepass/."
}

// For a 401 the API server gives no reason: what the token says of itself is all there is to show.
function unknownBearer(bearer: Secret): string {
  const claims = claimsOf(bearer)
  if (claims === undefined) return 'The token that was sent is no JWT: is it complete, and meant for this cluster?'
  return (
    `The token that was sent says:\n${claims}\nIt is now ${isoTime(Math.floor(Date.now() / 1000))}. ` +
    "Compare this with the API server's --authentication-config: issuer, audiences, claim rules. The reason stands in its log only."
  )
}

function unknownCertificate(pem: string): string {
  return (
    `The client certificate that was shown says:\n${certificateLines(pem)}\nIt is now ${isoTime(Math.floor(Date.now() / 1000))}. ` +
    "Is it signed by the API server's --client-ca-file, for client authentication? A gateway in between that ends TLS hides it."
  )
}

/**
 * The RBAC rule whose absence a 403 tells of.
 * https://github.com/kubernetes/kubernetes/blob/v1.36.0/staging/src/k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go
 */
export function missingRule(answer: Answer): string | undefined {
  const message = statusOf(answer)?.message ?? ''
  if (message.includes("ValidatingAdmissionPolicy '"))
    return 'An admission policy of the cluster forbids this; its own words are quoted above.'
  const found = /User "(.+)" cannot (\S+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]+)")?/.exec(message)
  if (found === null) return undefined
  const [, user = '', verb = '', resource = '', group = '', namespace] = found
  if (user === 'system:anonymous')
    return 'The request arrived without a token or a client certificate: a proxy in between strips the Authorization header, or ends TLS.'
  const rule = `{apiGroups: [${JSON.stringify(group)}], resources: [${JSON.stringify(resource)}], verbs: [${JSON.stringify(verb)}]}`
  const place = namespace === undefined ? 'a ClusterRole' : `a Role in namespace ${quote(namespace)}`
  return `Add this RBAC rule to ${place} that is bound to ${quote(user)}: ${rule}`
}

function answerOf(response: Response, mayHaveActed: boolean): Answer {
  const warning = response.headers['warning']
  const warnings = (Array.isArray(warning) ? warning : [warning ?? '']).flatMap((text) => /^299 \S+ "(.*)"$/.exec(text)?.[1] ?? [])
  return { status: response.status, body: parseJson(response), warnings, mayHaveActed }
}

function parseJson({ headers, body }: Response): unknown {
  if (!String(headers['content-type']).startsWith('application/json')) return undefined
  try {
    return JSON.parse(body) as unknown
  } catch {
    return undefined
  }
}
