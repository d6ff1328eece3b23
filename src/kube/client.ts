import { KubepassError } from '../base/errors.ts'
import type { AuthInfo } from '../identity/identity.ts'
import { type Http, type HttpResponse, ResponseTooLarge } from '../net/http.ts'
import { PROXY_EXAMPLE } from '../net/proxy-variables.ts'
import { isTransient, isUnknownHost, isCertificateError, proxyStatusOf, reasonOf, retry, requiresClientCertificate } from '../net/retry.ts'
import { type ApiResponse, toApiResponse, statusOf, quotedMessage } from './answer.ts'
import { transientHint } from './hint.ts'

export interface ApiCall {
  method: 'GET' | 'POST' | 'DELETE'
  /** Appended to the server's URL: /api/v1/... */
  path: string
  auth: AuthInfo
  body?: object
  /** The Accept header; JSON when undefined. */
  accept?: string
  /** Opens a new connection instead of using the one that is kept open. */
  newConnection?: boolean
}

/** Where a KubeClient sends its requests, and how. */
export interface KubeClientSettings {
  readonly http: Http
  /** The API server's URL, as the user gave it. */
  readonly server: string
  readonly userAgent: string
  /** Gets a line about a call that still waits, at most one every 2 s. */
  readonly info: (text: string) => void
  /** False when an earlier process of this run got a response from the host. */
  readonly isNewHost: boolean
}

const NOTICE_INTERVAL_MS = 2_000

/** Sends every request to the API server that kubepass makes for itself. */
export class KubeClient {
  readonly server: string
  readonly #http: Http
  readonly #userAgent: string
  readonly #info: (text: string) => void
  /** Whether no response has shown yet that the host exists. */
  #isNewHost: boolean
  /** When #report() last printed a line, ms since 1970. */
  #reportedAt = 0

  constructor({ http, server, userAgent, info, isNewHost }: KubeClientSettings) {
    this.#http = http
    this.server = server
    this.#userAgent = userAgent
    this.#info = info
    this.#isNewHost = isNewHost
  }

  /**
   * Sends the call, again after each transient failure, until `signal` aborts.
   * @throws KubepassError UNREACHABLE when the last attempt failed or got a transient status (408, 429, 5xx)
   */
  async call(call: ApiCall, signal: AbortSignal): Promise<ApiResponse> {
    const { host } = new URL(this.server)
    const options = { info: (text: string) => this.#report(`${host} ${text}`), isNewHost: this.#isNewHost }
    const { last, mayHaveActed } = await retry((attempt) => this.#send(call, attempt), signal, options)
    if (!('failure' in last)) this.#isNewHost = false
    if ('failure' in last) throw last.failure instanceof KubepassError ? last.failure : this.#unreachable(call, last.failure, !mayHaveActed)
    const answer = toApiResponse({ server: this.server, method: call.method, path: call.path }, last, mayHaveActed)
    if (isTransient(last.status)) {
      const kubeStatus = statusOf(answer)
      const sender = kubeStatus === undefined ? `The server at ${host}` : 'The API server'
      const message = kubeStatus === undefined ? '' : quotedMessage(kubeStatus)
      throw new KubepassError('UNREACHABLE', `${sender} keeps answering ${last.status}${message} to ${call.method} ${call.path}.`, {
        hint: transientHint(answer.request, { ...answer, kubeStatus }),
      })
    }
    return answer
  }

  /** Sends the call once and reports nothing. @throws the failure of the attempt */
  async callOnce(call: ApiCall, signal: AbortSignal): Promise<ApiResponse> {
    return toApiResponse({ server: this.server, method: call.method, path: call.path }, await this.#send(call, signal), false)
  }

  /** The SHA-256 of the CA certificate that vouches for the API server, in hex; undefined before the first response. */
  caSha256(): string | undefined {
    return this.#http.caSha256()
  }

  close(): void {
    this.#http.close()
  }

  /** Prints at most one line each NOTICE_INTERVAL_MS, because several calls may wait at the same time. */
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
      return 'The server requires a client certificate, or rejected the one that it got. A kubeconfig (identity kubeconfig) can contain one.'
    if (proxyStatusOf(failure) === 407)
      return `The proxy requires a user name and a password, or rejected those that it got. Set HTTPS_PROXY, for example: ${PROXY_EXAMPLE}`
    if (isUnknownHost(failure))
      return 'DNS has no address for this host: correct server, and proxy_url or HTTPS_PROXY if the API server is behind a proxy. Only the DNS server of a private network knows the names of that network.'
    if (!isCertificateError(failure)) return 'Check server, and proxy_url or HTTPS_PROXY if the API server is behind one.'
    const ofProxy = this.#http.hasTlsProxy
      ? ' If the proxy, whose URL is https, sent this certificate: its CA must be one that Node.js trusts (NODE_EXTRA_CA_CERTS).'
      : ''
    return `The certificate does not verify: give the CA of this API server as certificate_authority (or in the kubeconfig), and tls_server_name if the certificate names another host.${ofProxy}`
  }
}
