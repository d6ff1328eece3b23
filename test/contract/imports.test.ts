import { expect, test } from '@jest/globals'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../..')
const src = join(root, 'src')
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
  (name) => name.endsWith('.ts') && !name.startsWith('assembly/'),
)
const text = (name: string): string => readFileSync(join(src, name), 'utf8')

/** What a module needs when it runs; types leave no trace. */
function importsOf(name: string): string[] {
  return [...text(name).matchAll(/^(?:import|export) (?!type )[^'";]*?from '([^']+)'|import\('([^']+)'\)/gm)]
    .map(([, named, lazy]) => named ?? lazy ?? '')
    .map((target) => (target.startsWith('.') ? relative(src, resolve(src, dirname(name), target)) : target))
}

const importers = (target: string): string[] => files.filter((name) => importsOf(name).includes(target)).toSorted()
const matching = (pattern: RegExp): string[] => files.filter((name) => pattern.test(text(name))).toSorted()

const ENTRIES = ['cli.ts', 'main.ts', 'post.ts']
/** From the top down; a module imports only what stands below it, or beside it without a circle. */
const LEVELS: RegExp[] = [
  /^(cli|main|post)\.ts$/,
  /^(run|help|start|settle|sweep)\.ts$/,
  /^(finish|obtain|rotate|hand-over)\.ts$/,
  /^session\.ts$/,
  /^(platform\/|scan\.ts|scan-environment\.ts|isolate\.ts|runtime\.ts)/,
  /^(identity\/|kube\/|kubeconfig\.ts|evidence\.ts|scan-failure\.ts|receipt\.ts|options\.ts|decode\.ts|carriers\.ts|pipe\.ts|pipes\.ts|running\.ts|redact\.ts)/,
  /^(credential|retry|http|tunnel|flags|values|damage|certificate|pem|proxy-variables|no-proxy|read-once|system-roots|own-kubeconfig|write|access|text-search)\.ts$/,
  /^(inputs|job)\.ts$/,
  /^(errors|limit|quote|search-module|secret|version)\.ts$/,
]

function levelOf(name: string): number {
  return LEVELS.findIndex((level) => level.test(name))
}

test('every module has its level', () => {
  expect(files.filter((name) => levelOf(name) === -1)).toEqual([])
})

test('imports point down', () => {
  const upwards = files.flatMap((name) =>
    importsOf(name)
      .filter((target) => target.endsWith('.ts') && levelOf(target) < levelOf(name))
      .map((target) => `${name} -> ${target}`),
  )
  expect(upwards).toEqual([])
})

test('there is no circle', () => {
  const circles: string[] = []
  const walk = (name: string, path: string[]): void => {
    if (path.includes(name)) circles.push([...path.slice(path.indexOf(name)), name].join(' -> '))
    else for (const target of importsOf(name)) if (files.includes(target)) walk(target, [...path, name])
  }
  for (const name of ENTRIES) walk(name, [])
  expect([...new Set(circles)]).toEqual([])
})

test('entries start things: nobody imports them, and they export nothing', () => {
  for (const entry of ENTRIES) {
    expect(importers(entry)).toEqual([])
    expect(text(entry)).not.toMatch(/^export/m)
  }
})

test('only the edge knows which platform it is', () => {
  expect(importers('platform/detect.ts')).toEqual(['run.ts'])
  for (const name of ['github', 'gitlab', 'terminal']) expect(importers(`platform/${name}.ts`)).toEqual(['platform/detect.ts'])
})

test.each<[string, string[]]>([
  ['@actions/core', ['platform/github.ts']],
  ['@actions/github', ['platform/github-check.ts', 'platform/github-runs.ts']],
  ['platform/runs.ts', ['sweep.ts']],
  ['platform/github-runs.ts', ['platform/runs.ts']],
  ['platform/gitlab-runs.ts', ['platform/runs.ts']],
  ['@kubernetes/client-node', ['identity/read-kubeconfig.ts']],
  ['yaml', ['identity/read-kubeconfig.ts']],
  ['identity/read-kubeconfig.ts', ['identity/kubeconfig.ts']],
  ['identity/kubeconfig.ts', ['identity/choose.ts']],
  ['node:https', ['http.ts', 'tunnel.ts']],
  ['node:http', ['http.ts', 'tunnel.ts']],
  ['node:child_process', ['identity/exec-plugin.ts', 'isolate.ts', 'pipes.ts', 'running.ts']],
])('%s is imported by %j alone', (module, expected) => {
  expect(importers(module)).toEqual(expected)
})

test('what few jobs need is loaded when it is needed, not at the start', () => {
  expect(text('platform/github.ts')).not.toMatch(/^import (?!type)[^\n]*'@actions\/core'/m)
  expect(text('identity/choose.ts')).not.toMatch(/^import (?!type)[^\n]*kubeconfig\.ts'/m)
  expect(text('identity/kubeconfig.ts')).not.toMatch(/^import (?!type)[^\n]*read-kubeconfig\.ts'/m)
})

test('the reader of kubeconfigs, a bundle of its own, has no class of ours', () => {
  expect(importsOf('identity/read-kubeconfig.ts')).toEqual(['@kubernetes/client-node', 'yaml', 'quote.ts'])
  expect(importsOf('quote.ts')).toEqual([])
})

test('process is touched at the rim', () => {
  expect(matching(/\bprocess\./)).toEqual([
    'carriers.ts',
    'cli.ts',
    'isolate.ts',
    'platform/github.ts',
    'platform/gitlab.ts',
    'platform/terminal.ts',
    'run.ts',
    'runtime.ts',
  ])
})

test('a secret is revealed in these places', () => {
  expect(matching(/\.reveal\(\)/)).toEqual([
    'credential.ts', // its claims are read
    'hand-over.ts', // delivery: env
    'http.ts', // the key of a client certificate, for TLS
    'identity/github-oidc.ts', // the runner's bearer, in a header
    'kube/client.ts', // the bearer, in a header
    'kubeconfig.ts', // the files of the scan
    'platform/github-check.ts', // the token that makes the check run
    'platform/github-runs.ts', // the token that asks whether a run is over
    'platform/github.ts', // masks, and what delivery: env or output asked for
    'platform/gitlab-runs.ts', // the same on GitLab
    'values.ts', // does the key belong to the certificate
  ])
})

test('only the redactor makes secrets', () => {
  expect(importers('secret.ts')).toEqual(['redact.ts'])
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
