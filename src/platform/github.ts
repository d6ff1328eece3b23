import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { base64Alignment, sensitivePart } from '../redact/redactor.ts'
import type { SealedString } from '../redact/sealed-string.ts'
import { jobSummary, asText } from '../state/evidence-text.ts'
import { triggerOf } from '../state/job-info.ts'
import { appendAtomically } from '../system/files.ts'
import { ownUid } from '../system/own-user.ts'
import { print, STDOUT } from '../system/print.ts'
import { CommandFiles } from './command-files.ts'
import type { Platform } from './platform.ts'
import { neutralizeCommands } from './workflow-commands.ts'

const STATE_KEY = 'run_state'
/** Without GITHUB_STEP_SUMMARY: the runner only shows it, so a scan that writes to it changes no later step. */
const COMMAND_FILES = ['GITHUB_ENV', 'GITHUB_PATH', 'GITHUB_STATE', 'GITHUB_OUTPUT']

/**
 * GitHub Actions. Loading @actions/core takes as long as all requests to the API server. So this file does what is needed before
 * the scan itself, and loads @actions/core only to set outputs and variables.
 */
export function githubPlatform(env: NodeJS.ProcessEnv, redact: (text: string) => string): Platform {
  const core = (): Promise<typeof import('@actions/core')> => {
    // @actions/core prints through Node's stream. If the reader of stdout is gone, an unhandled error would end the process.
    if (process.stdout.listenerCount('error') === 0) process.stdout.on('error', () => undefined)
    return import('@actions/core')
  }
  const ownerUid = ownUid()
  const commandFiles = new CommandFiles(env, COMMAND_FILES)
  const info = (text: string): void => print(STDOUT, `${redact(text)}\n`)
  /** While the runner ignores workflow commands: the word that ends this. */
  let fence: string | undefined
  // One write that begins with a line end: no output of the scan can come between the lines, or before them on the same line.
  const command = (lines: string): void => {
    if (fence === undefined) return print(STDOUT, lines)
    const lifted = `\n::${fence}::\n`
    fence = randomUUID()
    print(STDOUT, `${lifted}${lines}::stop-commands::${fence}\n`)
  }
  const annotate = (kind: 'warning' | 'error', text: string): Promise<void> =>
    Promise.resolve(command(`::${kind} title=kubepass::${escapeData(redact(text))}\n`))
  return {
    // Only INPUT_*: an earlier step can set every other variable through GITHUB_ENV.
    input: (id) => env[`INPUT_${id.toUpperCase()}`],
    nameOf: (id) => id,
    argv: [],
    temp: (env['RUNNER_TEMP'] ?? '') || tmpdir(),
    workspace: env['GITHUB_WORKSPACE'],
    path: env['PATH'] ?? '',
    hasLaterSteps: true,
    hasPost: true,
    postFailsJob: true,
    debugTraceVariable: undefined,
    stdin: undefined,
    isCI: true,
    env,
    ownerUid,
    job: {
      platform: 'github',
      id: env['GITHUB_RUN_ID'] ?? '0',
      attempt: env['GITHUB_RUN_ATTEMPT'] ?? '1',
      job: env['GITHUB_JOB'] ?? '',
      repository: env['GITHUB_REPOSITORY'] ?? '',
      instance: env['GITHUB_SERVER_URL'] ?? '',
      ...triggerOf({
        // A person can start an attempt of a run that another one started.
        actor: (env['GITHUB_TRIGGERING_ACTOR'] ?? '') || env['GITHUB_ACTOR'],
        commit: env['GITHUB_SHA'],
        ref: env['GITHUB_REF'],
        event: env['GITHUB_EVENT_NAME'],
      }),
    },
    // Two steps of a job must not use the same names, and no variable of the runner differs between them.
    runKey: undefined,

    idTokens: {
      instructions: 'Add to the job:\n  permissions:\n    id-token: write',
      request(seal) {
        const url = env['ACTIONS_ID_TOKEN_REQUEST_URL']
        const bearer = env['ACTIONS_ID_TOKEN_REQUEST_TOKEN']
        return url && bearer && URL.canParse(url) ? { url: new URL(url), bearer: seal(bearer) } : undefined
      },
    },
    mask: (secret) =>
      command(
        maskedForms(secret)
          .map((form) => `::add-mask::${escapeData(form)}\n`)
          .join(''),
      ),

    log: { info, warn: (text) => annotate('warning', text), error: (text) => annotate('error', text) },
    savedState: {
      // A synchronous append, so that the state is complete whenever a signal kills kubepass. For the runner, the last line of a name counts.
      save: (state) => commandFiles.append('GITHUB_STATE', `${STATE_KEY}=${state === 'none' ? state : JSON.stringify(state)}\n`),
      load: () => env[`STATE_${STATE_KEY}`],
    },
    commandFiles: { guard: (given) => commandFiles.guard(given), restore: () => commandFiles.restore(ownerUid) },
    scanOutputs() {
      fence = randomUUID()
      // On stdout only, after the masks: the runner may read stderr before stdout, and would then ignore the masks.
      print(STDOUT, `::stop-commands::${fence}\n`)
      return {
        stdout: () => process.stdout,
        stderr: () => process.stderr,
        // stop-commands is not enough: the runner does not keep the order of stdout and stderr.
        filters: (search) => [neutralizeCommands(search)],
        close(complete) {
          // If the output is not complete, more may follow, also from the middle of a line. So the runner must go on ignoring commands.
          if (fence === undefined || !complete) return
          print(STDOUT, `\n::${fence}::\n`)
          fence = undefined
        },
      }
    },
    stepOutputs: {
      setOutput: async (id, value) => (await core()).setOutput(id, plain(value)),
      exportVariable: async (name, value) => (await core()).exportVariable(name, plain(value)),
    },
    publishCheck: async (evidence, token) => (await import('./github-check.ts')).publishCheck(evidence, token, env),
    report: (evidence) => Promise.resolve(info(`What happened:\n${asText(evidence)}`)),
    writeSummary(evidence) {
      // This is what the summary of @actions/core does. Loading @actions/core for it would double the time of the post step.
      // The blank line ends a paragraph of the scan.
      if (env['GITHUB_STEP_SUMMARY']) appendAtomically(env['GITHUB_STEP_SUMMARY'], redact(`\n${jobSummary(evidence)}`))
    },
  }
}

/** The token, its two secret segments, and the base64 forms that the runner does not mask by itself. */
function maskedForms(secret: SealedString): string[] {
  const value = secret.reveal()
  const body = sensitivePart(value)
  const segments = body === value ? [] : body.split('.')
  const encoded = [0, 1, 2].flatMap((shift) => base64Alignment(Buffer.from(body).subarray(shift)))
  return [...new Set([value, ...segments, ...encoded].flatMap(linesOf))]
}

/** The runner masks each line of a mask, however short. So of a PEM key only the lines that occur in no other text are masked. */
function linesOf(form: string): string[] {
  return form.includes('\n') ? form.split('\n').filter((line) => line.length >= 16 && !line.startsWith('-----')) : [form]
}

function plain(value: string | SealedString): string {
  return typeof value === 'string' ? value : value.reveal()
}

// https://github.com/actions/runner/blob/v2.336.0/src/Runner.Common/ActionCommand.cs
function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}
