import { describe, errnoOf, KubepassError } from '../base/errors.ts'
import { STANDARD_OUTPUT } from '../config/paths.ts'
import { toEvidence } from '../state/evidence.ts'
import { asJson } from '../state/evidence-text.ts'
import { replaceFile } from '../system/files.ts'
import { printWhole, STDOUT } from '../system/print.ts'
import type { Run } from './run-context.ts'

/** Writes the evidence file, the outputs and the summary. A failure here becomes a warning, so that it does not hide how the run ended. */
export async function report({ platform, options, journal, redactor }: Run): Promise<void> {
  const evidence = toEvidence(journal.state)
  const exitCode = evidence.used?.exit_code ?? undefined
  const tries: [string, () => unknown][] = [
    ['evidence file', () => options.evidence !== undefined && writeEvidence(options.evidence, redactor.redact(asJson(evidence)))],
    ['output', () => exitCode !== undefined && platform.stepOutputs?.setOutput('exit_code', String(exitCode))],
    ['summary', () => platform.report(evidence)],
    ['check run', () => evidence.finished && options.checkToken && platform.publishCheck?.(evidence, options.checkToken)],
  ]
  for (const [what, write] of tries) {
    try {
      await write()
    } catch (error) {
      const reason = error instanceof KubepassError ? describe(error) : errnoOf(error) || 'unknown reason'
      await platform.log.warn(`The ${what} could not be written (${reason}).`)
    }
  }
}

function writeEvidence(path: string, text: string): void {
  if (path !== STANDARD_OUTPUT) replaceFile(path, text)
  else if (!printWhole(STDOUT, text)) throw Object.assign(new Error('nobody reads standard output'), { code: 'EPIPE' })
}
