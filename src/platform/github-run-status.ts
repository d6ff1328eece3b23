import { KubepassError } from '../base/errors.ts'
import type { SealedString } from '../redact/sealed-string.ts'
import type { JobInfo } from '../state/job-info.ts'
import { octokitFor } from './octokit.ts'

/** https://docs.github.com/en/rest/actions/workflow-runs#get-a-workflow-run-attempt */
export async function isOverOnGithub(run: JobInfo, token: SealedString, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<boolean> {
  const octokit = octokitFor(token, env)
  const [owner = '', repo = '', ...more] = run.repository.split('/')
  const numbers = [run.id, run.attempt].every((text) => /^[1-9]\d{0,15}$/.test(text))
  if (!numbers || ![owner, repo].every((text) => /^[\w.-]+$/.test(text)) || more.length > 0)
    throw new KubepassError('INPUT', 'a bound Secret names no run of GitHub')
  let status: unknown
  try {
    const { data } = await octokit.rest.actions.getWorkflowRunAttempt({
      owner,
      repo,
      run_id: Number(run.id),
      attempt_number: Number(run.attempt),
      request: { signal },
    })
    status = data.status
  } catch (error) {
    const answer = typeof error === 'object' && error !== null && 'status' in error ? String(error.status) : 'no answer'
    throw new KubepassError('REFUSED', `${answer}; the token needs the right to read Actions of the repository`, { cause: error })
  }
  return status === 'completed'
}
