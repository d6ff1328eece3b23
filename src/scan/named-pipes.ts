import { spawn } from 'node:child_process'
import { closeSync, constants, fstatSync, openSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { errnoOf } from '../base/errors.ts'
import { findProgram, SYSTEM_PATH } from '../system/find-program.ts'

/**
 * A pipe for an output of the scan. Node.js would give the scan a socket, and a program cannot open a socket by a name such as
 * /dev/stdout.
 */
export interface Pipe {
  /** A paused stream. It emits data events only, and reuses one buffer for all pieces. */
  readonly source: Readable
  /** The descriptor of the write end. The child gets a copy of it. */
  readonly sink: number
}

export interface Pipes {
  readonly stdout: Pipe
  readonly stderr: Pipe
}

/** The output of a child process as `spawn` takes it: the write end of a named pipe, or a socket that Node.js makes. */
export function stdioOf(pipe: Pipe | undefined): number | 'pipe' {
  return pipe?.sink ?? 'pipe'
}

/** The stream that reads the output. */
export function sourceOf(pipe: Pipe | undefined, socket: Readable): Readable {
  return pipe?.source ?? socket
}

const LONGEST_MS = 5_000
/** The capacity of a pipe on Linux, in bytes. */
const PIECE = 1 << 16

/**
 * Makes two named pipes in the private directory. Never rejects, so that the caller can wait for it later.
 * @returns why that failed; undefined on success
 */
export function makeNamedPipes(directory: string): Promise<string | undefined> {
  const mkfifo = findProgram('mkfifo', SYSTEM_PATH)
  if (mkfifo === undefined) return Promise.resolve(`mkfifo is not in ${SYSTEM_PATH.replaceAll(':', ', ')}`)
  return new Promise((resolve) => {
    const notStarted = (error: unknown): void => resolve(`mkfifo could not be started (${errnoOf(error)})`)
    try {
      const names = [pathOf(directory, 'stdout'), pathOf(directory, 'stderr')]
      const child = spawn(mkfifo, ['-m', '600', ...names], { env: {}, stdio: 'ignore', timeout: LONGEST_MS, killSignal: 'SIGKILL' })
      child.on('error', notStarted)
      child.on('exit', (code, by) => resolve(code === 0 ? undefined : `mkfifo failed (${by ?? `exit code ${code}`})`))
    } catch (error) {
      // spawn() throws some errors instead of emitting them.
      notStarted(error)
    }
  })
}

/**
 * Opens both named pipes and removes their names, so that the scan cannot open and read them.
 * @throws when a pipe cannot be opened
 */
export function openNamedPipes(directory: string): Pipes {
  const stdout = openNamedPipe(pathOf(directory, 'stdout'))
  try {
    return { stdout, stderr: openNamedPipe(pathOf(directory, 'stderr')) }
  } catch (error) {
    stdout.source.destroy()
    closeSync(stdout.sink)
    throw error
  }
}

function openNamedPipe(path: string): Pipe {
  const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants
  const readEnd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  let sink: number | undefined
  try {
    if (!fstatSync(readEnd).isFIFO()) throw Object.assign(new Error('it is no pipe'), { code: 'ENOTSUP' })
    // Without O_NONBLOCK, because the scan expects an output that blocks. The open itself does not block: the pipe has a reader.
    sink = openSync(path, O_WRONLY | O_NOFOLLOW)
    rmSync(path)
    return { source: socketOf(readEnd), sink }
  } catch (error) {
    for (const end of [readEnd, sink]) if (end !== undefined) closeSync(end)
    throw error
  }
}

/** A paused socket that emits each piece in the same buffer: allocating one for each piece would take as long as the reading. */
function socketOf(readEnd: number): Socket {
  const callback = (length: number, memory: Uint8Array): boolean => {
    socket.emit('data', memory.subarray(0, length))
    return true
  }
  const socket = new Socket({ fd: readEnd, readable: true, writable: false, onread: { buffer: Buffer.alloc(PIECE), callback } })
  return socket.pause()
}

/** Closes the write ends: the reader sees the end of an output only when every process has closed its write end. */
export function closeSinks({ stdout, stderr }: Pipes): void {
  for (const { sink } of [stdout, stderr]) closeSync(sink)
}

function pathOf(directory: string, output: keyof Pipes): string {
  return join(directory, `${output}.pipe`)
}
