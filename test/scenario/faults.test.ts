import { expect, test } from '@jest/globals'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { allCells, playCell } from '../faults/play.ts'
import { documentOf, keyOf, outcomesIn, type Outcomes } from '../faults/table.ts'
import { clusters } from './scenario.ts'

const DOCUMENT = fileURLToPath(new URL('../../docs/faults.md', import.meta.url))
/** Most of them wait most of the time. */
const AT_ONCE = 12

test('every fault of every call ends as docs/faults.md says, and leaves nothing', async () => {
  const only = process.env['FAULTS'] ?? ''
  const cells = allCells().filter((cell) => keyOf(cell).includes(only))
  const outcomes: Outcomes = new Map()
  const failures: string[] = []
  const left = cells.values()
  const work = async (port: number): Promise<void> => {
    for (const cell of left) {
      try {
        outcomes.set(keyOf(cell), await playCell(cell, port))
      } catch (error) {
        failures.push(`${keyOf(cell)}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }
  await Promise.all(clusters.quick.ownPorts.slice(0, AT_ONCE).map(work))
  expect(failures).toEqual([])
  const document = documentOf(outcomes)
  process.stdout.write(document)
  if (process.env['UPDATE_FAULTS'] === '1') writeFileSync(DOCUMENT, document)
  const committed = existsSync(DOCUMENT) ? readFileSync(DOCUMENT, 'utf8') : ''
  expect(Object.fromEntries(outcomes)).toEqual(Object.fromEntries(outcomesIn(committed)))
  expect(document).toBe(committed)
}, 600_000)
