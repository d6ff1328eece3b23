import type { V1Status } from '@kubernetes/client-node'
import { quote } from '../base/quote.ts'
import { isoTime } from '../base/time.ts'
import type { AuthInfo } from '../identity/identity.ts'
import { certificateLines } from '../net/certificate.ts'
import type { SealedString } from '../redact/sealed-string.ts'
import { describeClaims } from '../token/claims.ts'
import { jwtOf } from '../token/jwt.ts'
import type { ApiRequest, BodyKind } from './answer.ts'
import { quotaHint } from './quota.ts'

export interface AnswerFacts {
  readonly status: number
  readonly bodyKind: BodyKind
  /** Undefined when the body is not a Kubernetes Status. */
  readonly kubeStatus: V1Status | undefined
}

/** A request in the terms of RBAC. */
interface Attributes {
  readonly verb: string
  readonly group: string
  /** Includes the subresource: serviceaccounts/token. */
  readonly resource: string
  readonly namespace: string | undefined
  readonly name: string | undefined
}

const SEE_MESSAGE =
  "The API server's message is quoted above. To find the request in its audit log, search for a User-Agent that begins with kubepass/."
/**
 * In characters. The default limits of Apache and nginx for a header are little above it.
 * https://nginx.org/r/large_client_header_buffers
 */
const LONG_TOKEN = 8_000
const GUARD = 'kubepass.dev/guarded=true'

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
  if (status === 401) return 'bearer' in auth ? unauthorizedTokenHint(auth.bearer, now) : unauthorizedCertificateHint(auth.certificate, now)
  const what = attributesOf(request)
  const message = kubeStatus.message ?? ''
  if (message.includes('User "system:anonymous"'))
    return 'The request arrived without a token or a client certificate: a proxy in between strips the Authorization header, or ends TLS.'
  const other = answeredRequest(what, kubeStatus, status)
  if (other !== undefined) return misroutedHint(request, what, other)
  if (status === 403) return forbiddenHint(what, kubeStatus, request.server) ?? SEE_MESSAGE
  if (status === 404) return notFoundHint(what, kubeStatus) ?? SEE_MESSAGE
  if (status === 409 && what.resource === 'serviceaccounts/token') return BOUND_SECRET_IS_GONE
  return SEE_MESSAGE
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

/** The request's attributes, which RBAC compares with its rules. */
export function attributesOf({ method, path }: Pick<ApiRequest, 'method' | 'path'>): Attributes {
  const [prefix, ...parts] = (path.split('?')[0] ?? '').split('/').slice(1)
  const group = prefix === 'apis' ? (parts.shift() ?? '') : ''
  parts.shift()
  const namespace = parts[0] === 'namespaces' ? parts.splice(0, 2)[1] : undefined
  const [resource = '', name, subresource] = parts
  const verb = { POST: 'create', DELETE: 'delete', GET: name === undefined ? 'list' : 'get' }[method]
  return { verb, group, resource: subresource === undefined ? resource : `${resource}/${subresource}`, namespace, name }
}

/**
 * The request that the API server names in its answer, if it differs from the request that kubepass sent. A difference means
 * that the API server read a part of the server's URL as a part of the request, or that a program in between changed the request.
 */
function answeredRequest(what: Attributes, { details, message = '', reason }: V1Status, status: number): string | undefined {
  const path = /cannot \S+ path "([^"]*)"/.exec(message)
  if (path !== null) return `the path ${quote(path[1] ?? '')}`
  const denied = /cannot (\S+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]+)")?/.exec(message)
  if (denied !== null) {
    const [, verb = '', resource = '', group = '', namespace] = denied
    const same = verb === what.verb && resource === what.resource && group === what.group && namespace === what.namespace
    if (!same) return describeRequest({ verb, resource, group, namespace, name: undefined })
  }
  if (status === 405 && reason === 'MethodNotAllowed') return 'a request whose method it does not support'
  const isUnknown = status === 404 && (details?.kind ?? '') === '' && message.includes('could not find the requested resource')
  if (isUnknown && what.resource !== 'selfsubjectreviews') return 'a resource that it does not have'
  const { kind = '', group = '', name = '' } = details ?? {}
  if (kind === '' || concerns(what, kind, group, name)) return undefined
  return `${quote(name === '' ? kind : `${kind} ${name}`)}${group === '' ? '' : ` of the API group ${quote(group)}`}`
}

/** Whether the request concerns the object that a Status names. A Status names a kind (Secret) or a resource (secrets). */
function concerns({ group: ownGroup, resource, namespace, name }: Attributes, kind: string, group: string, statusName: string): boolean {
  const base = resource.split('/')[0] ?? ''
  if (group === ownGroup && [base, base.replace(/s$/, '')].includes(kind.toLowerCase()))
    return name === undefined || statusName === '' || statusName === name
  if (kind === 'namespaces') return statusName === namespace
  // A request for a token concerns its bound Secret, and its own body.
  return resource === 'serviceaccounts/token' && /^(secrets?|tokenrequest)$/i.test(kind)
}

function misroutedHint({ server }: ApiRequest, what: Attributes, other: string): string {
  const answered = `The API server answered for ${other}, but kubepass asked for ${describeRequest(what)}`
  const { origin, pathname } = new URL(server)
  return pathname === '/'
    ? `${answered}: does a proxy or gateway in between change requests, or is this not the API server of a Kubernetes cluster?`
    : `${answered}: the server's URL has the path ${quote(pathname)}, which is not part of it. Give ${origin} as server, unless a gateway before the API server removes this path.`
}

function describeRequest({ verb, resource, group, namespace }: Attributes): string {
  const place = namespace === undefined ? '' : ` in the namespace ${quote(namespace)}`
  return `${verb} ${quote(group === '' ? resource : `${resource}.${group}`)}${place}`
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

function forbiddenHint(what: Attributes, kubeStatus: V1Status, server: string): string | undefined {
  const { details, message = '' } = kubeStatus
  if (details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating'))
    return `The namespace ${quote(what.namespace ?? '')} is being deleted. Correct service_account, or wait until it is gone and create it again:\n${commandsForNamespace(what.namespace ?? '')}`
  const ofQuota = quotaHint(kubeStatus, what.namespace ?? '', server)
  if (ofQuota !== undefined) return ofQuota
  if (/ValidatingAdmissionPolicy '|admission webhook "/.test(message))
    return 'An admission policy of the cluster forbids this request. Its message is quoted above.'
  const user = /User "(.+)" cannot /.exec(message)?.[1]
  return user === undefined ? undefined : missingRule(what, user)
}

/** The RBAC rule that a 403 asks for, and the other possible causes: a 403 does not say whether the object exists. */
function missingRule({ verb, group, resource, namespace, name }: Attributes, user: string): string {
  const place = namespace === undefined ? 'a ClusterRole' : `a Role in namespace ${quote(namespace)}`
  const rule = (verbs: string[], resourceNames?: string[]): string =>
    `Add this RBAC rule to ${place} that is bound to ${quote(user)}: ` +
    `{apiGroups: ${listed([group])}, resources: ${listed([resource])}, ` +
    `${resourceNames === undefined ? '' : `resourceNames: ${listed(resourceNames)}, `}verbs: ${listed(verbs)}}`
  if (resource === 'serviceaccounts/token') {
    return (
      `The ServiceAccount ${quote(name ?? '')} may not exist in namespace ${quote(namespace ?? '')}, or the Role of ${quote(user)} does not have its name in resourceNames. ` +
      `Correct service_account if it is misspelled: kubectl get serviceaccounts -n ${namespace ?? ''}\nIf it is right: ${rule([verb], [name ?? ''])}`
    )
  }
  if (resource !== 'secrets' || !['list', 'create'].includes(verb)) return rule([verb])
  const right = `Is service_account right? The namespace ${quote(namespace ?? '')} may not exist.`
  if (verb === 'list') {
    return (
      `${right} If it is right: ${rule(['list', 'delete'])}\n` +
      `An identity that may list Secrets can read them. Add the rule only if the namespace ${quote(namespace ?? '')} holds no Secrets but bound Secrets. deploy/sweeper has the Role.`
    )
  }
  return (
    `${right} If it is right: ${rule(['create', 'delete'])}\n` +
    `Add the rule only if the namespace ${quote(namespace ?? '')} holds nothing but scanner ServiceAccounts, has the label ${GUARD}, and the cluster has the ` +
    'admission policies of deploy/base: without these, an identity that may create and delete Secrets can make a token that never expires.\n' +
    'Or set revocation: best-effort to go on with a token that cannot be revoked.'
  )
}

const BOUND_SECRET_IS_GONE =
  'Another program deleted the bound Secret before the API server issued the token. Run the job again. A clean-up of Secrets in this namespace must spare the Secrets of jobs that still run.'

function notFoundHint(what: Attributes, { details }: V1Status): string | undefined {
  if (what.resource === 'selfsubjectreviews') return 'kubepass needs Kubernetes 1.28 or later.'
  if (details?.kind === 'namespaces')
    return `The namespace ${quote(what.namespace ?? '')} does not exist. Correct service_account, or create it with the label that puts it under the admission policies of deploy/base:\n${commandsForNamespace(what.namespace ?? '')}\ndocs/cluster.md lists what else it needs.`
  if (what.resource !== 'serviceaccounts/token') return undefined
  if (details?.kind === 'serviceaccounts')
    return `The ServiceAccount ${quote(what.name ?? '')} does not exist in namespace ${quote(what.namespace ?? '')}. Correct service_account, or create it:\n  kubectl create serviceaccount -n ${what.namespace ?? ''} ${what.name ?? ''}`
  return /^secrets?$/i.test(details?.kind ?? '') ? BOUND_SECRET_IS_GONE : undefined
}

function commandsForNamespace(namespace: string): string {
  return `  kubectl create namespace ${namespace}\n  kubectl label namespace ${namespace} ${GUARD}`
}

function listed(words: string[]): string {
  return `[${words.map((word) => JSON.stringify(word)).join(', ')}]`
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
