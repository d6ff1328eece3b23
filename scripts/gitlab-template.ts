// The generated parts of gitlab/scan.yml and templates/kubepass.yml.
import { parseAllDocuments, type Document } from 'yaml'
import { flagName, gitlabFlags } from '../src/config/flags.ts'
import { inputIds, inputs, NO_AUDIENCE, type InputId } from '../src/config/inputs.ts'

interface SpecInput {
  description: string
  default?: string
  options?: readonly string[]
  regex?: string
}

/** What both GitLab and its runner take for a duration; of another, the runner takes none. */
const DURATION = '^([0-9]+[hms])+$'

/** What the template itself needs to know. */
const jobInputs: Record<string, SpecInput> = {
  job_name: { description: 'Name of the job.', default: 'kubepass' },
  stage: { description: 'Stage of the job.', default: 'test' },
  image: { description: 'Image that the scan runs in; with Node.js 24.5 or later for program: node.', default: 'node:24-bookworm' },
  timeout: {
    description:
      'Longest time that the job may take, and so the life of its ID token. Longer than script_timeout and after_script_timeout.',
    default: '30m',
    regex: DURATION,
  },
  script_timeout: {
    description: 'Time after which the scan is stopped; the credential is still revoked.',
    default: '25m',
    regex: DURATION,
  },
  after_script_timeout: { description: 'Time for the net behind the script.', default: '2m', regex: DURATION },
  after: {
    description: 'Commands of yours in after_script, behind the net: a job that sets after_script itself loses the net.',
    default: ':',
  },
  artifacts_paths: {
    description:
      "Path of the scan's own artifacts, or a pattern as {audit.xml,logs/**}, beside kubepass-reports/: a job that sets artifacts itself loses those.",
    default: 'kubepass-reports/',
  },
  program: {
    description: 'node: run by the Node.js of the image. standalone: one executable, for glibc images without Node.js.',
    default: 'node',
    options: ['node', 'standalone'],
  },
  program_url: {
    description:
      "URL or path of the program's .tgz, or the path where it is already: of a folder like dist, or of the executable. The release's own when empty.",
    default: '',
    regex: String.raw`^(|(https://|/)[A-Za-z0-9.:/_~%@+-]+)$`,
  },
  program_sha256: { description: 'SHA-256 of that .tgz, 64 hex digits.', default: '', regex: '^(|[0-9a-f]{64})$' },
}

/** Secrets come from the project's masked variables KUBEPASS_TOKEN and the like: an input is there for all to read. */
const scanInputs = inputIds.filter((id) => !inputs[id].secret && inputs[id].only !== 'github')

/** Where GitLab differs: a job has a command. */
const needed: readonly InputId[] = ['command']
/** What is always refused there is not offered. */
const refused: Partial<Record<InputId, string>> = { identity: 'github-oidc', prove: 'post', delivery: 'output' }
const defaults: Partial<Record<InputId, string>> = { audience: NO_AUDIENCE, evidence: 'kubepass-reports/evidence.json' }

export const specInputs: Readonly<Record<string, SpecInput>> = {
  ...Object.fromEntries(scanInputs.map((id) => [id, specInput(id)])),
  ...jobInputs,
}

function specInput(id: InputId): SpecInput {
  const { description, default: usual, guard, options, required } = inputs[id]
  return {
    description,
    ...(required === true || needed.includes(id) ? {} : { default: defaults[id] ?? usual }),
    ...(options ? { options: options.filter((option) => option !== refused[id]) } : guard === undefined ? {} : { regex: guard }),
  }
}

const reference = (name: string): string => `$[[ inputs.${name} ]]`

export function scanTemplate(current: string, version: string): string {
  const [spec, jobs] = documents(current)
  spec.setIn(['spec', 'inputs'], spec.createNode(specInputs))
  const job = [reference('job_name')]
  const plain = scanInputs.filter((id) => !gitlabFlags.includes(id))
  jobs.setIn(
    [...job, 'variables'],
    jobs.createNode({
      RUNNER_SCRIPT_TIMEOUT: reference('script_timeout'),
      RUNNER_AFTER_SCRIPT_TIMEOUT: reference('after_script_timeout'),
      ...Object.fromEntries(plain.map((id) => [`KUBEPASS_${id.toUpperCase()}`, { value: reference(id), expand: false }])),
    }),
  )
  const flags = jobs.getIn([...job, 'script', 1], true) as { value: string }
  // In one word with its name: a value may begin with a dash, as PEM does.
  flags.value = `set -- gitlab ${gitlabFlags.map((id) => `${flagName(id)}='${reference(id)}'`).join(' \\\n  ')}\n`
  return `${spec.toString({ lineWidth: 0, directives: false })}---\n${jobs.toString({ lineWidth: 0, directives: false })}`.replace(
    /^( +version=)'.*'$/m,
    `$1'${version}'`,
  )
}

/** The entry in the catalog: the same inputs, handed on. */
export function componentTemplate(current: string): string {
  const [spec, jobs] = documents(current)
  spec.setIn(['spec', 'inputs'], spec.createNode(specInputs))
  jobs.setIn(['include', 0, 'inputs'], jobs.createNode(Object.fromEntries(Object.keys(specInputs).map((name) => [name, reference(name)]))))
  return `${spec.toString({ lineWidth: 0, directives: false })}---\n${jobs.toString({ lineWidth: 0, directives: false })}`
}

function documents(text: string): [Document, Document] {
  // GitLab reads YAML 1.1, where a bare off is false.
  const [first, second] = parseAllDocuments(text, { version: '1.1' }) as Document[]
  if (first === undefined || second === undefined) throw new Error('a template consists of two documents')
  return [first, second]
}
