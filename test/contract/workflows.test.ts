import { expect, test } from '@jest/globals'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse } from 'yaml'

interface Workflow {
  permissions: object
  jobs: Record<
    string,
    { permissions?: object; 'timeout-minutes'?: number; steps: { uses?: string; with?: Record<string, unknown>; run?: string }[] }
  >
}

const folder = resolve(import.meta.dirname, '../../.github/workflows')
const workflows = readdirSync(folder).map((name) => [name, parse(readFileSync(join(folder, name), 'utf8')) as Workflow] as const)

test.each(workflows)('%s: every job has explicit permissions and a timeout', (_name, { permissions, jobs }) => {
  expect(permissions).toEqual({})
  for (const [job, { permissions: rights, 'timeout-minutes': minutes }] of Object.entries(jobs))
    expect([job, rights, minutes]).toEqual([job, expect.any(Object), expect.any(Number)])
})

test.each(workflows)('%s: no script contains an expression', (_name, { jobs }) => {
  const scripts = Object.values(jobs).flatMap(({ steps }) => steps.flatMap(({ run }) => run ?? []))
  expect(scripts.filter((script) => script.includes('${{'))).toEqual([])
})

test.each(workflows)('%s: every download of an artifact names it, so that no other artifact of the run is used', (_name, { jobs }) => {
  const steps = Object.values(jobs).flatMap(({ steps }) => steps.filter(({ uses }) => uses?.startsWith('actions/download-artifact@')))
  for (const { with: options } of steps) {
    expect(options).toMatchObject({ name: expect.any(String) as unknown })
    expect(Object.keys(options ?? {}).filter((key) => !['name', 'path'].includes(key))).toEqual([])
  }
})
