import { closeSync, constants, openSync, writeSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import type { RequestAttributes } from '../rbac/request-attributes.ts'
import { replaceFile } from '../system/files.ts'
import { recordOf } from './used-requests.ts'

const { O_APPEND, O_NOFOLLOW, O_WRONLY } = constants
/** Text that waits for one write. */
const BATCH_BYTES = 64 * 1024
const BATCH_MS = 1_000
const MAX_BYTES = 256 * 1024 * 1024
const LONGEST_TEXT = 2_000

export interface RequestOutcome {
  /** Undefined where no response came. */
  readonly status: number | undefined
  /** Why kubepass refused the request. */
  readonly refused: string | undefined
  /** ms since 1970 */
  readonly startedAt: number
  readonly bytesToServer: number
  readonly bytesToScan: number
}

/** Writes one JSON line for each request of the scan, in batches. It stops at a size that no reader wants. */
export class RequestLog {
  readonly #file: number
  readonly #redact: (text: string) => string
  #waiting = ''
  #written = 0
  #timer: NodeJS.Timeout | undefined
  /** Set when a write failed, or the file is full: the record then has a gap. */
  problem: string | undefined

  private constructor(file: number, redact: (text: string) => string) {
    this.#file = file
    this.#redact = redact
  }

  /** Empties the file. It stays open, because the scan may put another file in its place. */
  static open(path: string, redact: (text: string) => string): RequestLog {
    replaceFile(path, '')
    return new RequestLog(openSync(path, O_WRONLY | O_APPEND | O_NOFOLLOW), redact)
  }

  write(request: IncomingMessage, attributes: RequestAttributes, outcome: RequestOutcome): void {
    if (this.problem !== undefined) return
    this.#waiting += `${JSON.stringify(lineOf(request, attributes, outcome))}\n`
    if (this.#waiting.length >= BATCH_BYTES) this.#flush()
    else this.#timer ??= setTimeout(() => this.#flush(), BATCH_MS).unref()
  }

  close(): void {
    this.#flush()
    closeSync(this.#file)
    this.problem ??= ''
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.problem !== undefined || this.#waiting === '') return
    const bytes = Buffer.from(this.#redact(this.#waiting))
    this.#waiting = ''
    try {
      if (this.#written + bytes.length > MAX_BYTES) this.problem = `it has ${this.#written} bytes`
      else this.#written += writeSync(this.#file, bytes)
    } catch (error) {
      this.problem = String((error as NodeJS.ErrnoException).code)
    }
  }
}

function lineOf({ headers, method = '', url = '' }: IncomingMessage, request: RequestAttributes, outcome: RequestOutcome): object {
  const { bytesToScan, bytesToServer, refused, startedAt, status } = outcome
  return {
    at: new Date(startedAt).toISOString(),
    method,
    target: withoutCommand(url).slice(0, LONGEST_TEXT),
    ...recordOf(request),
    status: status ?? null,
    refused: refused ?? null,
    ms: Date.now() - startedAt,
    bytes_to_server: bytesToServer,
    bytes_to_scan: bytesToScan,
    user_agent: headers['user-agent']?.slice(0, LONGEST_TEXT) ?? null,
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The command of an exec can hold passwords. */
function withoutCommand(target: string): string {
  const [path, ...query] = target.split(/[?&]/)
  const shown = query.map((pair) => (decoded(pair.split('=', 1)[0] ?? '') === 'command' ? 'command=***' : pair))
  return shown.length === 0 ? target : `${path}?${shown.join('&')}`
}
