import type { Name, Way } from './contenders.ts'
import type { Sample } from './measure.ts'

export interface Result {
  name: Name
  way: Way
  ms: { median: number; min: number }
  /** MiB. */
  rss: { median: number; min: number } | undefined
  samples: Sample[]
}

export interface Bound {
  comparison: string
  way: Way
  ratio: number
  limit: number
  met: boolean
}

export function resultOf({ name, way }: { name: Name; way: Way }, samples: Sample[]): Result {
  const rss = samples.flatMap((sample) => sample.rss ?? [])
  return { name, way, ms: summaryOf(samples.map(({ ms }) => ms)), rss: rss.length === 0 ? undefined : summaryOf(rss), samples }
}

interface Limit {
  name: Name
  baseline: Name
  way: Way
  /** The largest accepted ratio of the medians. */
  limit: number
  unit: 'ms' | 'rss'
}

const limits: Limit[] = [
  { name: 'main', baseline: 'bare main', way: 'loopback', limit: 1.3, unit: 'ms' },
  { name: 'main', baseline: 'bare main', way: '25 ms away', limit: 1.3, unit: 'ms' },
  { name: 'main', baseline: 'classic script', way: 'loopback', limit: 0.6, unit: 'ms' },
  { name: 'post', baseline: 'bare post', way: 'loopback', limit: 1.3, unit: 'ms' },
  { name: 'post', baseline: 'bare post', way: '25 ms away', limit: 1.3, unit: 'ms' },
  { name: 'main', baseline: 'bare node', way: 'loopback', limit: 1.5, unit: 'rss' },
]

/** The measured ratio for each limit. */
export function boundsOf(results: Result[]): Bound[] {
  const find = (name: Name, way: Way): Result | undefined => results.find((result) => result.name === name && result.way === way)
  return limits.map(({ name, baseline, way, limit, unit }) => {
    const ratio = (find(name, way)?.[unit]?.median ?? NaN) / (find(baseline, way)?.[unit]?.median ?? NaN)
    return { comparison: `${name} / ${baseline}${unit === 'rss' ? ', memory' : ''}`, way, ratio, limit, met: ratio <= limit }
  })
}

export function asTables(results: Result[], bounds: Bound[]): string {
  const number = (value: number | undefined): string => (value === undefined ? '' : value.toFixed(1))
  const rows = results.map(({ name, way, ms, rss }) => [name, way, number(ms.median), number(ms.min), number(rss?.median)])
  const verdicts = bounds.map(({ comparison, way, ratio, limit, met }) => [
    comparison,
    way,
    ratio.toFixed(2),
    `<= ${String(limit)}`,
    met ? 'yes' : 'NO',
  ])
  return [
    table(['process', 'API server', 'median ms', 'min ms', 'memory MiB'], rows),
    table(['ratio of medians', 'API server', 'ratio', 'bound', 'met'], verdicts),
  ].join('\n')
}

function summaryOf(values: number[]): { median: number; min: number } {
  return { median: median(values), min: Math.min(...values) }
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (index: number): number => sorted[index] ?? NaN
  const half = (sorted.length - 1) / 2
  return (at(Math.floor(half)) + at(Math.ceil(half))) / 2
}

/** Aligns the first two columns to the left, and the figures in the other columns to the right. */
export function table(head: string[], rows: string[][]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: string[]): string =>
    cells.map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  ')
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line), ''].join('\n')
}
