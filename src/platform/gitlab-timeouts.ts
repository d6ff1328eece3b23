/** The runner's default for RUNNER_AFTER_SCRIPT_TIMEOUT. */
const AFTER_SCRIPT_S = 300

/**
 * Compares the time limits in the variables of GitLab and its runner with each other and with max_scan.
 * https://docs.gitlab.com/runner/configuration/configure_runners/#ensuring-after_script-execution
 * @param maxScan seconds; undefined when the input is not set
 * @returns a warning for each pair that does not fit
 */
export function timeoutWarnings(env: NodeJS.ProcessEnv, maxScan: number | undefined, now = Date.now()): string[] {
  const script = secondsOf(env['RUNNER_SCRIPT_TIMEOUT'])
  const job = Number(env['CI_JOB_TIMEOUT'])
  const passed = (now - Date.parse(env['CI_JOB_STARTED_AT'] ?? '')) / 1000
  // An impossible time comes from a wrong clock, and is ignored.
  const begun = passed > 0 && passed < job ? Math.round(passed) : 0
  if (script === undefined) return withoutScriptTimeout(job, begun, maxScan)
  const afterScript = secondsOf(env['RUNNER_AFTER_SCRIPT_TIMEOUT']) ?? AFTER_SCRIPT_S
  const warnings: string[] = []
  if (job > 0 && begun + script + afterScript > job) {
    const before = begun === 0 ? '' : `, ${begun} s of which have passed`
    warnings.push(
      `script_timeout (${script} s) and after_script_timeout (${afterScript} s) do not fit into timeout (${job} s${before}): ` +
        'if the script uses its time, the runner cuts after_script off or does not start it. Then a token that the script left lives until it expires.',
    )
  }
  if (maxScan !== undefined && maxScan > script)
    warnings.push(`max_scan (${maxScan} s) is longer than script_timeout (${script} s): the runner ends the scan earlier.`)
  return warnings
}

/**
 * Without RUNNER_SCRIPT_TIMEOUT the script may use the job's whole time, and then the runner starts no after_script. A user may want
 * that, so only a max_scan that is too long gets a warning.
 */
function withoutScriptTimeout(job: number, begun: number, maxScan: number | undefined): string[] {
  if (maxScan === undefined || begun + maxScan <= job || Number.isNaN(job)) return []
  return [`max_scan (${maxScan} s) is longer than timeout (${job} s): the runner ends the job earlier and starts no after_script.`]
}

/** Parses a duration of Go's form (1h30m); undefined if the runner does not take it for a limit. */
function secondsOf(text = ''): number | undefined {
  if (!/^(\d+(\.\d+)?(h|m|s))+$/.test(text)) return undefined
  const seconds = [...text.matchAll(/([\d.]+)([hms])/g)].reduce(
    (sum, [, number, unit]) => sum + Number(number) * { h: 3600, m: 60, s: 1 }[unit as 'h' | 'm' | 's'],
    0,
  )
  return seconds > 0 ? seconds : undefined
}
