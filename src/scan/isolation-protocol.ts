import { type Duplex, finished } from 'node:stream'
import { type ExitStatus, signalOf } from '../system/exit-status.ts'
import { INIT_SUFFIX, TRACKING_VARIABLE } from './orphans.ts'

// KUBEPASS_GO cannot collide with a variable of the scan: the scan gets no variable KUBEPASS_*.
const WAIT_FOR_GO = 'read -r KUBEPASS_GO <&4 && unset KUBEPASS_GO'
// PID 1 of the namespace waits for the UID map: a process that executes a program before it keeps the unmapped user.
export const ANNOUNCE_INIT = `echo ready >&4; ${WAIT_FOR_GO} && exec "$@"`
// The scan cannot unmount this tmpfs: an outer user namespace owns the mount namespace, or root has lost CAP_SYS_ADMIN.
export const HIDE = '"$1" -t tmpfs -o ro,nosuid,nodev,noexec,mode=555 kubepass "$2" && shift 2 && exec "$@"'
// PID 1 of the namespace reaps zombies, which the command may not do. When a signal ends the command, the shell prints a word such as
// "Killed" (bash only outside its POSIX mode): stderr goes to the control channel, so that exitStatusOf() can read it. PID 1 ends
// when it reads "go", or when kubepass has ended. The subshell exists for SIGTERM, which PID 1 of a namespace ignores: a GitLab
// runner signals every process of a container and waits seconds for each.
export const INIT = [
  'ulimit -c 0',
  `${TRACKING_VARIABLE}=\${${TRACKING_VARIABLE}%${INIT_SUFFIX}}`,
  'command set +o posix 2>/dev/null',
  'exec 2>&4',
  '("$@"; echo "ended $?" >&4)',
  'echo "ended $?" >&4',
  WAIT_FOR_GO,
].join('\n')
// The command gets its own stderr back, and no descriptor of the control channel. It waits until kubepass knows its process group.
export const COMMAND = `echo began >&4; ${WAIT_FOR_GO} && exec "$@" 2>&3 3>&- 4>&-`
/** More than any shell prints. A hostile scan could write without end. */
const MAX_MESSAGE_CHARS = 64 * 1024

/**
 * The shell reports an exit code, which may stand for a signal, and prints a word for most signals: none for SIGINT and SIGPIPE, and
 * bash none for SIGTERM. An exit code without a word counts as a signal if kubepass sent that signal.
 */
export function exitStatusOf([, code, before]: Message, sent: Set<NodeJS.Signals>): ExitStatus {
  const exitCode = Number(code)
  const signal = signalOf(exitCode)
  const bySignal = signal !== undefined && (before !== '' || sent.has(signal))
  return { exitCode, signal: bySignal ? signal : null }
}

type Message = [match: string, group: string, before: string]

/** The messages of the shells in the namespace, and the answer to them. A hostile scan can write such messages, too. */
export class ControlChannel {
  readonly #stream: Duplex
  #text = ''
  #isOver = false
  #onChange: () => void = () => undefined

  constructor(stream: Duplex) {
    this.#stream = stream
    stream.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1')
      this.#onChange()
      if (this.#text.length > MAX_MESSAGE_CHARS) stream.destroy()
    })
    stream.on('error', () => undefined)
    finished(stream, { writable: false }, () => {
      this.#isOver = true
      this.#onChange()
    })
  }

  go(): void {
    this.#stream.write('go\n')
  }

  /** @returns undefined when the channel is closed without such a message */
  waitFor(pattern: RegExp): Promise<Message | undefined> {
    return new Promise((resolve) => {
      this.#onChange = () => {
        const match = pattern.exec(this.#text)
        if (match === null) return this.#isOver ? resolve(undefined) : undefined
        const before = this.#text.slice(0, match.index)
        this.#text = this.#text.slice(match.index + match[0].length)
        resolve([match[0], match[1] ?? '', before])
      }
      this.#onChange()
    })
  }
}
