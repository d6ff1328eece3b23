import { context } from '@actions/github'
import { KubepassError } from '../base/errors.ts'
import type { SealedString } from '../redact/sealed-string.ts'
import { joinBlocks, markdownParts } from '../state/evidence-text.ts'
import type { Evidence } from '../state/evidence.ts'
import { octokitFor } from './octokit.ts'

const REQUEST_TIMEOUT_MS = 10_000

/** Creates a check run with the evidence as its text. https://docs.github.com/en/rest/checks/runs#create-a-check-run */
export async function publishCheck(evidence: Evidence, token: SealedString, env: NodeJS.ProcessEnv): Promise<void> {
  const octokit = octokitFor(token, env)
  const { verdict, reason, subject, warnings, table, access } = markdownParts(evidence)
  const pullRequest = context.payload.pull_request as { head?: { sha?: string } } | undefined
  try {
    await octokit.rest.checks.create({
      ...context.repo,
      name: `kubepass / ${evidence.run.job}`,
      external_id: evidence.granted?.bound_to ?? `${evidence.run.id}-${evidence.run.attempt}`,
      // In a pull request GITHUB_SHA is a merge commit, whose checks the pull request does not show.
      head_sha: pullRequest?.head?.sha ?? context.sha,
      status: 'completed',
      conclusion: conclusionOf(evidence),
      output: {
        title: verdict,
        summary: joinBlocks(reason, subject, warnings),
        text: joinBlocks(table, access),
      },
      request: { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) },
    })
  } catch (error) {
    const status = typeof error === 'object' && error !== null && 'status' in error ? String(error.status) : 'no answer'
    throw new KubepassError('REFUSED', `GitHub did not accept the check run (${status}).`, {
      hint: 'Add to the job:\n  permissions:\n    checks: write',
    })
  }
}

/** `neutral`: the inputs allow that the credential is not revoked. */
function conclusionOf({ outcome, error }: Evidence): 'success' | 'neutral' | 'failure' {
  if (outcome === 'passed' || outcome === 'revoked') return 'success'
  return outcome === 'not_revoked' && error === null ? 'neutral' : 'failure'
}
