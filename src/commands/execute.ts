import { constants } from 'node:os'
import { codeOf, describe, exitCodeOf, KubepassError } from '../base/errors.ts'
import { exampleOf, inputIds } from '../config/inputs.ts'
import type { CommandContext } from '../lifecycle/run-context.ts'
import { detect } from '../platform/detect.ts'
import type { Platform } from '../platform/platform.ts'
import { Redactor } from '../redact/redactor.ts'
import { reexecWithoutNodeVariables, requireSupportedNode } from '../system/node-runtime.ts'
import { print, STDERR } from '../system/print.ts'

/** GitHub sends a second signal 7.5 s after the first. Before that, kubepass must have revoked and reported. */
const HARD_DEADLINE_MS = 4_200
/** After a second signal in a terminal, kubepass waits for nothing but the revocation, and no longer than this. */
const SECOND_SIGNAL_DEADLINE_MS = 3_000
/** Two signals within this time count as one: npm passes on a signal that the terminal also sends to kubepass. */
const SAME_SIGNAL_MS = 250

export type OpenPlatform = (redact: (text: string) => string) => Platform

/** @param words the words after the command of a CI job */
export function jobPlatform(words: readonly string[]): OpenPlatform {
  return (redact) => detect(process.env, words, redact)
}

/**
 * Runs a command. Everything inside throws; this function alone prints an error and sets the exit code.
 * @param open makes the platform; its texts pass through `redact`
 */
export async function execute(
  command: (context: CommandContext) => Promise<number>,
  open: OpenPlatform = jobPlatform(process.argv.slice(2)),
): Promise<void> {
  // The exit code of a program that ends before it has a result.
  process.exitCode = exitCodeOf(undefined)
  reexecWithoutNodeVariables()
  const redactor = new Redactor(inputIds.map(exampleOf))
  const stop = new AbortController()
  const hardDeadline = new AbortController()
  const immediate = new AbortController()
  let platform: Platform | undefined
  let stoppedBy: 'SIGINT' | 'SIGTERM' | 'SIGHUP' | undefined
  let stoppedAt = 0
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (stoppedBy === undefined) stoppedAt = Date.now()
      // A second signal of a CI's runner is routine. A second signal of a person means: end now.
      else if (platform?.isCI === false && Date.now() - stoppedAt > SAME_SIGNAL_MS) immediate.abort()
      stoppedBy ??= name
      stop.abort(new KubepassError('INTERRUPTED', `Stopped by ${stoppedBy}.`))
      const left = immediate.signal.aborted ? SECOND_SIGNAL_DEADLINE_MS : HARD_DEADLINE_MS
      setTimeout(() => hardDeadline.abort(new KubepassError('INTERRUPTED', 'There was no more time.')), left).unref()
    })
  }
  // Without a handler, Node.js opens a debugger on this signal.
  process.on('SIGUSR1', () => undefined)
  let context: CommandContext | undefined
  let isOver = false
  const printError = async (error: unknown): Promise<void> => {
    const text = redactor.redact(describe(error))
    await (platform === undefined ? print(STDERR, `kubepass: error: ${text}\n`) : platform.log.error(text))
  }
  process.on('beforeExit', () => {
    // Before Node.js ends by itself it removes the handlers, so that a further signal would decide the exit code.
    if (isOver) process.exit()
    isOver = true
    void endWithoutResult()
  })
  process.on('uncaughtException', (cause) => {
    const error = defect('An error occurred outside of the run.', cause)
    // The run ends as after a signal, so that its error handling revokes the credential.
    if (!isOver && !stop.signal.aborted) return stop.abort(error)
    process.exitCode = exitCodeOf(error)
    void printError(error)
  })
  try {
    requireSupportedNode()
    const here = open((text) => redactor.redact(text))
    platform = here
    const seal: CommandContext['seal'] = (value) => {
      const secret = redactor.seal(value)
      here.mask?.(secret)
      return secret
    }
    context = {
      platform,
      redactor,
      seal,
      signal: stop.signal,
      hardDeadline: hardDeadline.signal,
      immediate: immediate.signal,
      emergencyCleanup: undefined,
    }
    const exitCode = await command(context)
    if (stop.signal.aborted && codeOf(stop.signal.reason) === 'INTERNAL') throw stop.signal.reason
    endWith(exitCode)
  } catch (error) {
    await printError(error)
    const ownExitCode = exitCodeOf(error)
    endWith(
      stoppedBy === undefined || ['NOT_REVOKED', 'TAMPERED'].includes(codeOf(error)) ? ownExitCode : 128 + constants.signals[stoppedBy],
    )
  }

  /** Once a defect has set the exit code, a run that goes on to revoke its credential does not change the code. */
  function endWith(exitCode: number): void {
    if (!isOver) process.exitCode = exitCode
    isOver = true
  }

  /** Node.js has nothing left to do, although the run waits for something. */
  async function endWithoutResult(): Promise<void> {
    const error = defect('The run ended without a result.')
    await printError(error)
    const failure = await context?.emergencyCleanup?.(error)
    if (failure === undefined) return
    await printError(failure)
    process.exitCode = exitCodeOf(failure)
  }
}

function defect(fact: string, cause?: unknown): KubepassError {
  return new KubepassError('INTERNAL', `${fact} This is a defect of kubepass.`, {
    hint: 'Please report it with the log; the log holds no secret.',
    cause,
  })
}
