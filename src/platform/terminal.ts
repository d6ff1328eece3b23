import { tmpdir } from 'node:os'
import { basename } from 'node:path'
import { styleText } from 'node:util'
import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { flagName, parseFlags, sweepFlags, terminalFlags } from '../config/flags.ts'
import { kubeconfigContent } from '../config/path-or-content.ts'
import { readSmallFile } from '../config/small-file.ts'
import { asText } from '../state/evidence-text.ts'
import { anchorPrefix, type Run } from '../state/job.ts'
import { parseReceipt } from '../state/run-state-codec.ts'
import type { Receipt } from '../state/run-state.ts'
import { removeTree } from '../system/access.ts'
import { nextTo, writeNext, writePrivate } from '../system/files.ts'
import { print, STDERR } from '../system/print.ts'
import type { Platform } from './platform.ts'

/** What a person asks for: a run, the end of one that was killed, or that of all whose time is over. */
export type Wish = 'run' | 'revoke' | 'sweep'

const USAGES: Record<Wish, [wanted: number, usage: string]> = {
  run: [0, 'run [FLAGS] -- COMMAND'],
  revoke: [1, 'revoke [FLAGS] RECEIPT'],
  sweep: [0, 'sweep [FLAGS]'],
}

/** A person's terminal: what the scan prints is on stdout, what we say is on stderr. */
export function terminalPlatform(wish: Wish, words: readonly string[], env: NodeJS.ProcessEnv, redact: (text: string) => string): Platform {
  const { stderr } = process
  const [wanted, usage] = USAGES[wish]
  const hint = `kubepass ${usage}; kubepass help shows all flags.`
  const { values, positionals, argv, own } = parseFlags(words, terminalFlags, wanted, hint, wish === 'sweep' ? sweepFlags : {})
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
  const received = given === undefined ? undefined : readReceipt(given)
  let receiptFile = given
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
    own,
    temp: tmpdir(),
    workspace: undefined,
    path: env['PATH'] ?? '',
    hasLaterSteps: false,
    hasPost: false,
    postFailsJob: false,
    traced: undefined,
    stdin: () => process.stdin,
    isCI: false,
    env,
    uid: process.getuid?.() ?? -1,
    run: RUN,
    // By the names that follow from it the run can be finished although its receipt says nothing.
    runKey: received !== undefined && parseReceipt(received, anchorPrefix(RUN)) === undefined ? keyOf(given ?? '') : undefined,

    limitDoubts: () => [],
    idTokensNeed: undefined,
    idTokenRequest: () => undefined,
    idToken: () => undefined,
    mask: () => undefined,

    say: write,
    progress(text) {
      if (stderr.isTTY) print(STDERR, `\r\x1b[K${style('dim', `kubepass: ${redact(text)} ...`)}`)
    },
    warn: (text) => Promise.resolve(write(style('yellow', `warning: ${redact(text)}`))),
    fail: (text) => Promise.resolve(write(style('red', `error: ${redact(text)}`))),

    saveReceipt(receipt) {
      if (receipt === 'none') return
      const text = `${JSON.stringify(receipt)}\n`
      if (receiptFile !== undefined) return writeNext(receiptFile, text)()
      // Under its own name from the first moment: should we be killed here, revoke still finds all that is left.
      receiptFile = receiptPath(receipt)
      writePrivate(receiptFile, text)
    },
    forgetReceipt() {
      for (const file of receiptFile === undefined ? [] : [receiptFile, nextTo(receiptFile)]) removeTree(file)
    },
    howToFinish: () =>
      receiptFile === undefined ? undefined : `To try again: kubepass revoke, with the same flags, and the receipt ${receiptFile}`,
    readReceipt: () => received,

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

const RUN: Run = { platform: 'terminal', id: 'terminal', attempt: '1', job: '', repository: '', instance: '' }

function readReceipt(path: string): string {
  try {
    return readSmallFile(path)
  } catch (error) {
    throw new KubepassError('INPUT', `RECEIPT ${error instanceof Error ? error.message : quote(path)}.`)
  }
}

/** What the names of the run's anchor and directory end with. */
function keyOf(receipt: string): string | undefined {
  return /^kubepass-([0-9a-f]{16})\.receipt\.json$/.exec(basename(receipt))?.[1]
}

/** Beside the private directory, so that it is there before the directory is, and after. */
function receiptPath(receipt: Receipt): string {
  return `${receipt.directory}.receipt.json`
}
