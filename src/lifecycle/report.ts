import { describe, errnoOf, KubepassError } from '../base/errors.ts'
import type { Options } from '../config/options.ts'
import { STANDARD_OUTPUT } from '../config/paths.ts'
import type { Platform } from '../platform/platform.ts'
import type { Redactor } from '../redact/redactor.ts'
import { toEvidence, type Evidence } from '../state/evidence.ts'
import { asJson } from '../state/evidence-text.ts'
import type { RunState } from '../state/run-state.ts'
import { replaceFile } from '../system/files.ts'
import { printWhole, STDOUT } from '../system/print.ts'
import { planReport, type ReportPlan } from './report-plan.ts'
import type { Run } from './run-context.ts'

/** The places that a report is written to. */
interface Target {
  readonly platform: Platform
  readonly redactor: Redactor
  /** Undefined where the inputs could not be read. */
  readonly options: Options | undefined
}

/** Reports a run as planned, and records that this process has reported all of the run. */
export async function report(run: Run, before: RunState, postFollows: boolean): Promise<void> {
  const { journal, provenance } = run
  const plan = planReport({ before, now: journal.state, provenance, postFollows })
  if (await reportState(run, journal.state, plan)) journal.observe({ type: 'Reported' })
}

/**
 * Writes the evidence file, the outputs and the section for people. A failure here becomes a warning, so that it does not hide how the
 * run ended.
 * @returns whether the summary is written, so that no later process writes another one
 */
export async function reportState(target: Target, state: RunState, plan: ReportPlan): Promise<boolean> {
  if (plan === 'nothing') return false
  const evidence = toEvidence(state)
  await runSteps(target.platform, recordSteps(target, evidence))
  if (plan !== 'all') return false
  // No process can remove the summary again, so the summary alone decides whether a later process writes another one.
  const isWritten = await runSteps(target.platform, [['summary', () => target.platform.writeSummary?.(evidence)]])
  await runSteps(target.platform, [['check run', () => publishCheck(target, evidence)]])
  return isWritten
}

type ReportStep = readonly [what: string, write: () => unknown]

function recordSteps({ platform, options, redactor }: Target, evidence: Evidence): ReportStep[] {
  const exitCode = evidence.used?.exit_code ?? undefined
  const path = options?.evidence
  return [
    ['evidence file', () => path !== undefined && writeEvidence(path, redactor.redact(asJson(evidence)))],
    ['output', () => exitCode !== undefined && platform.stepOutputs?.setOutput('exit_code', String(exitCode))],
    ['report', () => platform.report(evidence)],
  ]
}

async function publishCheck({ platform, options }: Target, evidence: Evidence): Promise<void> {
  const token = options?.checkToken
  if (token !== undefined) await platform.publishCheck?.(evidence, token)
}

/** @returns whether all were successful */
async function runSteps({ log }: Platform, steps: readonly ReportStep[]): Promise<boolean> {
  let isWritten = true
  for (const [what, write] of steps) {
    try {
      await write()
    } catch (error) {
      isWritten = false
      const reason = error instanceof KubepassError ? describe(error) : errnoOf(error) || 'unknown reason'
      await log.warn(`The ${what} could not be written (${reason}).`)
    }
  }
  return isWritten
}

function writeEvidence(path: string, text: string): void {
  if (path !== STANDARD_OUTPUT) replaceFile(path, text)
  else if (!printWhole(STDOUT, text)) throw Object.assign(new Error('nobody reads standard output'), { code: 'EPIPE' })
}
