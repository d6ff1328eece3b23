const units: Record<string, number> = { ns: 1e-6, us: 1e-3, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** Parses a Go duration such as 1h20m, the form of the runner's timeouts. Returns milliseconds; undefined for text that the runner ignores. */
export function goDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ns|us|ms|s|m|h))+$/.test(text)) return undefined
  const parts = text.matchAll(/([\d.]+)([a-z]+)/g)
  return [...parts].reduce((sum, [, number, unit]) => sum + Number(number) * (units[unit ?? ''] ?? 0), 0)
}

const seconds: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400 }

/** Parses a job's `timeout` in GitLab's form, such as 1h 30m or 90 minutes. Returns seconds. */
export function jobTimeout(text: string): number {
  const words = /^\s*(\d+\s*(s|seconds?|m|minutes?|h|hours?|d|days?)\s*)+$/
  if (!words.test(text)) throw new Error(`timeout should be a duration, but is ${text}`)
  const parts = text.matchAll(/(\d+)\s*([a-z])/g)
  return [...parts].reduce((sum, [, number, unit]) => sum + Number(number) * (seconds[unit ?? ''] ?? 0), 0)
}
