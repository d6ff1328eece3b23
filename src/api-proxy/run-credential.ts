import { randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Seal, SealedString } from '../redact/sealed-string.ts'

/** The subprotocol with which browsers, and clients without access to headers, send a bearer. https://github.com/kubernetes/kubernetes/pull/47740 */
const BEARER_PROTOCOL = 'base64url.bearer.authorization.k8s.io.'

/** The credential of the scan. It is of use only at the API proxy of this run. */
export class RunCredential {
  readonly sealed: SealedString
  readonly #expected: Buffer

  constructor(seal: Seal) {
    const value = `kubepass_${randomBytes(32).toString('base64url')}`
    this.sealed = seal(value)
    this.#expected = Buffer.from(value)
  }

  /** Whether the request has this credential, and no other one. */
  isIn(request: IncomingMessage): boolean {
    const { authorization } = request.headers
    const presented = bearersInProtocols(request.headers['sec-websocket-protocol'])
    if (authorization !== undefined) presented.push(/^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? '')
    return presented.length > 0 && presented.every((value) => this.#equals(value))
  }

  #equals(value: string): boolean {
    const given = Buffer.from(value, 'latin1')
    return given.length === this.#expected.length && timingSafeEqual(given, this.#expected)
  }
}

function bearersInProtocols(header: string | undefined): string[] {
  return protocolsIn(header)
    .filter(isBearer)
    .map((protocol) => Buffer.from(protocol.slice(BEARER_PROTOCOL.length), 'base64url').toString('latin1'))
}

/** The subprotocols of the header without those that hold a bearer; undefined if there is no other. */
export function withoutBearers(header: string): string | undefined {
  const others = protocolsIn(header).filter((protocol) => !isBearer(protocol))
  return others.length === 0 ? undefined : others.join(', ')
}

function protocolsIn(header: string | undefined): string[] {
  return (header ?? '').split(',').map((protocol) => protocol.trim())
}

function isBearer(protocol: string): boolean {
  return protocol.toLowerCase().startsWith(BEARER_PROTOCOL)
}
