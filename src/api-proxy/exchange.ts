import type { IncomingMessage } from 'node:http'
import type { RequestAttributes } from '../rbac/request-attributes.ts'

/** The parts of a request that the proxy keeps. The request itself would stay in memory for longer than its exchange. */
export interface RequestLine {
  readonly method: string
  readonly target: string
  readonly userAgent: string | undefined
}

export function requestLineOf({ headers, method = '', url: target = '' }: IncomingMessage): RequestLine {
  return { method, target, userAgent: headers['user-agent'] }
}

/** An authenticated request of the scan, from its first byte to its end. */
export class Exchange {
  readonly line: RequestLine
  readonly attributes: RequestAttributes
  /** ms since 1970 */
  readonly startedAt = Date.now()
  bytesToServer = 0
  bytesToScan = 0
  /** The status of the response, also of one that the proxy makes itself; undefined before it begins. */
  status: number | undefined
  readonly #over: (exchange: Exchange) => void

  /** @param over called at the end */
  constructor(line: RequestLine, attributes: RequestAttributes, over: (exchange: Exchange) => void) {
    this.line = line
    this.attributes = attributes
    this.#over = over
  }

  /** May be called again after the end. */
  end(): void {
    this.#over(this)
  }
}
