import { type Duplex, finished } from 'node:stream'
import { type ExitStatus, signalOf } from '../system/exit-status.ts'
import { INIT_SUFFIX, TRACKING_VARIABLE } from './orphans.ts'

// What a name of ours holds is nothing that the scan has: such names are withheld from it.
const WAIT_FOR_GO = 'read -r KUBEPASS_GO <&4 && unset KUBEPASS_GO'
// The first of the namespace: it waits until its user is one, for what it was as an unknown one it stays.
export const ANNOUNCE_INIT = `echo ready >&4; ${WAIT_FOR_GO} && exec "$@"`
// The scan cannot unmount this folder: an outer user namespace owns the mount namespace, or root has lost the capability.
export const HIDE = '"$1" -t tmpfs -o ro,nosuid,nodev,noexec,mode=555 kubepass "$2" && shift 2 && exec "$@"'
// It reaps, which the command need not know how to. A shell (bash, when it is not in its POSIX mode) has a word for a
// command that a signal ended; so what it says goes where the exit code goes. When we say so, or have ended, it ends.
// The one in brackets ends when it is told to: the first of a namespace is deaf to that, and a GitLab runner, which tells
// every process of a container by itself, waits seconds for each.
export const INIT = [
  'ulimit -c 0',
  `${TRACKING_VARIABLE}=\${${TRACKING_VARIABLE}%${INIT_SUFFIX}}`,
  'command set +o posix 2>/dev/null',
  'exec 2>&4',
  '("$@"; echo "ended $?" >&4)',
  'echo "ended $?" >&4',
  WAIT_FOR_GO,
].join('\n')
// Its outputs are the scan's alone. It waits until we know its group.
export const COMMAND = `echo began >&4; ${WAIT_FOR_GO} && exec "$@" 2>&3 3>&- 4>&-`
/** More than any shell says. */
const MAX_MESSAGE_CHARS = 64 * 1024

/**
 * The shell says a number, which may be a signal's, and of most signals a word: of SIGINT and SIGPIPE none, bash none of
 * SIGTERM. Those count if they came from us.
 */
export function exitStatusOf([, code, before]: Message, sent: Set<NodeJS.Signals>): ExitStatus {
  const exitCode = Number(code)
  const signal = signalOf(exitCode)
  const bySignal = signal !== undefined && (before !== '' || sent.has(signal))
  return { exitCode, signal: bySignal ? signal : null }
}

type Message = [match: string, group: string, before: string]

/** What is said from inside, word by word. A hostile scan can say it, too. */
export class ControlChannel {
  readonly #stream: Duplex
  #text = ''
  #over = false
  #look: () => void = () => undefined

  constructor(stream: Duplex) {
    this.#stream = stream
    stream.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1')
      this.#look()
      if (this.#text.length > MAX_MESSAGE_CHARS) stream.destroy()
    })
    stream.on('error', () => undefined)
    finished(stream, { writable: false }, () => {
      this.#over = true
      this.#look()
    })
  }

  go(): void {
    this.#stream.write('go\n')
  }

  /** @returns undefined when nothing more can come */
  waitFor(word: RegExp): Promise<Message | undefined> {
    return new Promise((resolve) => {
      this.#look = () => {
        const found = word.exec(this.#text)
        if (found === null) return this.#over ? resolve(undefined) : undefined
        const before = this.#text.slice(0, found.index)
        this.#text = this.#text.slice(found.index + found[0].length)
        resolve([found[0], found[1] ?? '', before])
      }
      this.#look()
    })
  }
}
