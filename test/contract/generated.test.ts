import { expect, test } from '@jest/globals'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'
import { generated } from '../../scripts/generate.ts'
import { inputIds, inputs, outputs } from '../../src/config/inputs.ts'

const root = resolve(import.meta.dirname, '../..')
const read = (name: string): string => readFileSync(join(root, name), 'utf8')

interface Action {
  inputs: Record<string, { required?: boolean; default?: string }>
  outputs: object
}

test('action.yml, README and version are up to date with the table of inputs', async () => {
  const fresh = await generated()
  expect(Object.keys(fresh).filter((name) => read(name) !== fresh[name])).toEqual([])
})

test('every text that names a release to use names the version of package.json', async () => {
  const papers = ['README.md', ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => `docs/${name}`)]
  const naming = papers.filter((name) => /\.(md|yml)$/.test(name) && versionsIn(read(name)).length > 0)
  expect(naming).toEqual(expect.arrayContaining(['README.md', 'docs/gitlab.md', 'docs/examples/gitlab/kubectl.yml']))
  const next = await generated('9.8.7')
  for (const name of naming) expect([name, ...new Set(versionsIn(next[name] ?? ''))]).toEqual([name, '9.8.7'])
})

/** Components and release files are found by the whole name of the tag. */
function versionsIn(text: string): string[] {
  return [...text.matchAll(/(?:\/kubepass@v|\/releases\/download\/v)(\d+\.[\w.-]+)/g)].map(([, version = '']) => version)
}

test('action.yml has all inputs with their defaults, and all outputs', () => {
  const action = parse(read('action.yml')) as Action
  const ids = inputIds.filter((id) => inputs[id].only !== 'gitlab')
  expect(Object.keys(action.inputs)).toEqual(ids)
  for (const id of ids) {
    expect([id, action.inputs[id]?.default ?? '']).toEqual([id, inputs[id].actionDefault ?? inputs[id].default])
    expect([id, action.inputs[id]?.required ?? false]).toEqual([id, inputs[id].required === true])
  }
  expect(Object.keys(action.outputs)).toEqual(Object.keys(outputs))
})

test('the schema of the evidence lists every identity', () => {
  const schema = JSON.parse(read('docs/evidence.schema.json')) as { properties: { identity: { properties: { kind: { enum: string[] } } } } }
  expect(['auto', ...schema.properties.identity.properties.kind.enum]).toEqual(inputs.identity.options)
})

test('every input id is valid in GitLab and in a shell', () => {
  for (const id of inputIds) expect(id).toMatch(/^[a-z][a-z0-9_]*$/)
})

interface Template {
  spec: { inputs: Record<string, { default?: string; regex?: string; options?: string[] }> }
  job: { variables: Record<string, string | { value: string; expand: boolean }>; script: string[]; after_script: string[] }
}

function template(): Template {
  // GitLab's own parsing.
  const [{ spec }, jobs] = parseAllDocuments(read('gitlab/scan.yml'), { version: '1.1' }).map((document) => document.toJS() as object) as [
    Pick<Template, 'spec'>,
    Record<string, Template['job']>,
  ]
  const [job] = Object.values(jobs)
  if (job === undefined) throw new Error('the template has no job')
  return { spec, job }
}

test('the template passes guarded inputs as quoted flags, other inputs as unexpanded variables, and secret inputs not at all', () => {
  const { spec, job } = template()
  for (const id of inputIds) {
    const flag = job.script.join('').includes(` --${id.replaceAll('_', '-')}='$[[ inputs.${id} ]]'`)
    const variable = job.variables[`KUBEPASS_${id.toUpperCase()}`]
    const { guard, only, secret } = inputs[id]
    if (secret !== undefined || only === 'github') expect([id, flag, variable, id in spec.inputs]).toEqual([id, false, undefined, false])
    else if (guard !== undefined) expect([id, flag, variable]).toEqual([id, true, undefined])
    else expect([id, flag, variable]).toEqual([id, false, { value: `$[[ inputs.${id} ]]`, expand: false }])
  }
})

test("the template's timeouts of script and after_script together fit into the job's timeout", () => {
  const { spec, job } = template()
  expect(job).toMatchObject({
    timeout: '$[[ inputs.timeout ]]',
    variables: { RUNNER_SCRIPT_TIMEOUT: '$[[ inputs.script_timeout ]]', RUNNER_AFTER_SCRIPT_TIMEOUT: '$[[ inputs.after_script_timeout ]]' },
  })
  const minutes = (name: string): number => Number(/^(\d+)m$/.exec(spec.inputs[name]?.default ?? '')?.[1])
  expect(minutes('script_timeout') + minutes('after_script_timeout')).toBeLessThan(minutes('timeout'))
})

test('no input that the template pastes into a script can end its quotes', () => {
  const { spec, job } = template()
  for (const item of [...job.script, ...job.after_script]) {
    for (const [pasted, before, name = '', after] of item.matchAll(/(.)\$\[\[ inputs\.(\w+) \]\](.)/g)) {
      expect([pasted, before, after]).toEqual([pasted, "'", "'"])
      const { options, regex = '' } = spec.inputs[name] ?? {}
      if (options !== undefined) expect(options.filter((option) => option.includes("'"))).toEqual([])
      else {
        expect([name, regex]).toEqual([name, expect.stringMatching(/^\^.*\$$/)])
        expect(["x'; id '", "'", "a'b"].filter((text) => new RegExp(regex).test(text))).toEqual([])
      }
    }
  }
})

test('the template accepts its own defaults', () => {
  for (const [name, { default: usual, options, regex }] of Object.entries(template().spec.inputs)) {
    if (usual === undefined) continue
    expect([name, typeof usual, options?.includes(usual) ?? true, new RegExp(regex ?? '').test(usual)]).toEqual([
      name,
      'string',
      true,
      true,
    ])
  }
})

test('the README lists every exit code', () => {
  for (const code of [79, 80, 81, 82, 83, 84, 85, 86, 124, 130, 143]) expect(read('README.md')).toMatch(new RegExp(`\\b${code}\\b`))
})

test('the workflows pin every action by its SHA', () => {
  const folder = join(root, '.github/workflows')
  for (const name of readdirSync(folder)) {
    for (const [, used = ''] of readFileSync(join(folder, name), 'utf8').matchAll(/uses: (\S+)/g)) {
      if (!used.startsWith('./')) expect([name, used]).toEqual([name, expect.stringMatching(/@[0-9a-f]{40}$/)])
    }
  }
})

test('the pipeline of the GitLab mirror pins every image by its version', () => {
  const jobs = Object.entries(parse(read('.gitlab-ci.yml')) as Record<string, { image?: string }>)
  const images = jobs.flatMap(([, { image }]) => image ?? [])
  expect(images).toHaveLength(1)
  for (const image of images) expect(image).toMatch(/(:v\d+\.\d+\.\d+|@sha256:[0-9a-f]{64})$/)
})

test('the examples use inputs that exist', () => {
  const folder = join(root, 'docs/examples')
  // sweep.yml uses the command line, not the inputs.
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.yml') && file !== 'sweep.yml')) {
    for (const document of parseAllDocuments(readFileSync(join(folder, name), 'utf8'))) {
      const workflow = document.toJS() as { jobs: Record<string, { steps: { uses?: string; with?: Record<string, string> }[] }> }
      const uses = Object.values(workflow.jobs).flatMap(({ steps }) => steps.filter((step) => step.uses?.includes('kubepass')))
      expect([name, uses.length > 0]).toEqual([name, true])
      for (const step of uses)
        expect([name, Object.keys(step.with ?? {}).filter((id) => !(inputIds as string[]).includes(id))]).toEqual([name, []])
    }
  }
})

test('every GitLab example names an image, because the default image has no scanner', () => {
  const folder = join(root, 'docs/examples/gitlab')
  const pieces = [...readdirSync(folder).map((name) => `docs/examples/gitlab/${name}`), 'README.md', 'docs/gitlab.md'].flatMap((name) => {
    const text = read(name)
    const fenced = [...text.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, piece = '']) => piece)
    return (name.endsWith('.md') ? fenced : [text]).filter((piece) => piece.includes('component:')).map((piece) => [name, piece] as const)
  })
  expect(pieces.length).toBeGreaterThan(4)
  for (const [name, piece] of pieces) {
    const { include } = parse(piece) as { include: { inputs: Record<string, string> }[] }
    for (const { inputs: given } of include) expect([name, given['image']]).toEqual([name, expect.any(String)])
  }
})
