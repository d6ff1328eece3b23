import { randomBytes, randomUUID } from 'node:crypto'
import type { Claims } from '../cluster/token.ts'
import type { Given } from './gitlab-variables.ts'

export interface GitlabContext {
  jobId: string
  jobName: string
  pipelineId: string
  /** The job's timeout in seconds. */
  timeout: number
  /** The value of CI_PROJECT_DIR. */
  folder: string
  /** The job's GitLab credential. The runner masks it, and the scan must not get it. */
  jobToken: string
}

const PROJECT = 'group/project'
const SHA = '714a629c0b401fdce83e847fc9589983fc6f46bc'

export function newJobToken(): string {
  return `glcbt-64_${randomBytes(15).toString('base64url')}`
}

/** The variables that GitLab and its runner set in every job. All other variables take precedence over them. */
export function predefinedVariables({ jobId, jobName, pipelineId, timeout, folder, jobToken }: GitlabContext): Record<string, Given> {
  const url = `https://gitlab.com/${PROJECT}`
  const masked = { value: jobToken, masked: true }
  return {
    CI: 'true',
    GITLAB_CI: 'true',
    CI_API_V4_URL: 'https://gitlab.com/api/v4',
    CI_BUILDS_DIR: folder.slice(0, -PROJECT.length - 1),
    CI_COMMIT_BRANCH: 'main',
    CI_COMMIT_REF_NAME: 'main',
    CI_COMMIT_REF_PROTECTED: 'true',
    CI_COMMIT_REF_SLUG: 'main',
    CI_COMMIT_SHA: SHA,
    CI_COMMIT_SHORT_SHA: SHA.slice(0, 8),
    CI_COMMIT_TITLE: 'A commit',
    CI_CONCURRENT_ID: '0',
    CI_DEFAULT_BRANCH: 'main',
    CI_DEPENDENCY_PROXY_PASSWORD: masked,
    CI_DEPENDENCY_PROXY_USER: 'gitlab-ci-token',
    CI_JOB_ID: jobId,
    CI_JOB_NAME: jobName,
    CI_JOB_STAGE: 'test',
    CI_JOB_STATUS: 'running',
    CI_JOB_TIMEOUT: String(timeout),
    CI_JOB_TOKEN: masked,
    CI_JOB_URL: `${url}/-/jobs/${jobId}`,
    CI_PIPELINE_ID: pipelineId,
    CI_PIPELINE_IID: '7',
    CI_PIPELINE_SOURCE: 'push',
    CI_PIPELINE_URL: `${url}/-/pipelines/${pipelineId}`,
    CI_PROJECT_DIR: folder,
    CI_PROJECT_ID: '20',
    CI_PROJECT_NAME: 'project',
    CI_PROJECT_NAMESPACE: 'group',
    CI_PROJECT_PATH: PROJECT,
    CI_PROJECT_PATH_SLUG: 'group-project',
    CI_PROJECT_URL: url,
    CI_PROJECT_VISIBILITY: 'private',
    CI_REGISTRY: 'registry.gitlab.com',
    CI_REGISTRY_PASSWORD: masked,
    CI_REGISTRY_USER: 'gitlab-ci-token',
    CI_REPOSITORY_URL: `https://gitlab-ci-token:${jobToken}@gitlab.com/${PROJECT}.git`,
    CI_RUNNER_EXECUTABLE_ARCH: 'linux/amd64',
    CI_RUNNER_ID: '1',
    CI_RUNNER_VERSION: '19.4.0',
    CI_SERVER: 'yes',
    CI_SERVER_FQDN: 'gitlab.com',
    CI_SERVER_HOST: 'gitlab.com',
    CI_SERVER_NAME: 'GitLab',
    CI_SERVER_PROTOCOL: 'https',
    CI_SERVER_URL: 'https://gitlab.com',
    CI_SERVER_VERSION: '19.4.0',
    GITLAB_USER_LOGIN: 'sample-user',
  }
}

/** The claims of an ID token of the job. The token lives as long as the job. */
export function gitlabClaims({ jobId, pipelineId, timeout }: GitlabContext, aud: string | string[]): Claims {
  const iat = Math.floor(Date.now() / 1000)
  const configuration = { ci_config_ref_uri: `gitlab.com/${PROJECT}//.gitlab-ci.yml@refs/heads/main`, ci_config_sha: SHA }
  return {
    iss: 'https://gitlab.com',
    aud,
    iat,
    nbf: iat - 5,
    exp: iat + timeout,
    jti: randomUUID(),
    sub: `project_path:${PROJECT}:ref_type:branch:ref:main`,
    namespace_id: '72',
    namespace_path: 'group',
    project_id: '20',
    project_path: PROJECT,
    project_visibility: 'private',
    job_namespace_id: '72',
    job_namespace_path: 'group',
    job_project_id: '20',
    job_project_path: PROJECT,
    user_id: '1',
    user_login: 'sample-user',
    user_email: 'sample-user@example.com',
    user_access_level: 'developer',
    pipeline_id: pipelineId,
    pipeline_source: 'push',
    job_id: jobId,
    ref: 'main',
    ref_type: 'branch',
    ref_path: 'refs/heads/main',
    ref_protected: 'true',
    groups_direct: ['group'],
    runner_id: 1,
    runner_environment: 'gitlab-hosted',
    sha: SHA,
    ...configuration,
  }
}
