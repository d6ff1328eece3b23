import type { IncomingMessage } from 'node:http'
import type { RequestAttributes } from '../rbac/request-attributes.ts'

/** One authenticated request of the scan, until nothing of it is left. */
export class Exchange {
  readonly request: IncomingMessage
  readonly attributes: RequestAttributes
  /** ms since 1970 */
  readonly startedAt = Date.now()
  bytesToServer = 0
  bytesToScan = 0
  /** The status of the response, also of one that the proxy makes itself; undefined before it begins. */
  status: number | undefined
  readonly #over: (exchange: Exchange) => void

  /** @param over called at the end */
  constructor(request: IncomingMessage, attributes: RequestAttributes, over: (exchange: Exchange) => void) {
    this.request = request
    this.attributes = attributes
    this.#over = over
  }

  /** May be called again after the end. */
  end(): void {
    this.#over(this)
  }
}
