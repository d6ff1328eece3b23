import { expect, test } from '@jest/globals'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { sections } from '../compatibility/cases.ts'
import { Certificates, runCase } from '../compatibility/run-case.ts'
import { documentOf, rowsIn } from '../compatibility/table.ts'
import { partOf, SHARE } from '../long-run.ts'
import { clusters } from './scenario.ts'

const DOCUMENT = fileURLToPath(new URL('../../docs/compatibility.md', import.meta.url))
const AT_ONCE = 3

test(`kubectl and kubepass treat each kubeconfig as docs/compatibility.md says${SHARE}`, async () => {
  using certificates = await Certificates.write()
  const only = process.env['COMPATIBILITY']
  const isWritten = process.env['UPDATE_COMPATIBILITY'] === '1'
  const all = sections.flatMap((section) => section.cases.map((one) => ({ section, one })))
  const committed = readFileSync(DOCUMENT, 'utf8')
  const rows = rowsIn(committed)
  const failures: string[] = []
  const chosen =
    only === undefined && !isWritten
      ? partOf(all, 0)
      : all.filter(({ section, one }) => `${section.title}: ${one.title}`.includes(only ?? ''))
  const left = chosen.values()
  const work = async (): Promise<void> => {
    for (const { section, one } of left) {
      try {
        rows.set(`${section.title}: ${one.title}`, await runCase(section, one, clusters.quick, certificates))
      } catch (error) {
        failures.push(`${section.title}: ${one.title}: ${error instanceof Error ? error.message : String(error)}`)
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  const document = documentOf(
    new Map(sections.map(({ title, cases }) => [title, cases.flatMap((one) => rows.get(`${title}: ${one.title}`) ?? [])])),
  )
  process.stdout.write(document)
  expect(failures).toEqual([])
  if (isWritten) writeFileSync(DOCUMENT, document)
  else expect(document).toBe(committed)
}, 600_000)
