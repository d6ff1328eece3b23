import { KubepassError } from '../base/errors.ts'
import { stopOrphans, type StopResult } from '../scan/orphans.ts'
import { recordFailure, warn, type Run } from './run-context.ts'

export async function stopScan(run: Run): Promise<StopResult> {
  const { scan, cleanupAttempted } = run.journal.state
  // Where a run state is only a hint, it does not say that there is no scan.
  if (run.platform.runKey === undefined && (cleanupAttempted || scan === null)) return { outlived: 0, remaining: 0 }
  return run.scan?.stop() ?? stopOrphans(run.journal.state.key)
}

export async function reportStopped(run: Run, { outlived, remaining }: StopResult): Promise<void> {
  if (outlived > 0)
    await warn(run, `${outlived} process(es) outlived the scan and were ended${remaining > 0 ? `; ${remaining} could not be` : ''}.`)
  else if (remaining > 0) await warn(run, 'Some processes of the scan could not be ended.')
}

export function restoreCommandFiles(run: Run): KubepassError | undefined {
  const { changed, left, why = [], closed = [] } = run.platform.commandFiles?.restore() ?? { changed: [], left: [] }
  const written = [...new Set([...changed, ...left])]
  if (written.length === 0 && closed.length === 0) return undefined
  const facts: string[] = []
  if (written.length > 0) facts.push(`The scan wrote to the runner's command files: ${written.join(', ')}.`)
  if (left.length > 0) facts.push(`kubepass could not remove its text from ${left.join(', ')}: ${[...new Set(why)].join('; ')}.`)
  else if (written.length > 0) facts.push('kubepass removed that text.')
  if (closed.length > 0)
    facts.push(`The scan took away access that the runner needs: ${[...new Set(closed)].join(', ')}. kubepass restored it.`)
  const tampered = new KubepassError('TAMPERED', facts.join(' '), {
    hint: 'If the scan may write there, name the file in pass_env. Otherwise set these values in a separate step.',
  })
  recordFailure(run, tampered)
  return tampered
}
