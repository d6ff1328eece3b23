// Writes the generated parts of gitlab/scan.yml and templates/kubepass.yml.
import { parseAllDocuments, type Document } from 'yaml'
import { flagName, gitlabInputs, variableName } from '../src/config/flags.ts'
import { inputIds, inputs, NO_AUDIENCE, optionsOn, type InputId } from '../src/config/inputs.ts'

interface SpecInput {
  description: string
  default?: string
  options?: readonly string[]
  regex?: string
}

/** The form of a duration that both GitLab and its runner accept. The runner ignores a duration of another form. */
const DURATION = '^([0-9]+[hms])+$'

/** The inputs of the template itself. */
const jobInputs: Record<string, SpecInput> = {
  job_name: { description: 'Name of the job.', default: 'kubepass' },
  stage: { description: 'Stage of the job.', default: 'test' },
  image: { description: 'Image for the scan. program: node needs Node.js 24.5 or later in it.', default: 'node:24-bookworm' },
  timeout: {
    description:
      'Time limit of the job, and so the life of its ID token. It must be longer than script_timeout and after_script_timeout together.',
    default: '30m',
    regex: DURATION,
  },
  script_timeout: {
    description: 'Time limit of the script. After it, kubepass stops the scan and revokes the credential.',
    default: '25m',
    regex: DURATION,
  },
  after_script_timeout: {
    description: 'Time limit of after_script, which revokes the credential if the script was killed.',
    default: '2m',
    regex: DURATION,
  },
  after: {
    description: 'Your own commands at the end of after_script. A job that sets after_script itself loses the revocation in after_script.',
    default: ':',
  },
  artifacts_paths: {
    description:
      "Path of the scan's own artifacts, or a pattern such as {audit.xml,logs/**}. A job that sets artifacts itself loses kubepass-reports/.",
    default: 'kubepass-reports/',
  },
  program: {
    description: 'node: the Node.js of the image runs kubepass. standalone: one executable, for glibc images without Node.js.',
    default: 'node',
    options: ['node', 'standalone'],
  },
  program_url: {
    description:
      "URL or path of the program's .tgz; or the path of an existing program: a folder like dist, or the executable. When empty, the program of the release.",
    default: '',
    regex: String.raw`^(|(https://|/)[A-Za-z0-9.:/_~%@+-]+)$`,
  },
  program_sha256: { description: 'SHA-256 of that .tgz, 64 hex digits.', default: '', regex: '^(|[0-9a-f]{64})$' },
}

/** Secrets are no inputs, because everyone can read inputs. They come from masked variables of the project, such as KUBEPASS_TOKEN. */
const scanInputs = inputIds.filter((id) => !inputs[id].secret && inputs[id].only !== 'github')

/** Inputs that only GitLab requires: every GitLab job has a command. */
const needed: readonly InputId[] = ['command']
const defaults: Partial<Record<InputId, string>> = { audience: NO_AUDIENCE, evidence: 'kubepass-reports/evidence.json' }

export const specInputs: Readonly<Record<string, SpecInput>> = {
  ...Object.fromEntries(scanInputs.map((id) => [id, specInput(id)])),
  ...jobInputs,
}

function specInput(id: InputId): SpecInput {
  const { description, default: usual, guard, required } = inputs[id]
  const options = optionsOn('gitlab', id)
  return {
    description,
    ...(required === true || needed.includes(id) ? {} : { default: defaults[id] ?? usual }),
    ...(options ? { options } : guard === undefined ? {} : { regex: guard }),
  }
}

const reference = (name: string): string => `$[[ inputs.${name} ]]`

export function scanTemplate(current: string, version: string): string {
  const [spec, jobs] = documents(current)
  spec.setIn(['spec', 'inputs'], spec.createNode(specInputs))
  const job = [reference('job_name')]
  const plain = scanInputs.filter((id) => !gitlabInputs.includes(id))
  jobs.setIn(
    [...job, 'variables'],
    jobs.createNode({
      RUNNER_SCRIPT_TIMEOUT: reference('script_timeout'),
      RUNNER_AFTER_SCRIPT_TIMEOUT: reference('after_script_timeout'),
      ...Object.fromEntries(plain.map((id) => [variableName(id), { value: reference(id), expand: false }])),
    }),
  )
  const flags = jobs.getIn([...job, 'script', 1], true) as { value: string }
  // Name and value are one word, because a value may begin with a dash, as PEM does.
  flags.value = `set -- gitlab ${gitlabInputs.map((id) => `${flagName(id)}='${reference(id)}'`).join(' \\\n  ')}\n`
  return `${spec.toString({ lineWidth: 0, directives: false })}---\n${jobs.toString({ lineWidth: 0, directives: false })}`.replace(
    /^( +version=)'.*'$/m,
    `$1'${version}'`,
  )
}

/** The entry in the catalog: it has the same inputs and passes them on. */
export function componentTemplate(current: string): string {
  const [spec, jobs] = documents(current)
  spec.setIn(['spec', 'inputs'], spec.createNode(specInputs))
  jobs.setIn(['include', 0, 'inputs'], jobs.createNode(Object.fromEntries(Object.keys(specInputs).map((name) => [name, reference(name)]))))
  return `${spec.toString({ lineWidth: 0, directives: false })}---\n${jobs.toString({ lineWidth: 0, directives: false })}`
}

function documents(text: string): [Document, Document] {
  // GitLab reads YAML 1.1, in which an unquoted off is false.
  const [first, second] = parseAllDocuments(text, { version: '1.1' }) as Document[]
  if (first === undefined || second === undefined) throw new Error('The template does not have two YAML documents.')
  return [first, second]
}
