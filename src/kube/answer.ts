import type { V1Status } from '@kubernetes/client-node'
import { quote } from '../base/quote.ts'
import type { HttpResponse } from '../net/http.ts'

export interface ApiResponse {
  /** The request that was answered. */
  request: ApiRequest
  status: number
  /** The parsed JSON document; undefined when the body is not JSON. */
  body: unknown
  bodyKind: BodyKind
  /** The texts of the Warning headers. They are foreign text: quote them before printing. */
  warnings: string[]
  /** An earlier attempt got no response and may have taken effect. */
  mayHaveActed: boolean
}

/** The Kubernetes Status in the answer; undefined when another program than an API server answered. */
export function statusOf(answer: Pick<ApiResponse, 'body'>): V1Status | undefined {
  const body = answer.body as Partial<V1Status> | undefined
  return body?.kind === 'Status' && body.apiVersion === 'v1' ? body : undefined
}

export function quotedMessage({ message }: V1Status): string {
  return message === undefined ? '' : ` ${quote(message)}`
}

export function toApiResponse(request: ApiRequest, response: HttpResponse, mayHaveActed: boolean): ApiResponse {
  const warning = response.headers['warning']
  const warnings = (Array.isArray(warning) ? warning : [warning ?? '']).flatMap((text) => /^299 \S+ "(.*)"$/.exec(text)?.[1] ?? [])
  const body = parseJson(response)
  return { request, status: response.status, body, bodyKind: bodyKindOf(response, body), warnings, mayHaveActed }
}

function parseJson({ headers, body }: HttpResponse): unknown {
  if (!String(headers['content-type']).startsWith('application/json')) return undefined
  try {
    return JSON.parse(body) as unknown
  } catch {
    return undefined
  }
}

function bodyKindOf({ headers, body: text }: HttpResponse, body: unknown): BodyKind {
  const type = String(headers['content-type'])
  if (text === '') return 'an empty body'
  if (body !== undefined) return statusOf({ body }) === undefined ? 'JSON of another kind' : 'a Kubernetes Status'
  if (/^text\/html|^application\/xhtml/.test(type)) return 'HTML'
  return type.startsWith('text/plain') ? 'plain text' : 'something else'
}

export interface ApiRequest {
  /** The API server's URL, as the user gave it. */
  readonly server: string
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Appended to the server's URL. */
  readonly path: string
}

/** The kind of a response body. Only an API server sends a Status. For some paths it sends the plain text `404 page not found`. */
export type BodyKind = 'a Kubernetes Status' | 'JSON of another kind' | 'HTML' | 'plain text' | 'an empty body' | 'something else'
