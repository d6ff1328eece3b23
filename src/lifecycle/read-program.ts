import { scheduler } from 'node:timers/promises'
import { sha256OfFile } from '../system/file-digest.ts'
import { ownProgram } from '../system/node-runtime.ts'
import type { Run } from './run-context.ts'

/**
 * Records the digest of kubepass's own script. The caller waits for this digest before it starts the scan, because the scan can change
 * the file. kubepass first yields, so that it sends its first request and reads the file while the API server works.
 */
export async function recordScriptDigest(run: Run): Promise<void> {
  const { path, isExecutable } = ownProgram()
  await scheduler.yield()
  if (!isExecutable) await record(run, path).catch(() => undefined)
}

/** Records the digest of the standalone program. Nobody can write to its file while it runs, so the scan need not wait. */
export async function recordExecutableDigest(run: Run): Promise<void> {
  const { path, isExecutable } = ownProgram()
  if (isExecutable) await record(run, path).catch(() => undefined)
}

async function record({ journal, signal }: Run, path: string): Promise<void> {
  const programSha256 = await sha256OfFile(path, signal)
  if (programSha256 !== undefined && journal.state.programSha256 === null) journal.observe({ type: 'ProgramRead', programSha256 })
}
