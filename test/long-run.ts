/** Whether every case of a large table runs. `npm test` runs a third of it, `npm run test:long` all. */
export const isLongRun = process.env['KUBEPASS_TEST_LONG'] === '1'

const PARTS = 3

/** Part of the title of a test that runs only a share of its table. */
export const SHARE = isLongRun ? '' : ' (a third of them)'

/** @returns every case in a long run, otherwise each third one, beginning with number `turn`; all if they are few */
export function partOf<T>(cases: readonly T[], turn: number): T[] {
  if (isLongRun || cases.length < PARTS) return [...cases]
  return cases.filter((_, index) => (index + turn) % PARTS === 0)
}
