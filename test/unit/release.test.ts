import { afterAll, expect, test } from '@jest/globals'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { parse } from 'yaml'
import { withDigests } from '../../scripts/digests.ts'
import { version } from '../../src/base/version.ts'

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

/** The template as in the branch main, without the digests of a release. */
function blank(text: string): string {
  return text.replaceAll(/^( *sha256_\w+=)'[0-9a-f]{64}'$/gm, "$1''")
}

function shell(script: string): string {
  return execFileSync('sh', ['-ec', script], { cwd: folder, encoding: 'utf8', env: { ...process.env, TZ: 'UTC' } })
}

test('packing is reproducible, and the archives contain the files that the template needs', () => {
  const sums = pack(0o700, 1_000_000_000)
  expect(pack(0o755, 1_700_000_000)).toBe(sums)
  expect(shell('sha256sum -c SHA256SUMS').match(/: OK$/gm)).toHaveLength(3)
  expect(shell('tar -tvzf kubepass-linux-arm64.tgz')).toMatch(/^-rwxr-xr-x 0\/0 +\d+ 1970-01-01 \d\d:\d\d kubepass\n$/)
  expect(shell('tar -xOzf kubepass-linux-arm64.tgz')).toBe('a program: kubepass-linux-arm64')
  const node = shell(`tar -tzf kubepass-${version}.tgz`).split('\n')
  expect(node).toEqual(expect.arrayContaining(['main', 'post', 'cli'].map((entry) => `package/dist/${entry}/index.js`)))
  // A missing chunk would show only when the program imports it.
  expect(node.filter((name) => name.startsWith('package/dist/')).length).toBe(
    execFileSync('find', [join(root, 'dist'), '-type', 'f'], { encoding: 'utf8' })
      .trimEnd()
      .split('\n').length,
  )
}, 60_000)

test('withDigests() writes the digests of all programs into the template', () => {
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
  ["a digest is shell code: '; evil '", (sums, text) => [sums.replace(/^\w+/, "'; evil '"), text], /no digest of kubepass-\d/],
])('withDigests() throws when %s', (_name, spoil, says) => {
  const sums = readFileSync(join(folder, 'SHA256SUMS'), 'utf8')
  const [spoiltSums, spoiltTemplate] = spoil(sums, template)
  expect(() => withDigests(spoiltTemplate, spoiltSums)).toThrow(says)
})

interface Step {
  uses?: string
  run?: string
}

const { jobs } = parse(readFileSync(join(root, '.github/workflows/release.yml'), 'utf8')) as { jobs: Record<string, { steps: Step[] }> }
const steps = (job: string): Step[] => jobs[job]?.steps ?? []

/** The job's only script that contains `part`. */
function scriptOf(job: string, part: string): string {
  const [script, ...more] = steps(job).flatMap(({ run = '' }) => (run.includes(part) ? [run] : []))
  if (script === undefined || more.length > 0) throw new Error(`not one script of ${job} has ${part}`)
  return script
}

/** Runs a script in GitHub's default shell. */
function runScript(script: string, cwd: string, env: Record<string, string>): number | null {
  return spawnSync('bash', ['-e', '-c', script], { cwd, env: { PATH: process.env['PATH'], ...env }, stdio: 'pipe' }).status
}

function place(name: string): string {
  const path = join(folder, name)
  mkdirSync(path, { recursive: true })
  return path
}

test.each([
  ['1.2.3', 0],
  ['1.2.3-rc.1', 1],
  ['1.2', 1],
])('the release check of version %s ends with exit code %i', (version, code) => {
  const cwd = place('changelog')
  writeFileSync(join(cwd, 'CHANGELOG.md'), `## [${version}] - 2026-11-25\n`)
  expect(runScript(scriptOf('check', 'CHANGELOG.md'), cwd, { VERSION: version })).toBe(code)
})

test('the release check fails when the changelog has no date for the version', () => {
  const cwd = place('changelog')
  writeFileSync(join(cwd, 'CHANGELOG.md'), '## [1.2.3] - Unreleased\n')
  expect(runScript(scriptOf('check', 'CHANGELOG.md'), cwd, { VERSION: '1.2.3' })).toBe(1)
})

const PROGRAMS = ['kubepass-linux-x64', 'kubepass-linux-x64.licenses.txt', 'kubepass-linux-arm64', 'kubepass-linux-arm64.licenses.txt']

test.each<[string, number, (build: string) => void]>([
  ['as they were built', 0, () => undefined],
  ['with another program', 1, (build) => writeFileSync(join(build, 'kubepass-linux-arm64'), 'another')],
  ['without a program', 1, (build) => rmSync(join(build, 'kubepass-linux-x64'))],
  ['with an additional file', 1, (build) => writeFileSync(join(build, 'kubepass-9.9.9.tgz'), 'more')],
])('the check of the programs before publishing, with the artifacts %s, ends with exit code %i', (_name, code, spoil) => {
  const build = place('artifacts/build')
  for (const name of PROGRAMS) writeFileSync(join(build, name), name)
  const sums = PROGRAMS.map((name) => `${createHash('sha256').update(name).digest('hex')}  ${name}`)
  spoil(build)
  const env = { X64: sums.slice(0, 2).join('\n'), ARM64: sums.slice(2).join('\n') }
  expect(runScript(scriptOf('publish', 'sha256sum --check'), join(folder, 'artifacts'), env)).toBe(code)
  rmSync(build, { recursive: true })
})

test('the release workflow uploads a program right after its build, and then runs a scan with it', () => {
  const at = (part: RegExp): number => steps('standalone').findIndex(({ uses, run }) => part.test(uses ?? run ?? ''))
  expect(at(/^npm run build:standalone$/)).toBeGreaterThan(-1)
  expect(at(/^actions\/upload-artifact@/)).toBeLessThan(at(/^actions\/setup-go@/))
  expect(at(/test\/scenario\/standalone\.test\.ts/)).toBe(steps('standalone').length - 1)
})

test('the publish job creates the tag in its last step, so that a failed job can run again', () => {
  expect(scriptOf('publish', 'refs/tags/v$VERSION')).toBe(steps('publish').at(-1)?.run)
})

test.each([
  ['1.9.0', 'v1.9.0 v1.8.0', 'v1.9.0'],
  ['1.9.0', 'v1.8.0', 'v1.9.0'],
  ['1.9.0', 'v2.0.0 v1.10.0 v1.9.0 v1.10.1-rc.1 v10.0.0', 'v1.10.0'],
])('a release of %s beside the releases %s moves the major tag to %s', (version, releases, newest) => {
  const cwd = place('major')
  const gh = `#!/bin/sh\necho "$*" >>calls\ncase "$2" in\n*/releases) printf '%s\\n' ${releases} ;;\n*/ref/tags/*) echo "commit-of-\${2##*/}" ;;\nesac\n`
  writeFileSync(join(cwd, 'gh'), gh, { mode: 0o755 })
  writeFileSync(join(cwd, 'calls'), '')
  const env = { PATH: `${cwd}${delimiter}${process.env['PATH'] ?? ''}`, GITHUB_REPOSITORY: 'kubepass/kubepass', VERSION: version }
  expect(runScript(scriptOf('major', 'refs/tags/$major'), cwd, env)).toBe(0)
  expect(readFileSync(join(cwd, 'calls'), 'utf8')).toMatch(
    new RegExp(`^api --method PATCH repos/kubepass/kubepass/git/refs/tags/v1 -f sha=commit-of-${newest.replaceAll('.', '\\.')} `, 'm'),
  )
})
