import { parseAllDocuments } from 'yaml'
import { jobTimeout } from './gitlab-duration.ts'
import type { Given } from './gitlab-variables.ts'

export type InputValue = string | number | boolean | unknown[]

export interface InputSpec {
  type: 'string' | 'number' | 'boolean' | 'array'
  default?: InputValue
  options?: InputValue[]
  regex?: string
}

/** The only job of a component, with the inputs filled in. */
export interface ComponentJob {
  name: string
  variables: Record<string, Given>
  /** The audience of each ID token, by the variable that gets it. */
  idTokens: Record<string, string | string[]>
  script: string[]
  afterScript: string[]
  /** The job's timeout in seconds. */
  timeout: number | undefined
  artifacts: { paths: string[]; junit: string[]; annotations: string[] }
}

type Mapping = Record<string, unknown>

const GLOBAL = ['stages', 'variables', 'include', 'default', 'workflow', 'image', 'services', 'cache', 'before_script', 'after_script']
/** The keys of a job that have no effect on the simulated runner. */
const IGNORED = [
  ...['stage', 'image', 'needs', 'dependencies', 'rules', 'tags', 'allow_failure', 'retry', 'interruptible', 'resource_group'],
  ...['environment', 'inherit', 'when', 'cache', 'services', 'parallel'],
]
const SUPPORTED = ['variables', 'id_tokens', 'before_script', 'script', 'after_script', 'timeout', 'artifacts']

/** A component's file with its inputs and its job. Throws an error for a file that GitLab rejects. */
export class Component {
  readonly inputs: Record<string, InputSpec>
  readonly #content: unknown

  constructor(text: string) {
    // GitLab reads YAML 1.1, in which `off` is false and `<<` merges. Unlike GitLab, this parser reads `y` as true.
    const documents = parseAllDocuments(text, { version: '1.1', merge: true })
    if (!Array.isArray(documents)) throw new Error('the component is empty')
    const [header, content, ...more] = documents.map((document) => {
      for (const error of document.errors) throw error
      return document.toJS({ maxAliasCount: 1_000 }) as unknown
    })
    if (content === undefined || more.length > 0) throw new Error('a component needs two documents: spec and jobs')
    const spec = mapping(mapping(header, 'the first document')['spec'], 'spec')
    this.inputs = Object.fromEntries(
      Object.entries(mapping(spec['inputs'] ?? {}, 'spec:inputs')).map(([name, value]) => [name, inputSpec(name, value)]),
    )
    this.#content = content
  }

  job(given: Record<string, InputValue>): ComponentJob {
    const values = this.#values(given)
    const content = mapping(interpolate(this.#content, values), 'the second document')
    const jobs = Object.entries(content).filter(([name]) => !name.startsWith('.') && !GLOBAL.includes(name))
    const globals = Object.keys(content).filter((name) => GLOBAL.includes(name))
    if (globals.length > 0) throw new Error(`a component should not set ${globals.join(', ')} for a whole pipeline`)
    const [first, ...others] = jobs
    if (first === undefined || others.length > 0) throw new Error(`the simulated runner needs one job, not ${String(jobs.length)}`)
    return jobOf(...first)
  }

  #values(given: Record<string, InputValue>): Map<string, InputValue> {
    const unknown = Object.keys(given).filter((name) => !(name in this.inputs))
    if (unknown.length > 0) throw new Error(`unknown input arguments: ${unknown.join(', ')}`)
    return new Map(
      Object.entries(this.inputs).map(([name, spec]) => {
        const value = given[name] ?? spec.default
        if (value === undefined) throw new Error(`\`${name}\` input: required value has not been provided`)
        check(name, spec, value)
        return [name, value]
      }),
    )
  }
}

function inputSpec(name: string, value: unknown): InputSpec {
  const given = value === null ? {} : mapping(value, `the input ${name}`)
  const unknown = Object.keys(given).filter((key) => !['type', 'default', 'description', 'options', 'regex'].includes(key))
  if (unknown.length > 0) throw new Error(`the input ${name} contains unknown keys: ${unknown.join(', ')}`)
  const spec = { type: 'string', ...given } as InputSpec
  if (!['string', 'number', 'boolean', 'array'].includes(spec.type)) throw new Error(`the input ${name} has the unknown type ${spec.type}`)
  if (spec.regex !== undefined && spec.type !== 'string') throw new Error(`the input ${name} has a regex, but is not a string`)
  if (spec.default !== undefined) check(name, spec, spec.default)
  return spec
}

function check(name: string, { type, options, regex }: InputSpec, value: InputValue): void {
  const actual = Array.isArray(value) ? 'array' : typeof value
  if (actual !== type) throw new Error(`\`${name}\` input: provided value is not a ${type}`)
  if (options !== undefined && !options.includes(value))
    throw new Error(`\`${name}\` input: \`${String(value)}\` cannot be used because it is not in the list of allowed options`)
  if (regex !== undefined && !new RegExp(regex).test(value as string))
    throw new Error(`\`${name}\` input: provided value does not match required RegEx pattern`)
}

const BLOCK = /\$\[\[\s*(\S.*?)\s*\]\]/gs
const ONE_BLOCK = /^\$\[\[\s*((?:(?!\]\]).)+?)\s*\]\]$/s

/** Replaces inputs in keys and values. A text that consists of one block becomes the input's value, of any type. */
function interpolate(node: unknown, values: Map<string, InputValue>): unknown {
  if (typeof node === 'string') {
    const [, whole] = ONE_BLOCK.exec(node) ?? []
    return whole === undefined ? embed(node, values) : access(whole, values)
  }
  if (Array.isArray(node)) return node.map((each) => interpolate(each, values))
  if (typeof node !== 'object' || node === null) return node
  return Object.fromEntries(Object.entries(node).map(([key, value]) => [embed(key, values), interpolate(value, values)]))
}

function embed(text: string, values: Map<string, InputValue>): string {
  return text.replaceAll(BLOCK, (_, block: string) => {
    const value = access(block, values)
    return Array.isArray(value) ? JSON.stringify(value) : String(value)
  })
}

function access(block: string, values: Map<string, InputValue>): InputValue {
  const [, name = ''] = /^inputs\.([\w-]+)$/.exec(block) ?? []
  const value = values.get(name)
  if (value === undefined) throw new Error(`unknown interpolation key: \`${block}\``)
  return value
}

function jobOf(name: string, value: unknown): ComponentJob {
  const job = mapping(value, `the job ${name}`)
  const unknown = Object.keys(job).filter((key) => !IGNORED.includes(key) && !SUPPORTED.includes(key))
  if (unknown.length > 0) throw new Error(`the job ${name} has keys that the simulated runner does not support: ${unknown.join(', ')}`)
  const script = lines(job['script'], 'script')
  if (script.length === 0) throw new Error(`the job ${name} has no script`)
  const [timeout] = lines(job['timeout'], 'timeout')
  const { paths, reports = {} } = mapping(job['artifacts'] ?? {}, 'artifacts')
  const { junit, annotations } = mapping(reports, 'artifacts:reports')
  return {
    name,
    variables: mapValues(mapping(job['variables'] ?? {}, 'variables'), variableOf),
    idTokens: mapValues(mapping(job['id_tokens'] ?? {}, 'id_tokens'), audienceOf),
    script: [...lines(job['before_script'], 'before_script'), ...script],
    afterScript: lines(job['after_script'], 'after_script'),
    timeout: timeout === undefined ? undefined : jobTimeout(timeout),
    artifacts: { paths: lines(paths, 'paths'), junit: lines(junit, 'junit'), annotations: lines(annotations, 'annotations') },
  }
}

function variableOf(value: unknown, name: string): Given {
  if (isScalar(value)) return String(value)
  const { value: text, expand = true, ...more } = mapping(value, `the variable ${name}`)
  if (!isScalar(text) || typeof expand !== 'boolean' || Object.keys(more).some((key) => key !== 'description'))
    throw new Error(`the variable ${name} is not a text, nor {value, expand}`)
  return { value: String(text), expand }
}

function audienceOf(value: unknown, name: string): string | string[] {
  const { aud, ...more } = mapping(value, `the ID token ${name}`)
  if (Object.keys(more).length > 0) throw new Error(`the ID token ${name} contains unknown keys`)
  if (typeof aud === 'string' && aud !== '') return aud
  if (Array.isArray(aud) && aud.length > 0 && aud.every((each) => typeof each === 'string')) return aud
  throw new Error(`the ID token ${name} needs an aud, a text or a list of texts`)
}

/** Reads a line or a list of lines, and flattens nested lists, which YAML anchors can create. */
function lines(value: unknown, what: string): string[] {
  const list = value === undefined ? [] : [value].flat(11)
  if (!list.every((line) => typeof line === 'string')) throw new Error(`${what} should be a string or an array of strings`)
  return list
}

function isScalar(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value)
}

function mapping(value: unknown, what: string): Mapping {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${what} should be a mapping`)
  return value as Mapping
}

function mapValues<V>(record: Mapping, change: (value: unknown, name: string) => V): Record<string, V> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value, name)]))
}
