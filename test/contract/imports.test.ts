import { expect, test } from '@jest/globals'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { layers, printedLayers } from './layers.ts'

const root = resolve(import.meta.dirname, '../..')
const src = join(root, 'src')
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.ts') && !name.startsWith('redact/assembly/'),
)
const text = (name: string): string => readFileSync(join(src, name), 'utf8')

/** The matching imports, as package names and as paths below src/. */
function targetsOf(name: string, pattern: RegExp): string[] {
  return [...text(name).matchAll(pattern)]
    .map(([, named, lazy]) => named ?? lazy ?? '')
    .map((target) => (target.startsWith('.') ? relative(src, resolve(src, dirname(name), target)) : target))
}

/** The modules that this module loads at run time, that is, without type imports. */
const importsOf = (name: string): string[] =>
  targetsOf(name, /^(?:import|export) (?!type )[^'";]*?from '([^']+)'|(?<!typeof )import\('([^']+)'\)/gm)

/** All modules that this module imports, for values or for types. */
const mentionsOf = (name: string): string[] => targetsOf(name, /^(?:import|export) [^'";]*?from '([^']+)'|import\('([^']+)'\)/gm)

const importers = (target: string): string[] => files.filter((name) => importsOf(name).includes(target)).toSorted()
const matching = (pattern: RegExp): string[] => files.filter((name) => pattern.test(text(name))).toSorted()

const ENTRIES = ['cli.ts', 'main.ts', 'post.ts']
const folderOf = (name: string): string => (ENTRIES.includes(name) ? 'entries' : dirname(name))
const layerOf = (name: string): number => layers.findIndex((folders) => (folders as readonly string[]).includes(folderOf(name)))

test('every file of src/ is in a folder of a layer', () => {
  expect(files.filter((name) => layerOf(name) === -1)).toEqual([])
})

test('a file imports only from its own folder and lower layers, types included', () => {
  const wrong = files.flatMap((name) =>
    mentionsOf(name)
      .filter((target) => target.endsWith('.ts') && folderOf(target) !== folderOf(name) && layerOf(target) <= layerOf(name))
      .map((target) => `${name} -> ${target}`),
  )
  expect(wrong).toEqual([])
})

test('there is no import cycle, types included', () => {
  const circles: string[] = []
  const done = new Set<string>()
  const walk = (name: string, path: string[]): void => {
    if (path.includes(name)) circles.push([...path.slice(path.indexOf(name)), name].join(' -> '))
    else if (!done.has(name)) for (const target of mentionsOf(name)) if (files.includes(target)) walk(target, [...path, name])
    done.add(name)
  }
  for (const name of files) walk(name, [])
  expect(circles).toEqual([])
})

test('CONTRIBUTING.md lists the layers', () => {
  expect(readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8')).toContain(printedLayers)
})

test('no module imports an entry, and entries export nothing', () => {
  for (const entry of ENTRIES) {
    expect(importers(entry)).toEqual([])
    expect(text(entry)).not.toMatch(/^export/m)
  }
})

test('only commands/execute imports platform/detect, and only that imports the platforms of a CI', () => {
  expect(importers('platform/detect.ts')).toEqual(['commands/execute.ts'])
  for (const name of ['github', 'gitlab']) expect(importers(`platform/${name}.ts`)).toEqual(['platform/detect.ts'])
})

test.each<[string, string[]]>([
  ['@actions/core', ['platform/github.ts']],
  ['@actions/github', ['platform/github-check.ts', 'platform/octokit.ts']],
  ['platform/ci-api.ts', ['commands/sweep.ts']],
  ['platform/github-run-status.ts', ['platform/ci-api.ts']],
  ['platform/gitlab-job-status.ts', ['platform/ci-api.ts']],
  ['commander', ['command-line/parse.ts']],
  ['command-line/parse.ts', ['command-line/start.ts']],
  ['command-line/start.ts', ['cli.ts']],
  ['platform/terminal.ts', ['command-line/start.ts']],
  ['@kubernetes/client-node', ['identity/read-kubeconfig.ts']],
  ['yaml', ['config/yaml.ts', 'identity/read-kubeconfig.ts']],
  ['identity/read-kubeconfig.ts', ['identity/kubeconfig.ts']],
  ['identity/kubeconfig.ts', ['identity/choose.ts']],
  ['node:https', ['api-proxy/api-proxy.ts', 'api-proxy/upstream.ts', 'net/http.ts', 'net/tunnel.ts']],
  ['node:http', ['api-proxy/status.ts', 'net/http.ts', 'net/tunnel.ts']],
  ['node:child_process', ['identity/exec-plugin.ts', 'scan/isolation.ts', 'scan/named-pipes.ts', 'scan/spawn.ts']],
])('%s is imported only by %j', (module, expected) => {
  expect(importers(module)).toEqual(expected)
})

test('modules that few jobs need are imported dynamically', () => {
  expect(text('cli.ts')).not.toMatch(/^import (?!type)[^\n]*command-line/m)
  expect(text('platform/github.ts')).not.toMatch(/^import (?!type)[^\n]*'@actions\/core'/m)
  expect(text('identity/choose.ts')).not.toMatch(/^import (?!type)[^\n]*kubeconfig\.ts'/m)
  expect(text('identity/kubeconfig.ts')).not.toMatch(/^import (?!type)[^\n]*read-kubeconfig\.ts'/m)
})

test('the reader of kubeconfigs, which is a bundle of its own, imports no class of src/', () => {
  expect(importsOf('identity/read-kubeconfig.ts')).toEqual(['@kubernetes/client-node', 'yaml', 'base/quote.ts'])
  expect(importsOf('base/quote.ts')).toEqual([])
})

test('only the listed modules use process', () => {
  expect(matching(/\bprocess\./)).toEqual([
    'cli.ts',
    'commands/execute.ts',
    'platform/github.ts',
    'platform/gitlab-workspace.ts',
    'platform/gitlab.ts',
    'platform/terminal.ts',
    'scan/isolation.ts',
    'scan/orphans.ts',
    'system/node-runtime.ts',
    'system/own-user.ts',
    'system/process-handle.ts',
  ])
})

test('only the listed modules call reveal()', () => {
  expect(matching(/\.reveal\(\)/)).toEqual([
    'api-proxy/upstream.ts', // the bearer of the scan's requests, in a header
    'config/seal-credentials.ts', // does the key belong to the certificate
    'identity/github-oidc.ts', // the runner's bearer, in a header
    'kube/client.ts', // the bearer, in a header
    'lifecycle/use.ts', // delivery: env
    'net/http.ts', // the key of a client certificate, for TLS
    'platform/github.ts', // masks; the outputs and variables that `delivery` requests
    'platform/gitlab-job-status.ts', // the same on GitLab
    'platform/octokit.ts', // the token for the API of GitHub
    'scan/kubeconfig-file.ts', // the files of the scan
    'token/jwt.ts', // its claims are read
  ])
})

test('only the redactor creates sealed strings', () => {
  expect(importers('redact/sealed-string.ts')).toEqual(['redact/redactor.ts'])
})

test('src/ changes files only by synchronous calls, all of which test/kill-points finds', () => {
  const named = files.flatMap((name) =>
    [...text(name).matchAll(/^import \{([^}]*)\} from 'node:fs'/gm)].flatMap(([, list = '']) => list.split(',')),
  )
  expect(named.map((name) => name.trim()).filter((name) => !/Sync$|^constants$|^$/.test(name))).toEqual([])
  expect(matching(/'node:fs\/promises'|import (?!type )[^{;]*'node:fs'|(import|require|getBuiltinModule)\('(node:)?fs/)).toEqual([])
})

test('src/ has no module-level state', () => {
  expect(matching(/^(let|var) /m)).toEqual([])
})
