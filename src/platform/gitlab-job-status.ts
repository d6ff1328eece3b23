import { KubepassError } from '../base/errors.ts'
import { isLoopback } from '../net/http.ts'
import { reasonOf, retry } from '../net/retry.ts'
import { openWebExchange } from '../net/web-exchange.ts'
import type { SealedString } from '../redact/sealed-string.ts'
import type { JobInfo } from '../state/job-info.ts'

const OVER = ['success', 'failed', 'canceled', 'skipped']

/** A token of a user, or the token of the job that sweeps. */
type GitlabAuth = { readonly personal: SealedString } | { readonly job: SealedString }

/** https://docs.gitlab.com/api/jobs/#get-a-single-job */
export async function isOverOnGitlab(run: JobInfo, auth: GitlabAuth, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<boolean> {
  const url = urlOf(run, env)
  const headers = headersOf(auth)
  const exchange = openWebExchange(url, env)
  try {
    const { last } = await retry(
      (attempt) => exchange.send({ url, method: 'GET', headers, signal: attempt }),
      signal,
      // Prints no "trying again" line: the sweep reports a status that it does not get within seconds.
      { info: () => undefined, isNewHost: true },
    )
    const answer = 'failure' in last ? reasonOf(last.failure) : last.status
    const status = 'failure' in last || last.status !== 200 ? undefined : statusIn(last.body)
    if (status === undefined) throw new KubepassError('REFUSED', `${answer}; the token needs the right to read jobs of the project`)
    return OVER.includes(status)
  } finally {
    exchange.close()
  }
}

/** Plain HTTP is for loopback addresses only. */
function urlOf(run: JobInfo, env: NodeJS.ProcessEnv): URL {
  if (!/^[1-9]\d{0,15}$/.test(run.id) || run.repository === '') throw new KubepassError('INPUT', 'a bound Secret names no job of GitLab')
  const api = env['CI_API_V4_URL'] ?? 'https://gitlab.com/api/v4'
  const url = URL.parse(`${api}/projects/${encodeURIComponent(run.repository)}/jobs/${run.id}`)
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url))) return url
  throw new KubepassError('INPUT', 'CI_API_V4_URL is not an https URL')
}

function headersOf(auth: GitlabAuth): Record<string, string> {
  const token = 'personal' in auth ? { 'private-token': auth.personal.reveal() } : { 'job-token': auth.job.reveal() }
  return { accept: 'application/json', ...token }
}

function statusIn(body: string): string | undefined {
  try {
    const { status } = JSON.parse(body) as { status?: unknown }
    return typeof status === 'string' ? status : undefined
  } catch {
    return undefined
  }
}
