// Writes the generated files. From the tables of inputs and errors, and the version: action.yml, the GitLab templates, tables in
// README.md, sections in docs/troubleshooting.md, src/base/version.ts, and the version in the documents. From src/redact/assembly:
// src/redact/search-module.ts. With --check it writes nothing; the exit code is 1 if a file is out of date.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { parseDocument, type YAMLMap } from 'yaml'
import { errorCodes } from '../src/base/errors.ts'
import { inputIds, inputs, outputs, type Input, type Output } from '../src/config/inputs.ts'
import { componentTemplate, scanTemplate } from './gitlab-template.ts'

const root = resolve(import.meta.dirname, '..')
const read = (name: string): string => readFileSync(resolve(root, name), 'utf8')

export async function generated(version = packageVersion()): Promise<Record<string, string>> {
  const style = await resolveConfig(resolve(root, 'README.md'))
  return {
    'action.yml': await format(actionYaml(read('action.yml')), { ...style, parser: 'yaml' }),
    'README.md': await format(withVersion(readme(read('README.md')), version), { ...style, parser: 'markdown' }),
    'docs/troubleshooting.md': await format(troubleshooting(read('docs/troubleshooting.md')), { ...style, parser: 'markdown' }),
    'gitlab/scan.yml': await format(scanTemplate(read('gitlab/scan.yml'), version), { ...style, parser: 'yaml' }),
    'templates/kubepass.yml': await format(componentTemplate(read('templates/kubepass.yml')), { ...style, parser: 'yaml' }),
    'src/base/version.ts': versionModule(version),
    'src/redact/search-module.ts': compiledSearch(),
    ...Object.fromEntries(tellingTheVersion().map((name) => [name, withVersion(read(name), version)])),
  }
}

function actionYaml(current: string): string {
  const document = parseDocument(current)
  const fill = (section: string, entries: [string, object][]): void => {
    const map = document.createNode(Object.fromEntries(entries)) as YAMLMap
    document.set(section, map)
  }
  fill(
    'inputs',
    inputIds.filter((id) => inputs[id].only !== 'gitlab').map((id) => [id, actionInput(inputs[id])]),
  )
  fill(
    'outputs',
    Object.entries<Output>(outputs).map(([id, { description }]) => [id, { description }]),
  )
  return document.toString({ lineWidth: 0 })
}

function actionInput({ actionDefault, description, options, required, default: own }: Input): object {
  const usual = actionDefault ?? own
  const choices = options === undefined ? '' : ` One of: ${options.join(', ')}.`
  return { description: description + choices, ...(required === true ? { required } : {}), ...(usual === '' ? {} : { default: usual }) }
}

function readme(current: string): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|')
  const inputRows = inputIds.map((id) => {
    const { description, default: usual, options, required } = inputs[id]
    const choices = options === undefined ? '' : ` One of ${options.map((option) => `\`${option}\``).join(', ')}.`
    return `| \`${id}\` | ${cell(description)}${choices} | ${cellOf(required, usual)} |`
  })
  const outputRows = Object.entries<Output>(outputs).map(([id, { description }]) => `| \`${id}\` | ${cell(description)} |`)
  const codeRows = Object.values(errorCodes).map(({ exit, means }) => `| ${exit} | ${means} |`)
  const tables: Record<string, string> = {
    inputs: `| input | what it is | default |\n| --- | --- | --- |\n${inputRows.join('\n')}`,
    outputs: `| output | what it is |\n| --- | --- |\n${outputRows.join('\n')}`,
    'exit codes': `| code | meaning |\n| --- | --- |\n${SCANS_OWN}\n${codeRows.join('\n')}`,
  }
  return Object.entries(tables).reduce((text, [name, table]) => replaceBetween(text, name, table), current)
}

const SCANS_OWN =
  "| the scan's own | the scan ended by itself; those in `accept_exit_codes` become 0 on a CI, and `exit_code` has the code itself |"

function troubleshooting(current: string): string {
  const sections = Object.entries(errorCodes).map(([code, { exit, means, todo }]) => `### ${exit}: ${code}\n\nMeans: ${means}.\n\n${todo}`)
  return replaceBetween(current, 'error codes', sections.join('\n\n'))
}

function cellOf(required: Input['required'], usual: string): string {
  if (required !== undefined) return required === true ? '**required**' : `**required** ${required}`
  return usual === '' ? '' : `\`${usual}\``
}

function replaceBetween(text: string, name: string, table: string): string {
  const [begin, end] = [`<!-- ${name}: npm run generate -->`, `<!-- /${name} -->`]
  if (!text.includes(begin) || !text.includes(end)) throw new Error(`The comments around the generated part "${name}" are missing.`)
  return `${text.slice(0, text.indexOf(begin) + begin.length)}\n\n${table}\n\n${text.slice(text.indexOf(end))}`
}

/** The files, besides README.md, that name the version of the release. */
function tellingTheVersion(): string[] {
  return ['docs/gitlab.md', ...readdirSync(resolve(root, 'docs/examples/gitlab')).map((name) => `docs/examples/gitlab/${name}`)]
}

/** Replaces the version of the release. GitLab's catalog finds a component only by the complete name of its tag. */
function withVersion(text: string, version: string): string {
  return text.replaceAll(/(kubepass\/kubepass\/kubepass@v|\/releases\/download\/v)\d+\.\d+\.\d+/g, `$1${version}`)
}

function packageVersion(): string {
  return (JSON.parse(read('package.json')) as { version: string }).version
}

function versionModule(version: string): string {
  return `/** Written by \`npm run generate\` from package.json. */\nexport const version = '${version}'\n`
}

/** The compiled search for secrets, as the source of a module. */
function compiledSearch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'kubepass-search-'))
  try {
    const [source, file] = [resolve(root, 'src/redact/assembly'), join(folder, 'search.wasm')]
    const args = [join(source, 'index.ts'), '--config', join(source, 'asconfig.json'), '--outFile', file]
    execFileSync(process.execPath, [resolve(root, 'node_modules/assemblyscript/bin/asc.js'), ...args], { stdio: 'inherit' })
    return `/** Written by \`npm run generate\` from src/redact/assembly: WebAssembly in base64. */\nexport const searchModule =\n  '${readFileSync(file, 'base64')}'\n`
  } finally {
    rmSync(folder, { recursive: true })
  }
}

if (import.meta.main) {
  const check = process.argv.includes('--check')
  for (const [name, text] of Object.entries(await generated())) {
    if (read(name) === text) continue
    if (check) {
      console.error(`${name} is out of date: run npm run generate`)
      process.exitCode = 1
    } else writeFileSync(resolve(root, name), text)
  }
}
