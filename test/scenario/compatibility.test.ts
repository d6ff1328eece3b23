import { expect, test } from '@jest/globals'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { sections } from '../compatibility/cases.ts'
import { Certificates, playCase, type Row } from '../compatibility/play.ts'
import { documentOf } from '../compatibility/table.ts'
import { clusters } from './scenario.ts'

const DOCUMENT = fileURLToPath(new URL('../../docs/compatibility.md', import.meta.url))
const AT_ONCE = 3

test('kubectl and kubepass do with each kubeconfig what docs/compatibility.md says', async () => {
  using certificates = await Certificates.write()
  const only = process.env['COMPATIBILITY'] ?? ''
  const all = sections.flatMap((section) => section.cases.map((one) => ({ section, one })))
  const rows = new Map<string, Row>()
  const failures: string[] = []
  const left = all.filter(({ section, one }) => `${section.title}: ${one.title}`.includes(only)).values()
  const work = async (): Promise<void> => {
    for (const { section, one } of left) {
      try {
        rows.set(`${section.title}: ${one.title}`, await playCase(section, one, clusters.quick, certificates))
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
  if (process.env['UPDATE_COMPATIBILITY'] === '1') writeFileSync(DOCUMENT, document)
  expect(document).toBe(readFileSync(DOCUMENT, 'utf8'))
}, 600_000)
