import { expect, test } from '@jest/globals'
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const root = resolve(import.meta.dirname, '../..')

function contents(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return Object.fromEntries(
    names.map((entry) => [
      join(entry.parentPath, entry.name).slice(folder.length + 1),
      readFileSync(join(entry.parentPath, entry.name), 'utf8'),
    ]),
  )
}

test('dist is identical to a new build of the sources', async () => {
  const fresh = mkdtempSync(join(tmpdir(), 'kubepass-dist-'))
  await promisify(execFile)(process.execPath, [join(root, 'scripts/build.ts'), fresh], { cwd: root })
  const [built, committed] = [contents(fresh), contents(join(root, 'dist'))]
  rmSync(fresh, { recursive: true })
  expect(Object.keys(committed).toSorted()).toEqual(Object.keys(built).toSorted())
  expect(Object.keys(built).filter((name) => built[name] !== committed[name])).toEqual([])
}, 180_000)

test("post's bundle contains no code that requests tokens", () => {
  expect(readFileSync(join(root, 'dist/main/index.js'), 'utf8').includes('TokenRequest')).toBe(true)
  expect(/\bTokenRequest\b|serviceaccounts\/\$\{[^}]+\}\/token/.test(readFileSync(join(root, 'dist/post/index.js'), 'utf8'))).toBe(false)
})

test('the bundle that reads kubeconfigs contains no code that requests tokens', () => {
  expect(readFileSync(join(root, 'dist/kubeconfig/index.js'), 'utf8')).not.toMatch(/TokenRequest|serviceaccounts/)
})

test('dist contains the reader of kubeconfigs once, and loads it only when needed', () => {
  for (const [name, text] of Object.entries(contents(join(root, 'dist')))) {
    expect([name, text.includes('loadFromString')]).toEqual([name, name === 'kubeconfig/index.js'])
    expect(text).not.toMatch(/^import [^\n]*kubeconfig\/index\.js/m)
  }
  for (const entry of ['main', 'post', 'cli'])
    expect(readFileSync(join(root, `dist/${entry}/index.js`), 'utf8')).toContain('import("../kubeconfig/index.js")')
})

test('dist is under 9 MB', () => {
  const sizes = Object.values(contents(join(root, 'dist'))).map((text) => Buffer.byteLength(text))
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(9e6)
})

test('dist contains the licences of all bundled packages', () => {
  for (const entry of ['main', 'post', 'cli'])
    for (const text of ['@actions/core', 'assemblyscript', readFileSync(join(root, 'node_modules/assemblyscript/NOTICE'), 'utf8')])
      expect(readFileSync(join(root, `dist/${entry}/licenses.txt`), 'utf8')).toContain(text)
  const bundled = readFileSync(join(root, 'dist/kubeconfig/licenses.txt'), 'utf8')
  for (const name of ['@kubernetes/client-node', 'js-yaml', 'openid-client', 'undici', 'yaml'])
    expect(bundled).toMatch(new RegExp(`^${name} [\\d.]+ \\((MIT|ISC|Apache-2\\.0)\\)$`, 'm'))
})

test('dist contains no path of the build machine', () => {
  for (const [name, text] of Object.entries(contents(join(root, 'dist')))) expect([name, text.includes(root)]).toEqual([name, false])
})

test('the tests run on the Node.js version that action.yml names', () => {
  expect(readFileSync(join(root, 'action.yml'), 'utf8')).toContain('using: node24')
  expect(process.version).toMatch(/^v24\./)
})

test('an old Node.js version prints one clear sentence', async () => {
  const old = await promisify(execFile)('/usr/bin/env', ['-i', 'node', '--version']).then(
    ({ stdout }) => stdout,
    () => '',
  )
  // Without an installed older Node.js there is nothing to test.
  if (!/^v(1[89]|2[0-3])\./.test(old)) return
  const run = await promisify(execFile)('node', [join(root, 'dist/cli/index.js'), 'run', '--', 'true'], {
    env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
  }).catch((error: unknown) => error as { code: number; stderr: string })
  expect(run).toMatchObject({
    code: 80,
    stderr: expect.stringMatching(/^kubepass: error: Node\.js 24\.5 or later is needed; this is \S+\.\n$/) as unknown,
  })
})
