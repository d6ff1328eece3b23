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
  /** Undefined where the answer is no Kubernetes Status. */
  readonly kubeStatus: V1Status | undefined
}

/** A request in the terms of RBAC. */
interface Attributes {
  readonly verb: string
  readonly group: string
  /** With the subresource. */
  readonly resource: string
  readonly namespace: string | undefined
  readonly name: string | undefined
}

const OWN_WORDS = "The API server's own words are quoted above. Its audit log has the request, by a User-Agent that begins with kubepass/."
/** In characters. By default Apache and nginx take little more in one header, and other servers take more. https://nginx.org/r/large_client_header_buffers */
const LONG_TOKEN = 8_000
const GUARD = 'kubepass.dev/guarded=true'

/** The hint for a refusal, from the request and from the sender and content of the answer. */
export function hintFor(
  request: ApiRequest,
  { status, bodyKind, kubeStatus }: AnswerFacts,
  auth: AuthInfo,
  now = Date.now() / 1000,
): string {
  if (status >= 300 && status < 400)
    return 'Redirects are not followed, so that the token goes nowhere else: give the URL that it leads to as server.'
  if (kubeStatus === undefined) return longHeaderHint(status, auth) ?? nonKubernetesHint(request, status, bodyKind)
  if (status === 401) return 'bearer' in auth ? unauthorizedTokenHint(auth.bearer, now) : unauthorizedCertificateHint(auth.certificate, now)
  const what = attributesOf(request)
  const message = kubeStatus.message ?? ''
  if (message.includes('User "system:anonymous"'))
    return 'The request arrived without a token or a client certificate: a proxy in between strips the Authorization header, or ends TLS.'
  const other = answeredRequest(what, kubeStatus, status)
  if (other !== undefined) return misroutedHint(request, what, other)
  if (status === 403) return forbiddenHint(what, kubeStatus, request.server) ?? OWN_WORDS
  if (status === 404) return notFoundHint(what, kubeStatus) ?? OWN_WORDS
  if (status === 409 && what.resource === 'serviceaccounts/token') return BOUND_SECRET_IS_GONE
  return OWN_WORDS
}

/** The hint for an answer 408, 429 or 5xx that still came at the end of the deadline. */
export function transientHint(request: ApiRequest, { status, bodyKind, kubeStatus }: AnswerFacts): string {
  if ((kubeStatus?.message ?? '').includes('failed calling webhook "'))
    return (
      'An admission webhook of the cluster does not answer, and refuses every request by that (failurePolicy: Fail). Its name is quoted above; see ' +
      'kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations.'
    )
  // From Kubernetes 1.37 on, the API server also says this of a Service that does not exist.
  const [, service] = /^no (?:endpoints available|service port \d+ found) for service "([^"]+)"$/.exec(kubeStatus?.message ?? '') ?? []
  if (service !== undefined) return misroutedHint(request, attributesOf(request), `the service ${quote(service)}`)
  if (status === 429) return 'The API server has more requests than it takes. Run the job again later, or raise deadline.'
  if (kubeStatus !== undefined) return 'Is the API server overloaded, or starting? Run the job again, or raise deadline.'
  return `The answer is ${bodyKind}, not a Kubernetes Status: a gateway or a load balancer sent it, which reaches no API server. Is one starting behind it? Run the job again, or raise deadline.`
}

/** The request as RBAC sees it. */
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
 * The request that the API server names in its answer, if it differs from the request that was sent. Then a part of the
 * server's URL became a part of the request, or a program in between changes requests.
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
  if (status === 405 && reason === 'MethodNotAllowed') return 'a request that it has no method for'
  const isUnknown = status === 404 && (details?.kind ?? '') === '' && message.includes('could not find the requested resource')
  if (isUnknown && what.resource !== 'selfsubjectreviews') return 'a resource that it does not have'
  const { kind = '', group = '', name = '' } = details ?? {}
  if (kind === '' || isOf(what, kind, group, name)) return undefined
  return `${quote(name === '' ? kind : `${kind} ${name}`)}${group === '' ? '' : ` of the API group ${quote(group)}`}`
}

/** Whether the object that a Status names is a part of the request. A Status names a kind (Secret) or a resource (secrets). */
function isOf({ group: askedGroup, resource, namespace, name }: Attributes, kind: string, group: string, of: string): boolean {
  const base = resource.split('/')[0] ?? ''
  if (group === askedGroup && [base, base.replace(/s$/, '')].includes(kind.toLowerCase()))
    return name === undefined || of === '' || of === name
  if (kind === 'namespaces') return of === namespace
  // The Secret that the token is to be bound to, and the body of the request itself.
  return resource === 'serviceaccounts/token' && /^(secrets?|tokenrequest)$/i.test(kind)
}

function misroutedHint({ server }: ApiRequest, what: Attributes, other: string): string {
  const answered = `The API server answered for ${other}, but was asked for ${describeRequest(what)}`
  const { origin, pathname } = new URL(server)
  return pathname === '/'
    ? `${answered}: does something in between change requests, or is this not the API server of a Kubernetes cluster?`
    : `${answered}: the server's URL has the path ${quote(pathname)}, which is not part of it. Give ${origin} as server, unless the API server lies behind a gateway that takes this path away.`
}

function describeRequest({ verb, resource, group, namespace }: Attributes): string {
  const place = namespace === undefined ? '' : ` in the namespace ${quote(namespace)}`
  return `${verb} ${quote(group === '' ? resource : `${resource}.${group}`)}${place}`
}

/** Some servers answer 400, not 431, to a header that is too long for them. */
function longHeaderHint(status: number, auth: AuthInfo): string | undefined {
  if (![400, 431].includes(status) || !('bearer' in auth) || auth.bearer.length < LONG_TOKEN) return undefined
  return `The token that was sent has ${auth.bearer.length} characters, and what answered may take no header of that length. Is it the right token?`
}

function nonKubernetesHint({ server }: ApiRequest, status: number, bodyKind: BodyKind): string {
  const { host, pathname } = new URL(server)
  const who = `The answer is ${bodyKind}, not a Kubernetes Status: something else than a Kubernetes API server sent it`
  if (status === 401 || status === 403)
    return `${who}, such as a gateway that wants a login of its own, a web application firewall or a captive portal. Let the job reach the API server itself.`
  if (status === 404 && pathname !== '/')
    return `${who}, such as a gateway or a web server; or the API server, which has no such path: the server's URL has the path ${quote(pathname)}. Is that right?`
  return `${who}, such as a gateway, an ingress controller, a web server or a captive portal. Does the API server listen at ${host}? Correct server.`
}

function forbiddenHint(what: Attributes, kubeStatus: V1Status, server: string): string | undefined {
  const { details, message = '' } = kubeStatus
  if (details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating'))
    return `The namespace ${quote(what.namespace ?? '')} is being deleted. Correct service_account, or wait until it is gone and create it again:\n${commandsForNamespace(what.namespace ?? '')}`
  const ofQuota = quotaHint(kubeStatus, what.namespace ?? '', server)
  if (ofQuota !== undefined) return ofQuota
  if (/ValidatingAdmissionPolicy '|admission webhook "/.test(message))
    return 'An admission policy of the cluster forbids this; its own words are quoted above.'
  const user = /User "(.+)" cannot /.exec(message)?.[1]
  return user === undefined ? undefined : missingRule(what, user)
}

/** The missing RBAC rule of a 403, and other causes: the API server does not say whether an object exists. */
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
      `Whoever may list Secrets can read them: do so only if the namespace ${quote(namespace ?? '')} holds no Secrets but bound Secrets. deploy/sweeper has the Role.`
    )
  }
  return (
    `${right} If it is right: ${rule(['create', 'delete'])}\n` +
    `Do so only if the namespace ${quote(namespace ?? '')} holds nothing but scanner ServiceAccounts, and with the admission policies of deploy/base, ` +
    `which act where it has the label ${GUARD}: without them, create and delete on Secrets let their holder make a token that never expires.\n` +
    'Or set revocation: best-effort to go on with a token that cannot be revoked.'
  )
}

const BOUND_SECRET_IS_GONE =
  'The Secret that the token was to be bound to was deleted, by somebody else, before the token was issued. Run the job again. A clean-up of Secrets in this namespace must spare the Secrets of jobs that still run.'

function notFoundHint(what: Attributes, { details }: V1Status): string | undefined {
  if (what.resource === 'selfsubjectreviews') return 'kubepass needs Kubernetes 1.28 or later.'
  if (details?.kind === 'namespaces')
    return `The namespace ${quote(what.namespace ?? '')} does not exist. Correct service_account, or create it, with the label by which the admission policies of deploy/base guard it:\n${commandsForNamespace(what.namespace ?? '')}\ndocs/cluster.md has what else belongs into it.`
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

// For a 401 the API server gives no reason: what the token says of itself is all there is to show.
function unauthorizedTokenHint(bearer: SealedString, now: number): string {
  const claims = describeClaims(bearer, now)
  if (claims === undefined) return 'The token that was sent is no JWT: is it complete, and meant for this cluster?'
  const ofServiceAccount = jwtOf(bearer)?.claims['kubernetes.io'] !== undefined
  return (
    `The token that was sent says:\n${claims}\nIt is now ${isoTime(Math.floor(now))}. ` +
    (ofServiceAccount
      ? 'It is the token of a ServiceAccount: does it come from this cluster, and do the ServiceAccount and what it is bound to still exist? '
      : "Compare this with the API server's --authentication-config, or with its --oidc flags: issuer, audiences, claim rules. ") +
    'The reason stands in its log only.'
  )
}

function unauthorizedCertificateHint(pem: string, now: number): string {
  return (
    `The client certificate that was shown says:\n${certificateLines(pem)}\nIt is now ${isoTime(Math.floor(now))}. ` +
    "Is it signed by the API server's --client-ca-file, for client authentication? A gateway in between that ends TLS hides it."
  )
}
