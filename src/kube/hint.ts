import type { V1Status } from '@kubernetes/client-node'
import { quote } from '../base/quote.ts'
import { isoTime } from '../base/time.ts'
import type { AuthInfo } from '../identity/identity.ts'
import { certificateLines } from '../net/certificate.ts'
import type { SealedString } from '../redact/sealed-string.ts'
import { describeClaims } from '../token/claims.ts'
import { jwtOf } from '../token/jwt.ts'
import type { ApiRequest, BodyKind } from './answer.ts'
import { answeredRequest, misroutedHint } from './misrouted.ts'
import { commandsForNamespace } from './missing-namespace.ts'
import { missingRule } from './missing-rule.ts'
import { quotaHint } from './quota.ts'
import { type Attributes, attributesOf } from './request-attributes.ts'

export interface AnswerFacts {
  readonly status: number
  readonly bodyKind: BodyKind
  /** Undefined when the body is not a Kubernetes Status. */
  readonly kubeStatus: V1Status | undefined
}

const SEE_MESSAGE =
  "The API server's message is quoted above. To find the request in its audit log, search for a User-Agent that begins with kubepass/."
/**
 * In characters. The default limits of Apache and nginx for a header are little above it.
 * https://nginx.org/r/large_client_header_buffers
 */
const LONG_TOKEN = 8_000

/** The hint for an error response. It follows from the request, from the program that answered, and from the response's content. */
export function hintFor(
  request: ApiRequest,
  { status, bodyKind, kubeStatus }: AnswerFacts,
  auth: AuthInfo,
  now = Date.now() / 1000,
): string {
  if (status >= 300 && status < 400)
    return 'kubepass follows no redirect, because the token must not reach another server. Set server to the URL that the redirect leads to.'
  if (kubeStatus === undefined) return longHeaderHint(status, auth) ?? nonKubernetesHint(request, status, bodyKind)
  return status === 401 ? unauthorizedHint(auth, now) : refusalHint(request, status, kubeStatus)
}

/** The hint for a refusal by an API server, with another status than 401. */
function refusalHint(request: ApiRequest, status: number, kubeStatus: V1Status): string {
  if (kubeStatus.message?.includes('User "system:anonymous"'))
    return 'The request arrived without a token or a client certificate: a proxy in between strips the Authorization header, or ends TLS.'
  const what = attributesOf(request)
  const other = answeredRequest(what, kubeStatus, status)
  if (other !== undefined) return misroutedHint(request, what, other)
  return HINT_OF_STATUS[status]?.(what, kubeStatus, request) ?? SEE_MESSAGE
}

type RefusalHint = (what: Attributes, kubeStatus: V1Status, request: ApiRequest) => string | undefined

/** By the status of HTTP. A hint is undefined if nothing is known beyond the API server's message. */
const HINT_OF_STATUS: Readonly<Partial<Record<number, RefusalHint>>> = {
  403: forbiddenHint,
  404: notFoundHint,
  409: conflictHint,
}

/** The hint for a status 408, 429 or 5xx that the server still sends when the deadline ends. */
export function transientHint(request: ApiRequest, { status, bodyKind, kubeStatus }: AnswerFacts): string {
  if ((kubeStatus?.message ?? '').includes('failed calling webhook "'))
    return (
      'An admission webhook of the cluster does not answer, so the API server refuses every request that needs it (failurePolicy: Fail). Its name is quoted above. List the webhooks: ' +
      'kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations'
    )
  // From Kubernetes 1.37 on, the API server sends this message for a Service that does not exist, too.
  const [, service] = /^no (?:endpoints available|service port \d+ found) for service "([^"]+)"$/.exec(kubeStatus?.message ?? '') ?? []
  if (service !== undefined) return misroutedHint(request, attributesOf(request), `the service ${quote(service)}`)
  if (status === 429) return 'The API server gets more requests than it accepts. Run the job again later, or raise deadline.'
  if (kubeStatus !== undefined) return 'Is the API server overloaded, or starting? Run the job again, or raise deadline.'
  return `The answer is ${bodyKind}, not a Kubernetes Status: it comes from a gateway or a load balancer that reaches no API server. Is the API server starting? Run the job again, or raise deadline.`
}

/** Some servers answer 400, not 431, to a header that is too long for them. */
function longHeaderHint(status: number, auth: AuthInfo): string | undefined {
  if (![400, 431].includes(status) || !('bearer' in auth) || auth.bearer.length < LONG_TOKEN) return undefined
  return `The token has ${auth.bearer.length} characters. The server may not accept a header of that length. Is it the right token?`
}

function nonKubernetesHint({ server }: ApiRequest, status: number, bodyKind: BodyKind): string {
  const { host, pathname } = new URL(server)
  const sender = `The answer is ${bodyKind}, not a Kubernetes Status: its sender is not a Kubernetes API server`
  if (status === 401 || status === 403)
    return `${sender}, but perhaps a gateway with its own login, a web application firewall or a captive portal. Let the job reach the API server itself.`
  if (status === 404 && pathname !== '/')
    return `${sender}, but perhaps a gateway or a web server; or an API server that has no such path: the server's URL has the path ${quote(pathname)}. Is that right?`
  return `${sender}, but perhaps a gateway, an ingress controller, a web server or a captive portal. Does the API server listen at ${host}? Correct server.`
}

function forbiddenHint(what: Attributes, kubeStatus: V1Status, { server }: ApiRequest): string | undefined {
  const { details, message = '' } = kubeStatus
  const { namespace = '' } = what
  if (details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating'))
    return `The namespace ${quote(namespace)} is being deleted. Correct service_account, or wait until it is gone and create it again:\n${commandsForNamespace(namespace)}`
  const ofQuota = quotaHint(kubeStatus, namespace, server)
  if (ofQuota !== undefined) return ofQuota
  if (/ValidatingAdmissionPolicy '|admission webhook "/.test(message))
    return 'An admission policy of the cluster forbids this request. Its message is quoted above.'
  const user = /User "(.+)" cannot /.exec(message)?.[1]
  return user === undefined ? undefined : missingRule(what, user)
}

const BOUND_SECRET_IS_GONE =
  'Another program deleted the bound Secret before the API server issued the token. Run the job again. A clean-up of Secrets in this namespace must spare the Secrets of jobs that still run.'

function notFoundHint(what: Attributes, { details }: V1Status): string | undefined {
  const { resource, namespace = '' } = what
  if (resource === 'selfsubjectreviews') return 'kubepass needs Kubernetes 1.28 or later.'
  if (details?.kind === 'namespaces')
    return `The namespace ${quote(namespace)} does not exist. Correct service_account, or create it with the label that puts it under the admission policies of deploy/base:\n${commandsForNamespace(namespace)}\ndocs/cluster.md lists what else it needs.`
  return resource === 'serviceaccounts/token' ? noTokenHint(what, details?.kind ?? '') : undefined
}

/** @param missing the kind or the resource of the object that does not exist */
function noTokenHint({ namespace = '', name = '' }: Attributes, missing: string): string | undefined {
  if (missing === 'serviceaccounts')
    return `The ServiceAccount ${quote(name)} does not exist in namespace ${quote(namespace)}. Correct service_account, or create it:\n  kubectl create serviceaccount -n ${namespace} ${name}`
  return /^secrets?$/i.test(missing) ? BOUND_SECRET_IS_GONE : undefined
}

function conflictHint({ resource }: Attributes): string | undefined {
  return resource === 'serviceaccounts/token' ? BOUND_SECRET_IS_GONE : undefined
}

function unauthorizedHint(auth: AuthInfo, now: number): string {
  return 'bearer' in auth ? unauthorizedTokenHint(auth.bearer, now) : unauthorizedCertificateHint(auth.certificate, now)
}

// The API server gives no reason for a 401, so the hint shows the token's own claims.
function unauthorizedTokenHint(bearer: SealedString, now: number): string {
  const claims = describeClaims(bearer, now)
  if (claims === undefined) return 'The token is not a JWT: is it complete, and meant for this cluster?'
  const ofServiceAccount = jwtOf(bearer)?.claims['kubernetes.io'] !== undefined
  return (
    `The token's claims:\n${claims}\nIt is now ${isoTime(Math.floor(now))}. ` +
    (ofServiceAccount
      ? 'It is a ServiceAccount token: does it come from this cluster, and do the ServiceAccount and the bound object still exist? '
      : "Compare this with the API server's --authentication-config, or with its --oidc flags: issuer, audiences, claim rules. ") +
    "Only the API server's log has the reason."
  )
}

function unauthorizedCertificateHint(pem: string, now: number): string {
  return (
    `The client certificate:\n${certificateLines(pem)}\nIt is now ${isoTime(Math.floor(now))}. ` +
    "Is it signed by the API server's --client-ca-file, for client authentication? A gateway that ends TLS does not pass it on."
  )
}
