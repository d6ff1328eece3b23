import { expect, test } from '@jest/globals'
import { announcementDelay } from '../../src/lifecycle/use.ts'

const NOW = Date.parse('2026-01-01T00:00:00Z')
const minutes = (count: number): number => count * 60_000

test.each<[string, number, number | undefined, number | undefined]>([
  ['no max_scan, the renewal is far: a minute before it', minutes(10), undefined, minutes(9)],
  ['no max_scan, the renewal is a minute away: now', minutes(1), undefined, 0],
  ['no max_scan, the renewal is less than a minute away: now', 1_000, undefined, 0],
  ['no max_scan, the renewal is due: now', -1_000, undefined, 0],
  ['max_scan ends after the renewal: before the scan', minutes(10), 601, 0],
  ['max_scan ends before the renewal: never', minutes(10), 599, undefined],
  ['max_scan ends with the renewal: never', minutes(10), 600, undefined],
  ['max_scan ends before a renewal that is near: never', minutes(1), 30, undefined],
  ['the renewal is later than the longest timer: the longest timer', minutes(60 * 24 * 365), undefined, 2 ** 31 - 1],
])('announcementDelay() decides when to announce the renewal: %s', (_name, from, maxScan, wait) => {
  expect(announcementDelay(NOW + from, NOW, maxScan)).toBe(wait)
})
