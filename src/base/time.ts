/** Describes a time relative to `now`, such as "in 5 minutes". Both are seconds since 1970. */
export function relativeTime(seconds: number, now: number): string {
  const between = Math.round(seconds - now)
  const [unit, size] =
    (
      [
        ['day', 86400],
        ['hour', 3600],
        ['minute', 60],
      ] as const
    ).find(([, length]) => Math.abs(between) >= length) ?? (['second', 1] as const)
  return new Intl.RelativeTimeFormat('en').format(Math.trunc(between / size), unit)
}

/** Describes the length of a time in whole units, such as "5 min 12 s". */
export function durationText(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole < 1) return 'less than 1 s'
  if (whole < 60) return `${whole} s`
  return whole < 3600
    ? `${Math.floor(whole / 60)} min ${whole % 60} s`
    : `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}

/** Whether a text from outside is a time as kubepass writes it. */
export function isIsoTime(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/.test(text) && !Number.isNaN(Date.parse(text))
}

/** @param seconds since 1970 */
export function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z')
}
