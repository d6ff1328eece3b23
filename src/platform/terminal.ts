import { tmpdir } from 'node:os'
import { basename } from 'node:path'
import { styleText } from 'node:util'
import { KubepassError } from '../base/errors.ts'
import { quote } from '../base/quote.ts'
import { type CommandLine, flagName } from '../config/flags.ts'
import { kubeconfigContent } from '../config/path-or-content.ts'
import { readSmallFile } from '../config/small-file.ts'
import { isInJob, terminalDefaults } from '../config/terminal-defaults.ts'
import { asText } from '../state/evidence-text.ts'
import { triggerOf, type Job } from '../state/job-info.ts'
import { parseRunState } from '../state/run-state-codec.ts'
import type { RunState } from '../state/run-state.ts'
import { removeTree } from '../system/restore-access.ts'
import { stagingPath, stageReplacement, writePrivate } from '../system/files.ts'
import { ownUid } from '../system/own-user.ts'
import { print, STDERR } from '../system/print.ts'
import { gitlabWorkspace } from './gitlab-workspace.ts'
import type { Platform } from './platform.ts'

/** A user's terminal. stdout has the scan's output only; kubepass writes its messages to stderr. */
export function terminalPlatform(line: CommandLine, env: NodeJS.ProcessEnv, redact: (text: string) => string): Platform {
  const { stderr } = process
  const { values, extraFlags, argv } = line
  const isQuiet = extraFlags.quiet === true
  const [path] = line.operands
  refuseContent(values.get('kubeconfig'))
  const { values: defaults, noServerHint } = terminalDefaults(line, env)
  const given = path === undefined ? undefined : readStateFile(path)
  let stateFile = path
  const style = (format: 'red' | 'yellow' | 'dim', text: string): string => styleText(format, text, { stream: stderr })
  /** While the scan runs, kubepass must not block on a slow reader of stderr. Its messages join the queue of the scan's output. */
  let scanning = false
  const write = (text: string): void => {
    const line = `${stderr.isTTY ? '\r\x1b[K' : ''}kubepass: ${redact(text)}\n`
    if (scanning) stderr.write(line)
    else print(STDERR, line)
  }
  const info = (text: string): void => {
    if (!isQuiet) write(text)
  }
  const variables = [...defaults.values()].flatMap(({ from, reason }) => (reason === undefined ? [from] : []))
  if (variables.length > 0) info(`Inputs from the environment: ${variables.join(', ')}.`)
  return {
    input: (id) => values.get(id) ?? defaults.get(id)?.text,
    nameOf: (id) => defaults.get(id)?.from ?? flagName(id),
    noServerHint,
    whyKubeconfig: defaults.get('kubeconfig')?.reason,
    argv,
    extraFlags,
    temp: tmpdir(),
    ...trustIn(env, defaults.has('kubeconfig')),
    path: env['PATH'] ?? '',
    hasLaterSteps: false,
    hasPost: false,
    postFailsJob: false,
    debugTraceVariable: undefined,
    stdin: () => process.stdin,
    isCI: false,
    env,
    ownerUid: ownUid(),
    job: RUN,
    // If the state file is unreadable, `revoke` can still finish the run: the file's name has the key.
    runKey: given !== undefined && parseRunState(given, RUN) === undefined ? runKeyOf(path ?? '') : undefined,

    log: {
      info,
      warn: (text) => Promise.resolve(write(style('yellow', `warning: ${redact(text)}`))),
      error: (text) => Promise.resolve(write(style('red', `error: ${redact(text)}`))),
      progress(text) {
        if (stderr.isTTY && !isQuiet) print(STDERR, `\r\x1b[K${style('dim', `kubepass: ${redact(text)} ...`)}`)
      },
    },
    savedState: {
      save(state) {
        if (state === 'none') return
        const text = `${JSON.stringify(state)}\n`
        if (stateFile !== undefined) return stageReplacement(stateFile, text)()
        // Written under its final name: if a signal kills kubepass during the write, `revoke` still finds everything by the name.
        stateFile = stateFilePath(state)
        writePrivate(stateFile, text)
      },
      load: () => given,
      clear() {
        for (const file of stateFile === undefined ? [] : [stateFile, stagingPath(stateFile)]) removeTree(file)
      },
      retryInstructions: () =>
        stateFile === undefined
          ? undefined
          : `To finish the run, call kubepass revoke ${stateFile} with the same flags, variables and kubeconfig.`,
    },
    scanOutputs() {
      scanning = true
      return { stdout: () => process.stdout, stderr: () => stderr, filters: () => [], close: () => (scanning = false) }
    },
    report: (evidence) => Promise.resolve(info(`what happened:\n${asText(evidence)}`)),
  }
}

/** Other people can have written the files and the variables of a job. */
function trustIn(env: NodeJS.ProcessEnv, isKubeconfigOfVariable: boolean): Pick<Platform, 'workspace' | 'whyNoFilesInKubeconfig'> {
  if (!isInJob(env)) return { workspace: undefined }
  const workspace = env['GITHUB_WORKSPACE'] ?? gitlabWorkspace(env)
  return { workspace, ...(isKubeconfigOfVariable ? { whyNoFilesInKubeconfig: 'a variable of the job names the kubeconfig' } : {}) }
}

function refuseContent(kubeconfig = ''): void {
  if (kubeconfigContent(kubeconfig.trim()) === undefined) return
  throw new KubepassError('INPUT', 'The content of a kubeconfig was given on the command line, which every user of the machine can read.', {
    hint: `Give its path: ${flagName('kubeconfig')} PATH`,
  })
}

const RUN: Job = {
  platform: 'terminal',
  id: 'terminal',
  attempt: '1',
  job: '',
  repository: '',
  instance: '',
  ...triggerOf({ actor: undefined, commit: undefined, ref: undefined, event: undefined }),
}

function readStateFile(path: string): string {
  try {
    return readSmallFile(path)
  } catch (error) {
    throw new KubepassError('INPUT', `STATE-FILE ${error instanceof Error ? error.message : quote(path)}.`)
  }
}

/** The end of the names of the run's bound Secret and directory. */
function runKeyOf(state: string): string | undefined {
  return /^kubepass-([0-9a-f]{16})\.state\.json$/.exec(basename(state))?.[1]
}

/** Beside the private directory, because the state file exists before and after the directory. */
function stateFilePath(state: RunState): string {
  return `${state.directory}.state.json`
}
