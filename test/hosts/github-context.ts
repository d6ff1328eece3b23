import type { Claims } from '../cluster/token.ts'

/** The claims of an ID token of a push to main, without issuer and times. */
export function ordinaryClaims(repository: string, runId: string, runAttempt: string): Claims {
  const [owner = ''] = repository.split('/')
  const ref = 'refs/heads/main'
  const workflow = `${repository}/.github/workflows/scan.yml@${ref}`
  return {
    sub: `repo:${repository}:ref:${ref}`,
    aud: `https://github.com/${owner}`,
    repository,
    repository_id: '123456',
    repository_owner: owner,
    repository_owner_id: '65',
    repository_visibility: 'private',
    ref,
    ref_type: 'branch',
    ref_protected: 'true',
    sha: '6dcb09b5b57875f334f61aebed695e2e4193db5e',
    run_id: runId,
    run_number: '7',
    run_attempt: runAttempt,
    event_name: 'push',
    actor: 'octocat',
    actor_id: '12',
    base_ref: '',
    head_ref: '',
    workflow: 'scan',
    workflow_ref: workflow,
    job_workflow_ref: workflow,
    runner_environment: 'github-hosted',
  }
}

/** The GITHUB_ variables of the job with these claims. */
export function githubVariables(claims: Claims): Record<string, string> {
  const claim = (name: string): string => String(claims[name])
  return {
    GITHUB_ACTIONS: 'true',
    GITHUB_ACTION: '__kubepass_kubepass',
    GITHUB_ACTOR: claim('actor'),
    GITHUB_ACTOR_ID: claim('actor_id'),
    GITHUB_API_URL: 'https://api.github.com',
    GITHUB_BASE_REF: claim('base_ref'),
    GITHUB_EVENT_NAME: claim('event_name'),
    GITHUB_GRAPHQL_URL: 'https://api.github.com/graphql',
    GITHUB_HEAD_REF: claim('head_ref'),
    GITHUB_REF: claim('ref'),
    GITHUB_REF_NAME: claim('ref').replace(/^refs\/(heads|tags)\//, ''),
    GITHUB_REF_PROTECTED: claim('ref_protected'),
    GITHUB_REF_TYPE: claim('ref_type'),
    GITHUB_REPOSITORY: claim('repository'),
    GITHUB_REPOSITORY_ID: claim('repository_id'),
    GITHUB_REPOSITORY_OWNER: claim('repository_owner'),
    GITHUB_REPOSITORY_OWNER_ID: claim('repository_owner_id'),
    GITHUB_RUN_ATTEMPT: claim('run_attempt'),
    GITHUB_RUN_ID: claim('run_id'),
    GITHUB_RUN_NUMBER: claim('run_number'),
    GITHUB_SERVER_URL: 'https://github.com',
    GITHUB_SHA: claim('sha'),
    GITHUB_WORKFLOW: claim('workflow'),
    GITHUB_WORKFLOW_REF: claim('workflow_ref'),
  }
}
