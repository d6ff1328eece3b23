import { KubepassError } from '../base/errors.ts'
import { exchangeOnLoopback, Http, isLoopback } from '../net/http.ts'
import { proxyFor } from '../net/proxy-variables.ts'
import { reasonOf, retry } from '../net/retry.ts'
import type { SealedString } from '../redact/sealed-string.ts'
import type { JobInfo } from '../state/job-info.ts'

const OVER = ['success', 'failed', 'canceled', 'skipped']

/** https://docs.gitlab.com/api/jobs/#get-a-single-job */
export async function isOverOnGitlab(
  run: JobInfo,
  auth: { readonly personal: SealedString } | { readonly job: SealedString },
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<boolean> {
  if (!/^[1-9]\d{0,15}$/.test(run.id) || run.repository === '') throw new KubepassError('INPUT', 'a bound Secret names no job of GitLab')
  const url = URL.parse(
    `${env['CI_API_V4_URL'] ?? 'https://gitlab.com/api/v4'}/projects/${encodeURIComponent(run.repository)}/jobs/${run.id}`,
  )
  const plain = url?.protocol === 'http:' && isLoopback(url)
  if (url === null || (url.protocol !== 'https:' && !plain)) throw new KubepassError('INPUT', 'CI_API_V4_URL is not an https URL')
  const headers = {
    accept: 'application/json',
    ...('personal' in auth ? { 'private-token': auth.personal.reveal() } : { 'job-token': auth.job.reveal() }),
  }
  const http = new Http({ ca: undefined, serverName: undefined, proxyUrl: proxyFor(url, env) })
  try {
    const exchange = plain ? exchangeOnLoopback : http.exchange.bind(http)
    const { last } = await retry(
      (attempt) => exchange({ url, method: 'GET', headers, signal: attempt }),
      signal,
      // Prints no "trying again" line: the sweep reports a status that it does not get within seconds.
      { info: () => undefined, isNewHost: true },
    )
    const answer = 'failure' in last ? reasonOf(last.failure) : last.status
    const status = 'failure' in last || last.status !== 200 ? undefined : statusIn(last.body)
    if (status === undefined) throw new KubepassError('REFUSED', `${answer}; the token needs the right to read jobs of the project`)
    return OVER.includes(status)
  } finally {
    http.close()
  }
}

function statusIn(body: string): string | undefined {
  try {
    const { status } = JSON.parse(body) as { status?: unknown }
    return typeof status === 'string' ? status : undefined
  } catch {
    return undefined
  }
}
