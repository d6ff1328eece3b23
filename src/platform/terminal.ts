import { tmpdir } from 'node:os'
import { basename } from 'node:path'
import { styleText } from 'node:util'
import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { flagName, parseFlags, sweepFlags, terminalFlags } from '../config/flags.ts'
import { kubeconfigContent } from '../config/path-or-content.ts'
import { readSmallFile } from '../config/small-file.ts'
import { asText } from '../state/evidence-text.ts'
import { boundSecretPrefix, type JobInfo } from '../state/job-info.ts'
import { parseRunState } from '../state/run-state-codec.ts'
import type { RunState } from '../state/run-state.ts'
import { removeTree } from '../system/restore-access.ts'
import { stagingPath, stageReplacement, writePrivate } from '../system/files.ts'
import { print, STDERR } from '../system/print.ts'
import type { Platform } from './platform.ts'

/** What a person asks for: a run, the end of one that was killed, or that of all whose time is over. */
export type Subcommand = 'run' | 'revoke' | 'sweep'

const USAGES: Record<Subcommand, [wanted: number, usage: string]> = {
  run: [0, 'run [FLAGS] -- COMMAND'],
  revoke: [1, 'revoke [FLAGS] STATE-FILE'],
  sweep: [0, 'sweep [FLAGS]'],
}

/** A person's terminal: what the scan prints is on stdout, what we say is on stderr. */
export function terminalPlatform(
  subcommand: Subcommand,
  words: readonly string[],
  env: NodeJS.ProcessEnv,
  redact: (text: string) => string,
): Platform {
  const { stderr } = process
  const [wanted, usage] = USAGES[subcommand]
  const hint = `kubepass ${usage}; kubepass help shows all flags.`
  const { values, positionals, argv, extraFlags } = parseFlags(words, terminalFlags, wanted, hint, subcommand === 'sweep' ? sweepFlags : {})
  const [given] = positionals
  if (kubeconfigContent(values.get('kubeconfig')?.trim() ?? '') !== undefined) {
    throw new KubepassError(
      'INPUT',
      'The content of a kubeconfig was given on the command line, which every user of the machine can read.',
      {
        hint: `Give its path: ${flagName('kubeconfig')} PATH`,
      },
    )
  }
  const received = given === undefined ? undefined : readStateFile(given)
  let stateFile = given
  const style = (format: 'red' | 'yellow' | 'dim', text: string): string => styleText(format, text, { stream: stderr })
  /** While the scan prints nobody may wait for a reader: what we say waits with what it says. */
  let scanning = false
  const write = (text: string): void => {
    const line = `${stderr.isTTY ? '\r\x1b[K' : ''}kubepass: ${redact(text)}\n`
    if (scanning) stderr.write(line)
    else print(STDERR, line)
  }
  return {
    input: (id) => values.get(id),
    nameOf: flagName,
    argv,
    extraFlags,
    temp: tmpdir(),
    workspace: undefined,
    path: env['PATH'] ?? '',
    hasLaterSteps: false,
    hasPost: false,
    postFailsJob: false,
    debugTraceVariable: undefined,
    stdin: () => process.stdin,
    isCI: false,
    env,
    ownerUid: process.getuid?.() ?? -1,
    job: RUN,
    // By the names that follow from it the run can be finished although its run state says nothing.
    runKey: received !== undefined && parseRunState(received, boundSecretPrefix(RUN)) === undefined ? runKeyOf(given ?? '') : undefined,

    timeoutWarnings: () => [],
    idTokenInstructions: undefined,
    idTokenRequest: () => undefined,
    idToken: () => undefined,
    mask: () => undefined,

    info: write,
    progress(text) {
      if (stderr.isTTY) print(STDERR, `\r\x1b[K${style('dim', `kubepass: ${redact(text)} ...`)}`)
    },
    warn: (text) => Promise.resolve(write(style('yellow', `warning: ${redact(text)}`))),
    error: (text) => Promise.resolve(write(style('red', `error: ${redact(text)}`))),

    saveState(state) {
      if (state === 'none') return
      const text = `${JSON.stringify(state)}\n`
      if (stateFile !== undefined) return stageReplacement(stateFile, text)()
      // Under its own name from the first moment: should we be killed here, revoke still finds all that is left.
      stateFile = stateFilePath(state)
      writePrivate(stateFile, text)
    },
    deleteState() {
      for (const file of stateFile === undefined ? [] : [stateFile, stagingPath(stateFile)]) removeTree(file)
    },
    retryInstructions: () =>
      stateFile === undefined ? undefined : `To try again: kubepass revoke, with the same flags, and the run state ${stateFile}`,
    readState: () => received,

    guardCommandFiles: () => undefined,
    restoreCommandFiles: () => ({ changed: [], left: [] }),
    scanOutputs() {
      scanning = true
      return { stdout: () => process.stdout, stderr: () => stderr, filters: () => [], close: () => (scanning = false) }
    },
    setOutput: () => Promise.resolve(),
    exportVariable: () => Promise.resolve(),
    publishCheck: () => Promise.resolve(),
    report: (evidence) => Promise.resolve(write(`what happened:\n${asText(evidence)}`)),
  }
}

const RUN: JobInfo = { platform: 'terminal', id: 'terminal', attempt: '1', job: '', repository: '', instance: '' }

function readStateFile(path: string): string {
  try {
    return readSmallFile(path)
  } catch (error) {
    throw new KubepassError('INPUT', `STATE-FILE ${error instanceof Error ? error.message : quote(path)}.`)
  }
}

/** What the names of the run's bound Secret and directory end with. */
function runKeyOf(state: string): string | undefined {
  return /^kubepass-([0-9a-f]{16})\\.state\.json$/.exec(basename(state))?.[1]
}

/** Beside the private directory, so that it is there before the directory is, and after. */
function stateFilePath(state: RunState): string {
  return `${state.directory}.state.json`
}
