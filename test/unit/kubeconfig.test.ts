import { afterAll, expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeDirectory, nameOfCluster, writeKubeconfig } from '../../src/kubeconfig.ts'
import type { Options } from '../../src/options.ts'
import { Redactor } from '../../src/redact.ts'
import { writePrivate } from '../../src/write.ts'

const folder = mkdtempSync(join(tmpdir(), 'kubeconfig-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('a private file is written neither over another nor through a link', () => {
  const [file, link, target] = ['file', 'link', 'target'].map((name) => join(folder, name)) as [string, string, string]
  writeFileSync(file, 'before')
  expect(() => writePrivate(file, 'secret')).toThrow(/EEXIST/)
  expect(readFileSync(file, 'utf8')).toBe('before')
  symlinkSync(target, link)
  expect(() => writePrivate(link, 'secret')).toThrow(/EEXIST/)
  expect(existsSync(target)).toBe(false)
})

test('a directory that is there already is not taken: one of ours is made anew, one of others refused', () => {
  const directory = join(folder, 'kubepass-0123456789abcdef')
  mkdirSync(directory, { mode: 0o777 })
  writeFileSync(join(directory, 'token'), 'left')
  makeDirectory(directory, process.getuid?.() ?? -1)
  expect(readdirSync(directory)).toEqual([])
  expect(statSync(directory).mode & 0o777).toBe(0o700)
  writeFileSync(join(directory, 'token'), 'of somebody else')
  expect(() => makeDirectory(directory, -1)).toThrow(/could not be made \(EEXIST\)/)
  expect(readFileSync(join(directory, 'token'), 'utf8')).toBe('of somebody else')
})

const options = { server: 'https://10.0.0.1:6443', certificateAuthority: 'CA', namespace: 'default' } as Options
const { seal } = new Redactor()
const uid = process.getuid?.() ?? -1

test('a token takes the place of the one before: that one stays whole for whoever reads it, and no link is followed', () => {
  const directory = join(folder, 'kubepass-0000000000000001')
  makeDirectory(directory, uid)
  writeKubeconfig(directory, options, seal('the first token'), uid)
  const [token, kept, victim] = [join(directory, 'token'), join(folder, 'kept'), join(folder, 'victim')]
  // The same file by another name.
  linkSync(token, kept)
  writeFileSync(victim, 'precious')
  symlinkSync(victim, `${token}.next`)
  const kubeconfig = writeKubeconfig(directory, options, seal('the second token'), uid)
  expect([kept, token, victim].map((path) => readFileSync(path, 'utf8'))).toEqual(['the first token', 'the second token', 'precious'])
  expect(readFileSync(kubeconfig, 'utf8')).toContain('"token": "the second token"')
  expect(readdirSync(directory).toSorted()).toEqual(['kubeconfig', 'token'])
  for (const path of [token, kubeconfig]) expect(statSync(path).mode & 0o777).toBe(0o600)
})

test('a second file that cannot be written leaves the first as it was', () => {
  const directory = join(folder, 'kubepass-0000000000000002')
  makeDirectory(directory, uid)
  writeKubeconfig(directory, options, seal('the first token'), uid)
  const source = (name: string): string => JSON.stringify(new URL(`../../src/${name}`, import.meta.url).href)
  const script = `import { writeKubeconfig } from ${source('kubeconfig.ts')}
import { Redactor } from ${source('redact.ts')}
const options = { server: 'https://10.0.0.1:6443', certificateAuthority: 'C'.repeat(9_000), namespace: 'default' }
try { writeKubeconfig(process.argv[1], options, new Redactor().seal('the second token'), process.getuid()) } catch (error) { console.log(error.message) }`
  // As on a full disk: the token fits, the kubeconfig does not.
  const limited = `trap '' XFSZ; ulimit -f 8; exec "$0" --input-type=module -e "$1" "$2"`
  const said = execFileSync('sh', ['-c', limited, process.execPath, script, directory], { encoding: 'utf8' })
  expect(said).toContain('nothing can be written (EFBIG)')
  expect(readFileSync(join(directory, 'token'), 'utf8')).toBe('the first token')
})

test('where the directory was removed, replaced by a link, or is of somebody else nothing is written', () => {
  const directory = join(folder, 'kubepass-0000000000000003')
  const write = (as: number): string => writeKubeconfig(directory, options, seal('the token'), as)
  expect(() => write(uid)).toThrow(/not there any more, or not ours/)
  const elsewhere = join(folder, 'elsewhere')
  mkdirSync(elsewhere)
  symlinkSync(elsewhere, directory)
  expect(() => write(uid)).toThrow(/not there any more, or not ours/)
  rmSync(directory)
  makeDirectory(directory, uid)
  expect(() => write(-1)).toThrow(/not there any more, or not ours/)
  expect([...readdirSync(elsewhere), ...readdirSync(directory)]).toEqual([])
})

test.each<[string, string]>([
  ['https://k8s.example.com', 'k8s.example.com'],
  ['https://k8s.example.com:6443', 'k8s.example.com:6443'],
  ['https://k8s.example.com:443', 'k8s.example.com'],
  ['https://10.0.0.1:6443', '10.0.0.1:6443'],
  ['https://[2001:db8::1]:6443', '[2001:db8::1]:6443'],
  ['https://[::1]', '[::1]'],
  ['https://rancher.example.com/k8s/clusters/c-m-abcd', 'rancher.example.com/k8s/clusters/c-m-abcd'],
  ['https://rancher.example.com:8443/k8s/clusters/local/', 'rancher.example.com:8443/k8s/clusters/local'],
  ['https://k8s.example.com/a%20b/~c', 'k8s.example.com/a-20b/-c'],
  ['https://bücher.example', 'xn--bcher-kva.example'],
  [`https://k8s.example.com/${'a'.repeat(300)}`, `k8s.example.com/${'a'.repeat(237)}`],
])('the cluster of %s is called %s', (server, name) => {
  expect(nameOfCluster(server)).toBe(name)
})

test('cluster, context and user have one name, which the options may give', () => {
  const directory = join(folder, 'kubepass-0000000000000004')
  makeDirectory(directory, uid)
  const namesOf = (more: Partial<Options>): unknown => {
    const text = readFileSync(writeKubeconfig(directory, { ...options, ...more }, seal('the token'), uid), 'utf8')
    const { clusters, contexts, users, ...rest } = JSON.parse(text) as Record<
      'clusters' | 'contexts' | 'users',
      { name: string; context?: object }[]
    > & { 'current-context': string }
    return [...[clusters, contexts, users].flatMap((list) => list.map(({ name }) => name)), rest['current-context'], contexts[0]?.context]
  }
  const all = (name: string): unknown => [name, name, name, name, { cluster: name, user: name, namespace: 'default' }]
  expect(namesOf({})).toEqual(all('10.0.0.1:6443'))
  expect(namesOf({ contextName: 'production' })).toEqual(all('production'))
})
