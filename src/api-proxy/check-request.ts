import type { IncomingMessage } from 'node:http'
import { percentDecoded } from '../base/percent-decode.ts'

/** Why the proxy does not pass a request on. `status` is an HTTP status, `reason` a phrase for people. */
export interface Refusal {
  readonly status: 400 | 401 | 403
  readonly reason: string
}

/** Kubernetes has no other methods. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']
const UPGRADES = ['websocket', 'spdy/3.1']
/** A name of another user that the API server, or a proxy before it, could believe. */
const FOREIGN_USER = /^(impersonate-|x-remote-)/

type Request = Pick<IncomingMessage, 'headers' | 'method' | 'rawHeaders' | 'url'>

/** Finds what the API server could read in another way than the proxy, or must not see at all. */
export function refusalOfForm(request: Request, isUpgrade: boolean): Refusal | undefined {
  const { method = '', url = '' } = request
  if (!METHODS.includes(method)) return refused(`the method ${method} is not one of Kubernetes`)
  return (
    refusalOfHeaders(request.headers) ??
    refusalOfBody(request) ??
    refusalOfTarget(url) ??
    (isUpgrade ? refusalOfUpgrade(request) : undefined)
  )
}

function refusalOfHeaders(headers: IncomingMessage['headers']): Refusal | undefined {
  const name = Object.keys(headers).find((each) => FOREIGN_USER.test(each))
  return name === undefined ? undefined : refused(`the header ${name} names another user`)
}

function refusalOfBody({ headers, method, rawHeaders }: Request): Refusal | undefined {
  const codings = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'transfer-encoding').length
  const encoding = headers['transfer-encoding']
  if (encoding !== undefined && (encoding !== 'chunked' || codings > 1)) return invalid('the only transfer encoding is "chunked"')
  const mayHaveBody = method !== 'GET' && method !== 'HEAD'
  return mayHaveBody || !hasBody(headers) ? undefined : invalid(`a ${method} has no body`)
}

export function hasBody(headers: IncomingMessage['headers']): boolean {
  return headers['transfer-encoding'] !== undefined || !['0', undefined].includes(headers['content-length'])
}

function refusalOfUpgrade({ headers, method }: Request): Refusal | undefined {
  if (method !== 'GET' && method !== 'POST') return refused('only GET and POST can change the protocol')
  if (!UPGRADES.includes((headers.upgrade ?? '').toLowerCase())) return refused('the only upgrades are websocket and SPDY/3.1')
  return hasBody(headers) ? invalid('a request that changes the protocol has no body') : undefined
}

/**
 * Each segment of the path is decoded once. The proxy refuses a segment that a second decoding, or a clean-up of the path, would change:
 * it judges the same path as the API server. Elsewhere it passes on the bytes that it received.
 */
function refusalOfTarget(target: string): Refusal | undefined {
  if (!target.startsWith('/')) return refused('the request target is no path')
  if (/[^!-~]|[#\\]/.test(target)) return refused('the path has a character that must be escaped')
  const path = target.split('?', 1)[0] ?? ''
  const segments = path.slice(1).split('/')
  // A path with one slash at its end names the same resource.
  if (segments.length > 1 && segments.at(-1) === '') segments.pop()
  if (segments.includes('') && path !== '/') return refused('the path has an empty segment')
  return segments.every(isUnambiguous) ? undefined : refused('the path is ambiguous')
}

function isUnambiguous(segment: string): boolean {
  const decoded = percentDecoded(segment)
  return decoded !== undefined && decoded !== '.' && decoded !== '..' && !/[/%\\\p{Cc}]/u.test(decoded)
}

function refused(reason: string): Refusal {
  return { status: 403, reason }
}

function invalid(reason: string): Refusal {
  return { status: 400, reason }
}
