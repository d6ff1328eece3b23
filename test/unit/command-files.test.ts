import { expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { CommandFiles } from '../../src/platform/command-files.ts'
import { asOrdinaryUser, canBeAnother, ORDINARY_USER } from '../hosts/as-user.ts'

const uid = process.getuid?.() ?? -1

test('restore() ignores a path that was no regular file, and restores a file that the scan replaced by a named pipe', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kubepass-command-files-'))
  const [link, pipe, file] = [join(folder, 'link'), join(folder, 'pipe'), join(folder, 'file')]
  symlinkSync(file, link)
  execFileSync('mkfifo', [pipe])
  writeFileSync(file, 'ours')
  const files = new CommandFiles({ A: link, B: pipe, C: file }, ['A', 'B', 'C'])
  files.guard([])
  expect(files.restore(uid)).toEqual({ changed: [], left: [] })
  expect([lstatSync(link).isSymbolicLink(), lstatSync(pipe).isFIFO()]).toEqual([true, true])
  files.guard([])
  rmSync(file)
  execFileSync('mkfifo', [file])
  expect(() => {
    files.append('C', 'x')
  }).toThrow('ENXIO')
  expect(files.restore(uid)).toEqual({ changed: ['C'], left: [] })
  expect(readFileSync(file, 'utf8')).toBe('ours')
  rmSync(folder, { recursive: true })
})

test('restore() keeps the old content and the lines of kubepass, to the byte, and removes what other processes wrote', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kubepass-command-files-'))
  const env = { A: join(folder, 'a'), B: join(folder, 'b'), C: join(folder, 'c'), D: '' }
  const files = new CommandFiles(env, ['A', 'B', 'C', 'D', 'E'])
  writeFileSync(env.A, Buffer.from([0xff, 0x0d, 0x0a, 0x00]))
  files.append('A', 'ours=1\n')
  files.guard(['C'])
  files.append('A', 'ours=2\n')
  files.append('B', 'ours=3\n')
  expect(() => {
    files.append('D', 'x')
  }).toThrow('D is not set')
  appendFileSync(env.A, 'theirs=1\n')
  files.append('A', 'ours=4\n')
  writeFileSync(env.C, 'given')
  expect(files.restore(uid)).toEqual({ changed: ['A'], left: [] })
  const kept = Buffer.concat([Buffer.from([0xff, 0x0d, 0x0a, 0x00]), Buffer.from('ours=1\nours=2\nours=4\n')])
  expect(readFileSync(env.A).equals(kept)).toBe(true)
  expect([readFileSync(env.B, 'utf8'), readFileSync(env.C, 'utf8')]).toEqual(['ours=3\n', 'given'])
  // restore() has ended the watch.
  appendFileSync(env.A, 'later')
  expect(files.restore(uid)).toEqual({ changed: [], left: [] })

  rmSync(env.B)
  files.guard([])
  writeFileSync(env.B, 'theirs')
  rmSync(env.A)
  expect(files.restore(uid)).toEqual({ changed: ['A', 'B'], left: [] })
  expect([existsSync(env.A), existsSync(env.B)]).toEqual([true, false])

  files.guard([])
  rmSync(folder, { recursive: true })
  writeFileSync(folder, 'their file')
  expect(files.restore(uid)).toEqual({ changed: [], left: ['A', 'B', 'C'], why: ['ENOTDIR', 'ENOTDIR', 'ENOTDIR'] })
  rmSync(folder)
})

interface Place {
  top: string
  folder: string
  a: string
  b: string
}

/** What a scan does as the same ordinary user, and what restore() reports. */
const attacks: [name: string, attack: (place: Place) => void, found: { changed?: string[]; closed?: RegExp[] }][] = [
  [
    'the folder becomes read-only',
    ({ folder, a }) => {
      appendFileSync(a, 'PWNED=1\n')
      chmodSync(folder, 0o555)
    },
    { changed: ['A'], closed: [/folder" \(mode 0555\)$/] },
  ],
  [
    'the folder loses all access',
    ({ folder, a, b }) => {
      appendFileSync(a, 'PWNED=1\n')
      rmSync(b)
      chmodSync(folder, 0)
    },
    { changed: ['A', 'B'], closed: [/folder" \(mode 0000\)$/] },
  ],
  [
    'the folder above and the file lose all access',
    ({ top, a }) => {
      appendFileSync(a, 'PWNED=1\n')
      chmodSync(a, 0)
      chmodSync(top, 0)
    },
    { changed: ['A'], closed: [/top" \(mode 0000\)$/, /a" \(mode 0000\)$/] },
  ],
  [
    'the scan writes nothing, but makes the folder read-only',
    ({ folder }) => chmodSync(folder, 0o500),
    { closed: [/folder" \(mode 0500\)$/] },
  ],
  ['the scan writes nothing, but makes a file read-only', ({ b }) => chmodSync(b, 0o444), { closed: [/b" \(mode 0444\)$/] }],
  [
    'a file becomes a folder that contains a folder without access',
    ({ a }) => {
      rmSync(a)
      mkdirSync(`${a}/closed/within`, { recursive: true })
      chmodSync(`${a}/closed`, 0)
      chmodSync(a, 0o500)
    },
    { changed: ['A'], closed: [/a" \(mode 0500\)$/] },
  ],
  [
    'the folder becomes a link to another with other files',
    ({ top, folder, a }) => {
      renameSync(folder, `${top}/moved`)
      symlinkSync(`${top}/moved`, folder)
      appendFileSync(a, 'PWNED=1\n')
    },
    { changed: ['A', 'B'] },
  ],
  [
    'the folder becomes a link to its own copy, which can be changed later',
    ({ top, folder }) => {
      cpSync(folder, `${top}/copy`, { recursive: true })
      rmSync(folder, { recursive: true })
      symlinkSync(`${top}/copy`, folder)
    },
    { changed: ['A', 'B'] },
  ],
  ['the folder is deleted', ({ folder }) => rmSync(folder, { recursive: true }), { changed: ['A', 'B'] }],
]

function guarded(): { place: Place; files: CommandFiles } {
  const top = join(mkdtempSync(join(tmpdir(), 'kubepass-command-files-')), 'top')
  const folder = join(top, 'folder')
  const place = { top, folder, a: join(folder, 'a'), b: join(folder, 'b') }
  mkdirSync(folder, { recursive: true })
  writeFileSync(place.a, 'ours=1\n')
  writeFileSync(place.b, '')
  const files = new CommandFiles({ A: place.a, B: place.b }, ['A', 'B'])
  files.guard([])
  return { place, files }
}

test.each(attacks)('restore() undoes what a scan of the same ordinary user does: %s', (_name, attack, { changed = [], closed = [] }) => {
  const place = asOrdinaryUser(() => {
    const { place, files } = guarded()
    attack(place)
    const report = files.restore(ORDINARY_USER)
    expect(report).toMatchObject({ changed, left: [] })
    expect(report.closed ?? []).toEqual(closed.map((pattern) => expect.stringMatching(pattern) as unknown))
    return place
  })
  expect([readFileSync(place.a, 'utf8'), readFileSync(place.b, 'utf8')]).toEqual(['ours=1\n', ''])
  expect(lstatSync(place.folder).isDirectory()).toBe(true)
  for (const path of [place.top, place.folder]) expect(statSync(path).mode & 0o700).toBe(0o700)
  for (const path of [place.a, place.b]) expect(statSync(path).mode & 0o600).toBe(0o600)
  rmSync(dirname(place.top), { recursive: true })
})

if (canBeAnother) {
  test('in a folder that now belongs to another user, restore() overwrites its own files and reports the others', () => {
    const { place, files } = asOrdinaryUser(() => {
      const { place, files } = guarded()
      appendFileSync(place.a, 'PWNED=1\n')
      appendFileSync(place.b, 'PWNED=1\n')
      return { place, files }
    })
    // A scan can do this with sudo, or from a container.
    chownSync(place.folder, 0, 0)
    chownSync(place.b, 0, 0)
    expect(asOrdinaryUser(() => files.restore(ORDINARY_USER))).toEqual({
      changed: ['A', 'B'],
      left: ['B'],
      why: [`"${place.folder}" belongs to another user (uid 0)`],
    })
    expect([readFileSync(place.a, 'utf8'), readFileSync(place.b, 'utf8')]).toEqual(['ours=1\n', 'PWNED=1\n'])
    rmSync(dirname(place.top), { recursive: true })
  })
}
