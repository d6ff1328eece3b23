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

/** The imports that match, as packages and as paths below src/. */
function targetsOf(name: string, pattern: RegExp): string[] {
  return [...text(name).matchAll(pattern)]
    .map(([, named, lazy]) => named ?? lazy ?? '')
    .map((target) => (target.startsWith('.') ? relative(src, resolve(src, dirname(name), target)) : target))
}

/** The modules that are loaded when this one runs: types leave no trace. */
const importsOf = (name: string): string[] =>
  targetsOf(name, /^(?:import|export) (?!type )[^'";]*?from '([^']+)'|(?<!typeof )import\('([^']+)'\)/gm)

/** All modules that this one names, for values or for types. */
const mentionsOf = (name: string): string[] => targetsOf(name, /^(?:import|export) [^'";]*?from '([^']+)'|import\('([^']+)'\)/gm)

const importers = (target: string): string[] => files.filter((name) => importsOf(name).includes(target)).toSorted()
const matching = (pattern: RegExp): string[] => files.filter((name) => pattern.test(text(name))).toSorted()

const ENTRIES = ['cli.ts', 'main.ts', 'post.ts']
const folderOf = (name: string): string => (ENTRIES.includes(name) ? 'entries' : dirname(name))
const layerOf = (name: string): number => layers.findIndex((folders) => (folders as readonly string[]).includes(folderOf(name)))

test('every file stands in a folder of one layer', () => {
  expect(files.filter((name) => layerOf(name) === -1)).toEqual([])
})

test('a file imports its own folder and lower layers only, types included', () => {
  const wrong = files.flatMap((name) =>
    mentionsOf(name)
      .filter((target) => target.endsWith('.ts') && folderOf(target) !== folderOf(name) && layerOf(target) <= layerOf(name))
      .map((target) => `${name} -> ${target}`),
  )
  expect(wrong).toEqual([])
})

test('no imports form a circle, types included', () => {
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

test('CONTRIBUTING prints the layers', () => {
  expect(readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8')).toContain(printedLayers)
})

test('entries start things: nobody imports them, and they export nothing', () => {
  for (const entry of ENTRIES) {
    expect(importers(entry)).toEqual([])
    expect(text(entry)).not.toMatch(/^export/m)
  }
})

test('only the edge knows which platform it is', () => {
  expect(importers('platform/detect.ts')).toEqual(['commands/execute.ts'])
  for (const name of ['github', 'gitlab', 'terminal']) expect(importers(`platform/${name}.ts`)).toEqual(['platform/detect.ts'])
})

test.each<[string, string[]]>([
  ['@actions/core', ['platform/github.ts']],
  ['@actions/github', ['platform/github-check.ts', 'platform/github-run-status.ts']],
  ['platform/ci-api.ts', ['commands/sweep.ts']],
  ['platform/github-run-status.ts', ['platform/ci-api.ts']],
  ['platform/gitlab-job-status.ts', ['platform/ci-api.ts']],
  ['@kubernetes/client-node', ['identity/read-kubeconfig.ts']],
  ['yaml', ['identity/read-kubeconfig.ts']],
  ['identity/read-kubeconfig.ts', ['identity/kubeconfig.ts']],
  ['identity/kubeconfig.ts', ['identity/choose.ts']],
  ['node:https', ['net/http.ts', 'net/tunnel.ts']],
  ['node:http', ['net/http.ts', 'net/tunnel.ts']],
  ['node:child_process', ['identity/exec-plugin.ts', 'scan/isolation.ts', 'scan/named-pipes.ts', 'scan/spawn.ts']],
])('%s is imported by %j alone', (module, expected) => {
  expect(importers(module)).toEqual(expected)
})

test('what few jobs need is loaded when it is needed, not at the start', () => {
  expect(text('platform/github.ts')).not.toMatch(/^import (?!type)[^\n]*'@actions\/core'/m)
  expect(text('identity/choose.ts')).not.toMatch(/^import (?!type)[^\n]*kubeconfig\.ts'/m)
  expect(text('identity/kubeconfig.ts')).not.toMatch(/^import (?!type)[^\n]*read-kubeconfig\.ts'/m)
})

test('the reader of kubeconfigs, a bundle of its own, has no class of ours', () => {
  expect(importsOf('identity/read-kubeconfig.ts')).toEqual(['@kubernetes/client-node', 'yaml', 'base/quote.ts'])
  expect(importsOf('base/quote.ts')).toEqual([])
})

test('process is touched at the rim', () => {
  expect(matching(/\bprocess\./)).toEqual([
    'cli.ts',
    'commands/execute.ts',
    'platform/github.ts',
    'platform/gitlab.ts',
    'platform/terminal.ts',
    'scan/isolation.ts',
    'scan/orphans.ts',
    'system/node-runtime.ts',
    'system/process-handle.ts',
  ])
})

test('a secret is revealed in these places', () => {
  expect(matching(/\.reveal\(\)/)).toEqual([
    'config/seal-credentials.ts', // does the key belong to the certificate
    'identity/github-oidc.ts', // the runner's bearer, in a header
    'kube/client.ts', // the bearer, in a header
    'lifecycle/use.ts', // delivery: env
    'net/http.ts', // the key of a client certificate, for TLS
    'platform/github-check.ts', // the token that makes the check run
    'platform/github-run-status.ts', // the token that asks whether a run is over
    'platform/github.ts', // masks, and what delivery: env or output asked for
    'platform/gitlab-job-status.ts', // the same on GitLab
    'scan/kubeconfig-file.ts', // the files of the scan
    'token/jwt.ts', // its claims are read
  ])
})

test('only the redactor makes secrets', () => {
  expect(importers('redact/sealed-string.ts')).toEqual(['redact/redactor.ts'])
})

test('a file is changed by calls that are over when they return: so test/kill-points finds each', () => {
  const named = files.flatMap((name) =>
    [...text(name).matchAll(/^import \{([^}]*)\} from 'node:fs'/gm)].flatMap(([, list = '']) => list.split(',')),
  )
  expect(named.map((name) => name.trim()).filter((name) => !/Sync$|^constants$|^$/.test(name))).toEqual([])
  expect(matching(/'node:fs\/promises'|import (?!type )[^{;]*'node:fs'|(import|require|getBuiltinModule)\('(node:)?fs/)).toEqual([])
})

test('there is no state between calls', () => {
  expect(matching(/^(let|var) /m)).toEqual([])
})
