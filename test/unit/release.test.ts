import { afterAll, expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { withDigests } from '../../scripts/digests.ts'
import { version } from '../../src/version.ts'

const root = resolve(import.meta.dirname, '../..')
const template = blank(readFileSync(join(root, 'gitlab/scan.yml'), 'utf8'))
const folder = mkdtempSync(join(tmpdir(), 'kubepass-release-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

function pack(mode: number, time: number): string {
  for (const name of ['kubepass-linux-x64', 'kubepass-linux-arm64']) {
    writeFileSync(join(folder, name), `a program: ${name}`)
    chmodSync(join(folder, name), mode)
    utimesSync(join(folder, name), time, time)
  }
  execFileSync(process.execPath, [join(root, 'scripts/pack.ts'), folder])
  return readFileSync(join(folder, 'SHA256SUMS'), 'utf8')
}

/** As it is in main: the template of a release has its digests. */
function blank(text: string): string {
  return text.replaceAll(/^( *sha256_\w+=)'[0-9a-f]{64}'$/gm, "$1''")
}

function shell(script: string): string {
  return execFileSync('sh', ['-ec', script], { cwd: folder, encoding: 'utf8', env: { ...process.env, TZ: 'UTC' } })
}

test('what is packed is the same whenever it is packed, and holds what the template looks for', () => {
  const sums = pack(0o700, 1_000_000_000)
  expect(pack(0o755, 1_700_000_000)).toBe(sums)
  expect(shell('sha256sum -c SHA256SUMS').match(/: OK$/gm)).toHaveLength(3)
  expect(shell('tar -tvzf kubepass-linux-arm64.tgz')).toMatch(/^-rwxr-xr-x 0\/0 +\d+ 1970-01-01 \d\d:\d\d kubepass\n$/)
  expect(shell('tar -xOzf kubepass-linux-arm64.tgz')).toBe('a program: kubepass-linux-arm64')
  const node = shell(`tar -tzf kubepass-${version}.tgz`).split('\n')
  expect(node).toEqual(expect.arrayContaining(['main', 'post', 'cli'].map((entry) => `package/dist/${entry}/index.js`)))
  // A chunk that is left out is missed only when it is needed.
  expect(node.filter((name) => name.startsWith('package/dist/')).length).toBe(
    execFileSync('find', [join(root, 'dist'), '-type', 'f'], { encoding: 'utf8' })
      .trimEnd()
      .split('\n').length,
  )
}, 60_000)

test('the digests of all programs get into the template of the release', () => {
  const sums = readFileSync(join(folder, 'SHA256SUMS'), 'utf8')
  const filled = withDigests(template, sums)
  for (const digest of sums.match(/^[0-9a-f]{64}/gm) ?? []) expect(filled.split(digest)).toHaveLength(2)
  expect(filled.match(/^ *sha256_\w+='[0-9a-f]{64}'$/gm)).toHaveLength(3)
  expect(blank(filled)).toBe(template)
  // A second time changes nothing.
  expect(withDigests(filled, sums)).toBe(filled)
})

test.each<[string, (sums: string, text: string) => [string, string], RegExp]>([
  ['a line is missing', (sums, text) => [sums, text.replace("sha256_x64=''", '')], /0 lines sha256_x64=''/],
  [
    'a line is there twice',
    (sums, text) => [sums, text.replace("sha256_x64=''", "sha256_x64=''\n      sha256_x64=''")],
    /2 lines sha256_x64=''/,
  ],
  ['a program is missing', (sums, text) => [sums.replace('linux-arm64', 'linux-arm'), text], /no digest of kubepass-linux-arm64\.tgz/],
  ['a digest is cut', (sums, text) => [sums.replace(/^./, ''), text], /no digest of kubepass-\d/],
  ["a digest is none: '; evil '", (sums, text) => [sums.replace(/^\w+/, "'; evil '"), text], /no digest of kubepass-\d/],
])('nothing is written when %s', (_name, spoil, says) => {
  const sums = readFileSync(join(folder, 'SHA256SUMS'), 'utf8')
  const [spoiltSums, spoiltTemplate] = spoil(sums, template)
  expect(() => withDigests(spoiltTemplate, spoiltSums)).toThrow(says)
})
