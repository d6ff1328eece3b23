import { STATUS_CODES } from 'node:http'
import type { Refusal } from './check-request.ts'

/** A response of the proxy itself. */
export interface OwnResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A Kubernetes Status, so that kubectl prints the reason. https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/ */
export function refusalResponse({ status, reason }: Refusal): OwnResponse {
  return statusResponse(
    status,
    { 400: 'BadRequest', 401: 'Unauthorized', 403: 'Forbidden' }[status],
    `kubepass refused the request: ${reason}`,
  )
}

/** The API server could not be reached, or the proxy cannot use its response. */
export function upstreamFailure(reason: string): OwnResponse {
  return statusResponse(502, 'ServiceUnavailable', `kubepass got no response from the API server: ${reason}`)
}

/** Clients of Kubernetes wait, and send the request again. */
export function tooManyRequests(limit: number): OwnResponse {
  const { headers, ...response } = statusResponse(
    429,
    'TooManyRequests',
    `kubepass has ${limit} requests of the scan under way: try again later`,
  )
  return { ...response, headers: { ...headers, 'retry-after': '1' } }
}

function statusResponse(status: number, reason: string, message: string): OwnResponse {
  const body = JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code: status })
  return { status, headers: { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }, body }
}

/** The response as bytes, for a socket that has left the HTTP server. */
export function responseBytes({ status, headers, body }: OwnResponse): string {
  return `${responseHead(status, Object.entries({ ...headers, connection: 'close' }).flat())}${body}`
}

/** @param rawHeaders names and values in turn */
export function responseHead(status: number, rawHeaders: readonly string[]): string {
  const lines = rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1] ?? ''}\r\n`] : []))
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`
}
