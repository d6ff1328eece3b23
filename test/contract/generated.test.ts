import { expect, test } from '@jest/globals'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'
import { generated } from '../../scripts/generate.ts'
import { help } from '../../src/help.ts'
import { inputIds, inputs, outputs } from '../../src/inputs.ts'

const root = resolve(import.meta.dirname, '../..')
const read = (name: string): string => readFileSync(join(root, name), 'utf8')

interface Action {
  inputs: Record<string, { required?: boolean; default?: string }>
  outputs: object
}

test('action.yml, README and version are what the table of inputs makes', async () => {
  const fresh = await generated()
  expect(Object.keys(fresh).filter((name) => read(name) !== fresh[name])).toEqual([])
})

test('action.yml has the inputs, their defaults, and the outputs', () => {
  const action = parse(read('action.yml')) as Action
  expect(Object.keys(action.inputs)).toEqual(inputIds)
  for (const id of inputIds) {
    expect([id, action.inputs[id]?.default ?? '']).toEqual([id, inputs[id].default])
    expect([id, action.inputs[id]?.required ?? false]).toEqual([id, inputs[id].required === true])
  }
  expect(Object.keys(action.outputs)).toEqual(Object.keys(outputs))
})

test('an id is one that GitLab and a shell can write, too', () => {
  for (const id of inputIds) expect(id).toMatch(/^[a-z][a-z0-9_]*$/)
})

test('the help names every flag, and no secret is one', () => {
  for (const id of inputIds)
    expect([id, help().includes(`  --${id.replaceAll('_', '-')}\n`)]).toEqual([id, !inputs[id].secret && !inputs[id].ciOnly])
})

test('the README names every exit code', () => {
  for (const code of [80, 81, 82, 83, 84, 85, 86, 130, 143]) expect(read('README.md')).toMatch(new RegExp(`\\b${code}\\b`))
})

test('every action in our workflows is pinned by its SHA', () => {
  const folder = join(root, '.github/workflows')
  for (const name of readdirSync(folder)) {
    for (const [, used = ''] of readFileSync(join(folder, name), 'utf8').matchAll(/uses: (\S+)/g)) {
      if (!used.startsWith('./')) expect([name, used]).toEqual([name, expect.stringMatching(/@[0-9a-f]{40}$/)])
    }
  }
})

test('the examples use inputs that exist', () => {
  const folder = join(root, 'docs/examples')
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.yml'))) {
    for (const document of parseAllDocuments(readFileSync(join(folder, name), 'utf8'))) {
      const workflow = document.toJS() as { jobs: Record<string, { steps: { uses?: string; with?: Record<string, string> }[] }> }
      const uses = Object.values(workflow.jobs).flatMap(({ steps }) => steps.filter((step) => step.uses?.includes('kubepass')))
      expect([name, uses.length > 0]).toEqual([name, true])
      for (const step of uses)
        expect([name, Object.keys(step.with ?? {}).filter((id) => !(inputIds as string[]).includes(id))]).toEqual([name, []])
    }
  }
})
