import type { IncomingMessage } from 'node:http'
import { withoutBearers } from './run-credential.ts'

/** The request headers that the API server reads. All others end at the proxy. */
const PASSED = new Set([
  'accept',
  'accept-encoding',
  'content-encoding',
  'content-length',
  'content-type',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'kubectl-command',
  'kubectl-session',
  'transfer-encoding',
  'user-agent',
])
const PASSED_IN_UPGRADE = new Set([
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-protocol',
  'sec-websocket-version',
  'x-stream-protocol-version',
])
/** They belong to one connection. https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1 */
const OF_CONNECTION = new Set(['connection', 'keep-alive', 'proxy-connection', 'trailer', 'transfer-encoding', 'upgrade'])

/**
 * The headers of the request to the API server, names and values in turn.
 * @param bearer of the run, in place of the credential of the scan
 */
export function upstreamHeaders(incoming: IncomingMessage, host: string, bearer: string, isUpgrade: boolean): string[] {
  const { headers, rawHeaders } = incoming
  const own = ['Host', host, 'Authorization', `Bearer ${bearer}`, ...lengthOf(incoming)]
  if (isUpgrade) own.push('Connection', 'Upgrade', 'Upgrade', headers.upgrade ?? '')
  return rawHeaders.reduce((passed, name, index) => {
    const lower = name.toLowerCase()
    if (index % 2 === 1 || !(PASSED.has(lower) || (isUpgrade && PASSED_IN_UPGRADE.has(lower)))) return passed
    const value = lower === 'sec-websocket-protocol' ? withoutBearers(rawHeaders[index + 1] ?? '') : rawHeaders[index + 1]
    if (value !== undefined) passed.push(name, value)
    return passed
  }, own)
}

/** Without a length, Node.js would send a body of no bytes in chunks, which the API server would read as a part of the next protocol. */
function lengthOf({ headers, method = '' }: IncomingMessage): string[] {
  const isKnown = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
  return isKnown || !['POST', 'PUT', 'PATCH'].includes(method) ? [] : ['Content-Length', '0']
}

/** Whether the number is the status of a final response. */
export function isUsable({ statusCode = 0 }: IncomingMessage): boolean {
  return statusCode >= 200 && statusCode <= 599
}

/** The headers of the response to the scan. */
export function downstreamHeaders({ rawHeaders }: IncomingMessage): string[] {
  return rawHeaders.filter((_, index) => !OF_CONNECTION.has((rawHeaders[index - (index % 2)] ?? '').toLowerCase()))
}
