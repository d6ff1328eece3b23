import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseGitlabFlags, variableName } from '../config/flags.ts'
import { inputs, NO_AUDIENCE } from '../config/inputs.ts'
import { asText } from '../state/evidence-text.ts'
import { triggerOf } from '../state/job-info.ts'
import { makeFolder, replaceFile, resolveRealPath } from '../system/files.ts'
import { ownUid } from '../system/own-user.ts'
import { print, STDOUT } from '../system/print.ts'
import { CommandFiles } from './command-files.ts'
import { gitlabWorkspace } from './gitlab-workspace.ts'
import { timeoutWarnings } from './gitlab-timeouts.ts'
import type { Platform } from './platform.ts'

/** The folder from which the template takes the reports. */
const REPORTS = 'kubepass-reports'

/**
 * GitLab CI: main is the job's script, post its after_script. The runner accepts no masks from a job, so only the redactor keeps
 * secrets out of the log. Code of @actions/* must not run here: its add-mask command would print the token.
 */
export function gitlabPlatform(words: readonly string[], env: NodeJS.ProcessEnv, redact: (text: string) => string): Platform {
  const flags = parseGitlabFlags(words)
  const workspace = gitlabWorkspace(env)
  const hasAudience = flags.get('audience') !== NO_AUDIENCE
  const jobId = env['CI_JOB_ID'] ?? '0'
  const ownerUid = ownUid()
  const commandFiles = new CommandFiles(env, ['GITLAB_ENV'])
  const info = (text: string): void => print(STDOUT, `${redact(text)}\n`)
  const colour = (code: number, text: string): void => print(STDOUT, `\x1b[${code};1m${redact(text)}\x1b[0m\n`)
  // https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections
  const section = (edge: 'start' | 'end', name: string, header: string): void =>
    print(STDOUT, `\x1b[0Ksection_${edge}:${Math.floor(Date.now() / 1000)}:${name}\r\x1b[0K${header}\n`)
  let loaded: Promise<typeof import('./gitlab-reports.ts')> | undefined
  const reports = (): NonNullable<typeof loaded> => (loaded ??= import('./gitlab-reports.ts'))
  return {
    input(id) {
      const { guard, only } = inputs[id]
      if (only === 'github') return undefined
      return guard === undefined ? env[variableName(id)] : flags.get(id)
    },
    nameOf: (id) => (inputs[id].secret ? variableName(id) : id),
    argv: [],
    temp: tmpdir(),
    workspace,
    path: env['PATH'] ?? '',
    hasLaterSteps: false,
    hasPost: true,
    postFailsJob: false,
    // The values that the runner takes for true.
    debugTraceVariable: /^(1|t|true)$/i.test(env['CI_DEBUG_TRACE'] ?? '') ? 'CI_DEBUG_TRACE' : undefined,
    stdin: undefined,
    isCI: true,
    env,
    ownerUid,
    job: {
      platform: 'gitlab',
      id: jobId,
      // A retried job has another id.
      attempt: '1',
      job: env['CI_JOB_NAME'] ?? '',
      repository: env['CI_PROJECT_PATH'] ?? '',
      instance: env['CI_SERVER_URL'] ?? '',
      ...triggerOf({
        actor: env['GITLAB_USER_LOGIN'],
        commit: env['CI_COMMIT_SHA'],
        ref: refOf(env),
        event: env['CI_PIPELINE_SOURCE'],
      }),
    },
    runKey: createHash('sha256')
      .update(`${env['CI_SERVER_URL'] ?? ''} ${jobId}`)
      .digest('hex')
      .slice(0, 16),

    timeoutWarnings: (maxScan) => timeoutWarnings(env, maxScan),
    idTokens: {
      instructions: hasAudience
        ? "Add to the job, with the API server's URL:\n  id_tokens:\n    KUBEPASS_ID_TOKEN:\n      aud: https://k8s.example.com:6443"
        : "Give the template's input audience, the API server's URL:\n  audience: https://k8s.example.com:6443",
      token(seal) {
        const token = env['KUBEPASS_ID_TOKEN']
        const sealed = token ? seal(token) : undefined
        return hasAudience ? sealed : undefined
      },
    },

    log: {
      info,
      warn: (text) => Promise.resolve(colour(33, `kubepass: warning: ${text}`)),
      error: (text) => Promise.resolve(colour(31, `kubepass: error: ${text}`)),
    },
    savedState: {
      // Only some runners pass GITLAB_ENV on to after_script, so the post step does not rely on this state.
      save(state) {
        try {
          commandFiles.append('GITLAB_ENV', `KUBEPASS_RUN_STATE=${state === 'none' ? state : JSON.stringify(state)}\n`)
        } catch {
          // The post step derives the names from the job's id.
        }
      },
      load: () => env['KUBEPASS_RUN_STATE'],
    },
    commandFiles: { guard: (given) => commandFiles.guard(given), restore: () => commandFiles.restore(ownerUid) },
    scanOutputs() {
      // Loaded before the scan starts: the scan, or an after_script that runs at the same time, can remove the program's files.
      void reports().catch(() => undefined)
      section('start', 'kubepass_scan', 'The scan')
      return {
        stdout: () => process.stdout,
        stderr: () => process.stderr,
        filters: () => [],
        close: () => section('end', 'kubepass_scan', ''),
      }
    },
    async report(evidence) {
      section('start', 'kubepass_evidence[collapsed=true]', 'What happened')
      info(asText(evidence))
      section('end', 'kubepass_evidence', '')
      const { annotations, junit } = await reports()
      // If the scan replaced the folder by a link, kubepass writes nothing behind the link.
      const folder = join(resolveRealPath(workspace), REPORTS)
      makeFolder(folder)
      replaceFile(join(folder, 'junit.xml'), redact(junit(evidence)))
      replaceFile(join(folder, 'annotations.json'), redact(annotations(evidence, env)))
    },
  }
}

/**
 * The full name of the ref, because a branch and a tag can have the same name. CI_COMMIT_REF_NAME is no full name.
 * https://docs.gitlab.com/ci/variables/predefined_variables/
 */
function refOf(env: NodeJS.ProcessEnv): string | undefined {
  const ofMergeRequest = env['CI_MERGE_REQUEST_REF_PATH']
  if (ofMergeRequest) return ofMergeRequest
  const [branch, tag] = [env['CI_COMMIT_BRANCH'], env['CI_COMMIT_TAG']]
  if (tag) return `refs/tags/${tag}`
  return branch ? `refs/heads/${branch}` : undefined
}
