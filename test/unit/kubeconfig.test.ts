import { afterAll, expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createPrivateDirectory, currentPath, removePrivateDirectory, removeMovedDirectory } from '../../src/scan/private-directory.ts'
import { directAccess, nameOfCluster, writeKubeconfig } from '../../src/scan/kubeconfig-file.ts'
import type { Options } from '../../src/config/options.ts'
import { Redactor } from '../../src/redact/redactor.ts'
import { writePrivate } from '../../src/system/files.ts'
import { asOrdinaryUser, canBeAnother, ORDINARY_USER } from '../hosts/as-user.ts'

const folder = mkdtempSync(join(tmpdir(), 'kubeconfig-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('writePrivate neither replaces a file nor follows a link', () => {
  const [file, link, target] = ['file', 'link', 'target'].map((name) => join(folder, name)) as [string, string, string]
  writeFileSync(file, 'before')
  expect(() => writePrivate(file, 'secret')).toThrow(/EEXIST/)
  expect(readFileSync(file, 'utf8')).toBe('before')
  symlinkSync(target, link)
  expect(() => writePrivate(link, 'secret')).toThrow(/EEXIST/)
  expect(existsSync(target)).toBe(false)
})

test("createPrivateDirectory replaces an existing directory of its own user, and refuses another user's", () => {
  const directory = join(folder, 'kubepass-0123456789abcdef')
  mkdirSync(directory, { mode: 0o777 })
  writeFileSync(join(directory, 'token'), 'left')
  createPrivateDirectory(directory, process.getuid?.() ?? -1)
  expect(readdirSync(directory)).toEqual([])
  expect(statSync(directory).mode & 0o777).toBe(0o700)
  writeFileSync(join(directory, 'token'), 'of another user')
  expect(() => createPrivateDirectory(directory, -1)).toThrow(/could not be made \(EEXIST\)/)
  expect(readFileSync(join(directory, 'token'), 'utf8')).toBe('of another user')
})

const options = { server: 'https://10.0.0.1:6443', certificateAuthority: 'CA', namespace: 'default' } as Options
const { seal } = new Redactor()
const uid = process.getuid?.() ?? -1

test('writeKubeconfig replaces the token file atomically: an open file keeps the old token, and no link is followed', () => {
  const directory = join(folder, 'kubepass-0000000000000001')
  createPrivateDirectory(directory, uid)
  writeKubeconfig(directory, directAccess(options, seal('the first token')), uid)
  const [token, kept, victim] = [join(directory, 'token'), join(folder, 'kept'), join(folder, 'victim')]
  // A hard link keeps the old file, as an open descriptor would.
  linkSync(token, kept)
  writeFileSync(victim, 'precious')
  symlinkSync(victim, `${token}.next`)
  const kubeconfig = writeKubeconfig(directory, directAccess(options, seal('the second token')), uid)
  expect([kept, token, victim].map((path) => readFileSync(path, 'utf8'))).toEqual(['the first token', 'the second token', 'precious'])
  expect(readFileSync(kubeconfig, 'utf8')).toContain('"token": "the second token"')
  expect(readdirSync(directory).toSorted()).toEqual(['kubeconfig', 'token'])
  for (const path of [token, kubeconfig]) expect(statSync(path).mode & 0o777).toBe(0o600)
})

test('if the kubeconfig cannot be written, the token file stays unchanged', () => {
  const directory = join(folder, 'kubepass-0000000000000002')
  createPrivateDirectory(directory, uid)
  writeKubeconfig(directory, directAccess(options, seal('the first token')), uid)
  const source = (name: string): string => JSON.stringify(new URL(`../../src/${name}`, import.meta.url).href)
  const script = `import { directAccess, writeKubeconfig } from ${source('scan/kubeconfig-file.ts')}
import { Redactor } from ${source('redact/redactor.ts')}
const options = { server: 'https://10.0.0.1:6443', certificateAuthority: 'C'.repeat(9_000), namespace: 'default' }
try { writeKubeconfig(process.argv[1], directAccess(options, new Redactor().seal('the second token')), process.getuid()) } catch (error) { console.log(error.message) }`
  // As on a full disk: the token fits, the kubeconfig does not.
  const limited = `trap '' XFSZ; ulimit -f 8; exec "$0" --input-type=module -e "$1" "$2"`
  const output = execFileSync('sh', ['-c', limited, process.execPath, script, directory], { encoding: 'utf8' })
  expect(output).toMatch(/cannot write into the private directory .* \(EFBIG\)/)
  expect(readFileSync(join(directory, 'token'), 'utf8')).toBe('the first token')
})

test('writeKubeconfig writes nothing if the directory is missing, is a link, or belongs to another user', () => {
  const directory = join(folder, 'kubepass-0000000000000003')
  const write = (as: number): string => writeKubeconfig(directory, directAccess(options, seal('the token')), as)
  expect(() => write(uid)).toThrow(/is missing, or belongs to another user/)
  const elsewhere = join(folder, 'elsewhere')
  mkdirSync(elsewhere)
  symlinkSync(elsewhere, directory)
  expect(() => write(uid)).toThrow(/is missing, or belongs to another user/)
  rmSync(directory)
  createPrivateDirectory(directory, uid)
  expect(() => write(-1)).toThrow(/is missing, or belongs to another user/)
  expect([...readdirSync(elsewhere), ...readdirSync(directory)]).toEqual([])
})

const scanner = canBeAnother ? ORDINARY_USER : uid

/** Creates a private directory of an ordinary user, in a folder of that user. */
function privateDirectory(): { place: string; directory: string; made: number } {
  const place = mkdtempSync(join(tmpdir(), 'kubeconfig-test-'))
  const directory = join(place, 'kubepass-0000000000000009')
  const made = createPrivateDirectory(directory, scanner)
  writeKubeconfig(directory, directAccess(options, seal('the token of this run')), scanner)
  return { place, directory, made }
}

/** What the scan of an ordinary user can do to the private directory to keep kubepass from removing it. */
const closings: Record<string, (directory: string, place: string) => void> = {
  'it is not writable': (directory) => chmodSync(directory, 0o555),
  'it has mode 0': (directory) => chmodSync(directory, 0),
  'its parent is not writable': (_directory, place) => chmodSync(place, 0o555),
  'it and its parent have mode 0': (directory, place) => {
    chmodSync(directory, 0)
    chmodSync(place, 0)
  },
  'it contains nested folders with mode 0': (directory) => {
    mkdirSync(join(directory, 'a/b/c'), { recursive: true })
    for (const path of ['a/b/c', 'a/b', 'a']) chmodSync(join(directory, path), 0)
  },
  'it contains a folder that is not writable': (directory) => {
    mkdirSync(join(directory, 'a'))
    writeFileSync(join(directory, 'a/file'), '')
    chmodSync(join(directory, 'a'), 0o500)
  },
  'its files have mode 0': (directory) => {
    for (const name of ['token', 'kubeconfig']) chmodSync(join(directory, name), 0)
  },
  'it contains many files, and a path over PATH_MAX': (directory) => {
    for (let number = 0; number < 2_000; number += 1) writeFileSync(join(directory, String(number)), '')
    const before = process.cwd()
    process.chdir(directory)
    for (let depth = 0; depth < 60; depth += 1) {
      mkdirSync('x'.repeat(200))
      process.chdir('x'.repeat(200))
    }
    process.chdir(before)
  },
}

test.each(Object.entries(closings))('removePrivateDirectory removes the directory although %s', (_name, close) => {
  asOrdinaryUser(() => {
    const { place, directory } = privateDirectory()
    close(directory, place)
    expect(removePrivateDirectory(directory, place, scanner)).toBeUndefined()
    expect(existsSync(directory)).toBe(false)
    rmSync(place, { recursive: true })
  })
})

test('writeKubeconfig writes the next token although the scan made the directory unwritable', () => {
  asOrdinaryUser(() => {
    const { place, directory } = privateDirectory()
    chmodSync(directory, 0o555)
    writeKubeconfig(directory, directAccess(options, seal('the token that renews it')), scanner)
    expect(readFileSync(join(directory, 'token'), 'utf8')).toBe('the token that renews it')
    rmSync(place, { recursive: true })
  })
})

test('removePrivateDirectory returns the reason if it does not remove the directory', () => {
  const { place, directory } = asOrdinaryUser(privateDirectory)
  expect(removePrivateDirectory(directory, folder, scanner)).toBe(`it is not in ${folder}`)
  expect(removePrivateDirectory(directory, place, 1)).toBe(`it belongs to another user (uid ${String(scanner)})`)
  if (canBeAnother) {
    mkdirSync(join(directory, 'of-root'))
    writeFileSync(join(directory, 'of-root', 'file'), '')
    const why = asOrdinaryUser(() => removePrivateDirectory(directory, place, scanner))
    expect(why).toBe(`"${join(directory, 'of-root')}" belongs to another user (uid 0)`)
    chownSync(place, 0, 0)
    rmSync(join(directory, 'of-root'), { recursive: true })
    expect(asOrdinaryUser(() => removePrivateDirectory(directory, place, scanner))).toBe(`"${place}" belongs to another user (uid 0)`)
  }
  rmSync(directory, { recursive: true })
  symlinkSync(folder, directory)
  expect(removePrivateDirectory(directory, place, scanner)).toBe('another file is in its place')
  expect(existsSync(folder)).toBe(true)
  rmSync(place, { recursive: true })
})

test('currentPath finds a moved directory, also if another directory has its old path', () => {
  asOrdinaryUser(() => {
    const { place, directory, made } = privateDirectory()
    expect(currentPath(directory, made)).toBe(directory)
    const moved = join(place, 'moved')
    renameSync(directory, moved)
    expect(currentPath(directory, made)).toBe(moved)
    mkdirSync(directory)
    expect(currentPath(directory, made)).toBe(moved)
    expect(removeMovedDirectory(directory, made, scanner)).toBe('it was moved again')
    expect(existsSync(directory)).toBe(true)
    chmodSync(moved, 0)
    expect(removeMovedDirectory(moved, made, scanner)).toBeUndefined()
    expect([existsSync(moved), currentPath(directory, made)]).toEqual([false, undefined])
    rmSync(place, { recursive: true })
  })
})

test('removePrivateDirectory can keep the token, and only the token, for the proof in the post step', () => {
  const directory = join(folder, 'kubepass-0000000000000004')
  createPrivateDirectory(directory, uid)
  writeKubeconfig(directory, directAccess(options, seal('the token')), uid)
  for (const name of ['stdout.pipe', 'stderr.pipe', 'token.next']) writeFileSync(join(directory, name), '')
  mkdirSync(join(directory, 'folder'))
  expect(removePrivateDirectory(directory, folder, uid, true)).toBeUndefined()
  expect(readdirSync(directory)).toEqual(['token'])
  expect(removePrivateDirectory(directory, folder, uid)).toBeUndefined()
  expect(removePrivateDirectory(directory, folder, uid, true)).toBeUndefined()
  expect(readdirSync(folder)).not.toContain('kubepass-0000000000000004')
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
])('the cluster with server %s gets the name %s', (server, name) => {
  expect(nameOfCluster(server)).toBe(name)
})

test('cluster, context and user have the same name, by default or from context_name', () => {
  const directory = join(folder, 'kubepass-0000000000000004')
  createPrivateDirectory(directory, uid)
  const namesOf = (more: Partial<Options>): unknown => {
    const text = readFileSync(writeKubeconfig(directory, directAccess({ ...options, ...more }, seal('the token')), uid), 'utf8')
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
