/** What the runner does without RUNNER_AFTER_SCRIPT_TIMEOUT. */
const AFTER_SCRIPT_S = 300

/**
 * The time limits that GitLab and its runner tell a job of, where they do not fit each other or the scan.
 * https://docs.gitlab.com/runner/configuration/configure_runners/#ensuring-after_script-execution
 * @param maxScan seconds; undefined when nobody has set it
 */
export function timeoutWarnings(env: NodeJS.ProcessEnv, maxScan: number | undefined, now = Date.now()): string[] {
  const script = secondsOf(env['RUNNER_SCRIPT_TIMEOUT'])
  const afterScript = secondsOf(env['RUNNER_AFTER_SCRIPT_TIMEOUT']) ?? AFTER_SCRIPT_S
  const job = Number(env['CI_JOB_TIMEOUT'])
  const passed = (now - Date.parse(env['CI_JOB_STARTED_AT'] ?? '')) / 1000
  // What cannot be is a clock that goes wrong.
  const begun = passed > 0 && passed < job ? Math.round(passed) : 0
  const doubts: string[] = []
  // Without a limit of its own the script has the time of the job, and no after_script comes after that: so has who wants no net.
  if (script === undefined) {
    if (maxScan !== undefined && begun + maxScan > job)
      doubts.push(`max_scan (${maxScan} s) is longer than timeout (${job} s): the runner ends the job before, and no after_script comes.`)
    return doubts
  }
  if (job > 0 && begun + script + afterScript > job) {
    const before = begun === 0 ? '' : `, ${begun} s of which have passed`
    doubts.push(
      `script_timeout (${script} s) and after_script_timeout (${afterScript} s) do not fit into timeout (${job} s${before}): ` +
        'if the script takes its time, after_script is cut off or does not run, and what the script left lives until it expires.',
    )
  }
  if (maxScan !== undefined && maxScan > script)
    doubts.push(`max_scan (${maxScan} s) is longer than script_timeout (${script} s): the runner ends the scan before.`)
  return doubts
}

/** A duration as Go writes it; undefined for what the runner does not take for a limit. */
function secondsOf(text = ''): number | undefined {
  if (!/^(\d+(\.\d+)?(h|m|s))+$/.test(text)) return undefined
  const seconds = [...text.matchAll(/([\d.]+)([hms])/g)].reduce(
    (sum, [, number, unit]) => sum + Number(number) * { h: 3600, m: 60, s: 1 }[unit as 'h' | 'm' | 's'],
    0,
  )
  return seconds > 0 ? seconds : undefined
}
