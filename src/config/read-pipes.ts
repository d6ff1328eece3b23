import { closeSync, constants, openSync, readSync, statSync } from 'node:fs'
import { addAbortSignal, type Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { deadlineAfter } from '../base/deadline.ts'
import { errnoOf } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { allowAsJson } from './allow-input.ts'
import type { InputId } from './inputs.ts'
import { InvalidValue } from './invalid-value.ts'
import { LARGEST_FILE, readSmallFile, textIn } from './small-file.ts'

/** The text of each pipe and of standard input, by path, and the rules of `allow`, by its text; InvalidValue if it could not be read. */
export type PipeTexts = ReadonlyMap<string, string | InvalidValue>

/** The inputs that can be the path of a file. */
export const PATH_INPUTS = ['kubeconfig', 'token_file', 'certificate_authority', 'allow'] as const satisfies InputId[]

interface Source {
  input(id: InputId): string | undefined
  readonly hasPost: boolean
  /** Opens standard input; undefined in a job, which has none. */
  readonly stdin: (() => Readable) | undefined
}

const POLL_MS = 20

/**
 * Reads pipes, such as a process substitution, before all other inputs. A pipe can be read only once, so that the texts are kept
 * for the whole run. The rules of `allow` are read here too, and become JSON.
 * @param seconds the time limit for all pipes
 */
export async function readPipes(source: Source, seconds: number, stop: AbortSignal): Promise<PipeTexts> {
  const given = PATH_INPUTS.map((id) => (source.input(id) ?? '').trim())
  const deadline = deadlineAfter(seconds * 1000, stop)
  const read = async (path: string, readText: () => Promise<string>): Promise<[string, string | InvalidValue]> => {
    try {
      return [path, await readText()]
    } catch (error) {
      stop.throwIfAborted()
      if (error instanceof InvalidValue) return [path, error]
      const why = deadline.aborted
        ? `whose text did not end within ${seconds} s: does a program write to it? Raise deadline if that takes longer`
        : `which cannot be read (${errnoOf(error)})`
      return [path, new InvalidValue(`names ${isStdin(path) ? 'standard input' : `the pipe ${quote(path)}`}, ${why}`)]
    }
  }
  const ofStdin = source.stdin === undefined ? [] : given.filter(isStdin)
  const ofPipes = given.filter((path) => !isStdin(path) && isPipe(path))
  const texts = new Map(
    await Promise.all([
      ...ofStdin.map((path) => read(path, () => textOfStdin(ofStdin.length, source.stdin, deadline))),
      ...ofPipes.map((path) => read(path, () => textOfPipe(path, source.hasPost, deadline))),
    ]),
  )
  const allow = (source.input('allow') ?? '').trim()
  const rules = await allowAsJson(allow, (path) => textOfPath(path, texts))
  return rules === undefined ? texts : texts.set(allow, rules)
}

/**
 * The text of a file, of a pipe or of standard input.
 * @param pipeTexts what readPipes() has read; undefined if it did not run
 * @throws InvalidValue if the text cannot be read
 */
export function textOfPath(path: string, pipeTexts: PipeTexts | undefined): string {
  const text = pipeTexts?.get(path)
  if (text instanceof InvalidValue) throw text
  if (text === undefined && isStdin(path)) throw new InvalidValue(`is ${quote(path)}, but there is no standard input here`)
  return text ?? readSmallFile(path)
}

export function isStdin(path: string): boolean {
  return /^(-|\/dev\/(stdin|fd\/0)|\/proc\/self\/fd\/0)$/.test(path)
}

function isPipe(path: string): boolean {
  try {
    return statSync(path).isFIFO()
  } catch {
    return false
  }
}

/** Reads without blocking: a named pipe may never get a writer, and kubepass must react to signals meanwhile. */
async function textOfPipe(path: string, hasPost: boolean, deadline: AbortSignal): Promise<string> {
  if (hasPost)
    throw new InvalidValue(`names the pipe ${quote(path)}: kubepass reads it again at the end of the job, but a pipe can be read only once`)
  // A process substitution has had its writer from the start; a named pipe may still wait for one.
  const hadWriter = /^\/(dev|proc\/[^/]+)\/fd\//.test(path)
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const chunks: Buffer[] = []
    for (let size = 0; size <= LARGEST_FILE;) {
      const chunk = readNow(file)
      if (chunk?.length === 0 && (hadWriter || size > 0)) return textIn(Buffer.concat(chunks))
      if (chunk === undefined || chunk.length === 0) await sleep(POLL_MS, undefined, { signal: deadline })
      else chunks.push(chunk)
      size += chunk?.length ?? 0
    }
    throw new InvalidValue(`names the pipe ${quote(path)}, whose text is over 1 MiB`)
  } finally {
    closeSync(file)
  }
}

/** Reads without waiting: empty if no process has the write end open, undefined while a writer sends nothing. */
function readNow(file: number): Buffer | undefined {
  const buffer = Buffer.alloc(64 * 1024)
  try {
    return buffer.subarray(0, readSync(file, buffer))
  } catch (error) {
    if (errnoOf(error) === 'EAGAIN') return undefined
    throw error
  }
}

async function textOfStdin(readers: number, open: (() => Readable) | undefined, deadline: AbortSignal): Promise<string> {
  if (readers > 1 || open === undefined) throw new InvalidValue('names standard input, as another input does')
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of addAbortSignal(deadline, open()) as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    size += chunk.length
    if (size > LARGEST_FILE) throw new InvalidValue('names standard input, whose text is over 1 MiB')
  }
  return textIn(Buffer.concat(chunks))
}
