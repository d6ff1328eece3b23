import { closeSync, constants, openSync, writeFileSync } from 'node:fs'
import { errnoOf } from '../base/errors.ts'
import { percentDecoded } from '../base/percent-decode.ts'
import { replaceFile } from '../system/files.ts'
import type { Exchange } from './exchange.ts'
import { recordOf } from './used-requests.ts'

const { O_APPEND, O_NOFOLLOW, O_WRONLY } = constants
/** Text that waits for one write. */
const BATCH_BYTES = 64 * 1024
const BATCH_MS = 1_000
const MAX_BYTES = 256 * 1024 * 1024
const LONGEST_TEXT = 2_000

type LoggedExchange = Omit<Exchange, 'end'>

/** Writes one JSON line for each request of the scan, in batches. It stops at a size that no reader wants. */
export class RequestLog {
  readonly #file: number
  readonly #redact: (text: string) => string
  #waiting = ''
  #written = 0
  #timer: NodeJS.Timeout | undefined
  #problem: string | undefined
  #isClosed = false

  private constructor(file: number, redact: (text: string) => string) {
    this.#file = file
    this.#redact = redact
  }

  /** Empties the file. It stays open, because the scan may put another file in its place. */
  static open(path: string, redact: (text: string) => string): RequestLog {
    replaceFile(path, '')
    return new RequestLog(openSync(path, O_WRONLY | O_APPEND | O_NOFOLLOW), redact)
  }

  /** Why the file lacks requests; undefined if it has all. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** @param refused why kubepass refused the request; undefined if it did not */
  write(exchange: LoggedExchange, refused: string | undefined): void {
    if (this.#isClosed || this.#problem !== undefined) return
    this.#waiting += `${JSON.stringify(lineOf(exchange, refused))}\n`
    if (this.#waiting.length >= BATCH_BYTES) this.#flush()
    else this.#timer ??= setTimeout(() => this.#flush(), BATCH_MS).unref()
  }

  close(): void {
    this.#flush()
    this.#isClosed = true
    closeSync(this.#file)
  }

  #flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#problem !== undefined || this.#waiting === '') return
    const bytes = Buffer.from(this.#redact(this.#waiting))
    this.#waiting = ''
    try {
      if (this.#written + bytes.length > MAX_BYTES) this.#problem = `it has reached its limit of ${MAX_BYTES / 1024 / 1024} MiB`
      else writeFileSync(this.#file, bytes)
      this.#written += bytes.length
    } catch (error) {
      this.#problem = errnoOf(error) || 'unknown reason'
    }
  }
}

function lineOf({ line, attributes, status, startedAt, bytesToServer, bytesToScan }: LoggedExchange, refused: string | undefined): object {
  return {
    at: new Date(startedAt).toISOString(),
    method: line.method,
    target: withoutCommand(line.target).slice(0, LONGEST_TEXT),
    ...recordOf(attributes),
    status: status ?? null,
    refused: refused ?? null,
    ms: Date.now() - startedAt,
    bytes_to_server: bytesToServer,
    bytes_to_scan: bytesToScan,
    user_agent: line.userAgent?.slice(0, LONGEST_TEXT) ?? null,
  }
}

/** The command of an exec can hold passwords. */
function withoutCommand(target: string): string {
  const [path, ...query] = target.split(/[?&]/)
  const shown = query.map((pair) => (percentDecoded(pair.split('=', 1)[0] ?? '') === 'command' ? 'command=***' : pair))
  return shown.length === 0 ? target : `${path}?${shown.join('&')}`
}
