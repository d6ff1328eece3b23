import { KubepassError } from '../base/errors.ts'
import type { AuthInfo } from '../identity/identity.ts'
import { type Http, type HttpResponse, ResponseTooLarge } from '../net/http.ts'
import { PROXY_EXAMPLE } from '../net/proxy-variables.ts'
import { isTransient, isUnknownHost, isCertificateError, proxyStatusOf, reasonOf, retry, requiresClientCertificate } from '../net/retry.ts'
import { type ApiResponse, toApiResponse, statusOf, quotedMessage } from './answer.ts'
import { transientHint } from './hint.ts'

export interface ApiCall {
  method: 'GET' | 'POST' | 'DELETE'
  /** Behind the server's URL: /api/v1/... */
  path: string
  auth: AuthInfo
  body?: object
  /** What form of answer; JSON when undefined. */
  accept?: string
  /** A connection of its own instead of the one that is kept open. */
  newConnection?: boolean
}

const NOTICE_INTERVAL_MS = 2_000

/** The one place that speaks to the API server. */
export class KubeClient {
  readonly server: string
  readonly #http: Http
  readonly #userAgent: string
  readonly #info: (text: string) => void
  /** Whether no answer has shown yet that the host exists. */
  #isNewHost: boolean
  /** When the last line about a waiting call was written, ms since 1970. */
  #reportedAt = 0

  /** @param isNewHost false where an earlier process has had an answer from it */
  constructor(http: Http, server: string, userAgent: string, info: (text: string) => void, isNewHost: boolean) {
    this.#http = http
    this.server = server
    this.#userAgent = userAgent
    this.#info = info
    this.#isNewHost = isNewHost
  }

  /** Sends the call until it has an answer that trying again cannot change, or `signal` ends it. */
  async call(call: ApiCall, signal: AbortSignal): Promise<ApiResponse> {
    const { host } = new URL(this.server)
    const options = { info: (text: string) => this.#report(`${host} ${text}`), isNewHost: this.#isNewHost }
    const { last, mayHaveActed } = await retry((attempt) => this.#send(call, attempt), signal, options)
    if (!('failure' in last)) this.#isNewHost = false
    if ('failure' in last) throw last.failure instanceof KubepassError ? last.failure : this.#unreachable(call, last.failure, !mayHaveActed)
    const answer = toApiResponse({ server: this.server, method: call.method, path: call.path }, last, mayHaveActed)
    if (isTransient(last.status)) {
      const kubeStatus = statusOf(answer)
      const who = kubeStatus === undefined ? 'What answers for the API server' : 'The API server'
      const words = kubeStatus === undefined ? '' : quotedMessage(kubeStatus)
      throw new KubepassError('UNREACHABLE', `${who} keeps answering ${last.status}${words} to ${call.method} ${call.path}.`, {
        hint: transientHint(answer.request, { ...answer, kubeStatus }),
      })
    }
    return answer
  }

  close(): void {
    this.#http.close()
  }

  /** One line serves for all calls that wait side by side. */
  #report(text: string): void {
    if (Date.now() - this.#reportedAt < NOTICE_INTERVAL_MS) return
    this.#reportedAt = Date.now()
    this.#info(text)
  }

  #send(call: ApiCall, signal: AbortSignal): Promise<HttpResponse> {
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
    return call.newConnection ? this.#http.exchangeOnNewConnection(request) : this.#http.exchange(request)
  }

  #unreachable(call: ApiCall, failure: unknown, noEffect: boolean): KubepassError {
    const reason = reasonOf(failure)
    return new KubepassError('UNREACHABLE', `No answer from ${new URL(this.server).host} to ${call.method} ${call.path}: ${reason}.`, {
      noEffect,
      responseTooLarge: failure instanceof ResponseTooLarge,
      hint: this.#hintFor(failure),
    })
  }

  #hintFor(failure: unknown): string {
    if (requiresClientCertificate(failure))
      return 'The other side wants a client certificate, or another one than it was shown: the identity kubeconfig can have one.'
    if (proxyStatusOf(failure) === 407) return `The proxy wants a name and a password, or others: ${PROXY_EXAMPLE} as HTTPS_PROXY.`
    if (isUnknownHost(failure))
      return 'No such host has an address here: correct server, and proxy_url or HTTPS_PROXY if the API server is behind a proxy. A name of a private network is known to its own DNS server only.'
    if (!isCertificateError(failure)) return 'Check server, and proxy_url or HTTPS_PROXY if the API server is behind one.'
    const ofProxy = this.#http.hasTlsProxy
      ? " If it is the proxy's, which is reached by https: that must be of a CA that Node.js trusts (NODE_EXTRA_CA_CERTS)."
      : ''
    return `The certificate does not verify: give the CA of this API server as certificate_authority (or in the kubeconfig), and tls_server_name if the certificate names another host.${ofProxy}`
  }
}
