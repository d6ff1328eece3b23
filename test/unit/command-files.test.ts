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

test('what was no file before the scan is not watched, and what the scan makes of a file is put back', () => {
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

test('what was there and what we write ourselves stays, to the byte; what others write goes', () => {
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
  // From here on nobody is watched.
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

/** What a scan does as the same ordinary user, and what is found of it. */
const attacks: [name: string, attack: (place: Place) => void, found: { changed?: string[]; closed?: RegExp[] }][] = [
  [
    'the folder is closed for writing',
    ({ folder, a }) => {
      appendFileSync(a, 'PWNED=1\n')
      chmodSync(folder, 0o555)
    },
    { changed: ['A'], closed: [/folder" \(mode 0555\)$/] },
  ],
  [
    'the folder is closed for all',
    ({ folder, a, b }) => {
      appendFileSync(a, 'PWNED=1\n')
      rmSync(b)
      chmodSync(folder, 0)
    },
    { changed: ['A', 'B'], closed: [/folder" \(mode 0000\)$/] },
  ],
  [
    'the folder above is closed, and the file',
    ({ top, a }) => {
      appendFileSync(a, 'PWNED=1\n')
      chmodSync(a, 0)
      chmodSync(top, 0)
    },
    { changed: ['A'], closed: [/top" \(mode 0000\)$/, /a" \(mode 0000\)$/] },
  ],
  ['nothing is written, but the folder is closed', ({ folder }) => chmodSync(folder, 0o500), { closed: [/folder" \(mode 0500\)$/] }],
  ['nothing is written, but a file is closed', ({ b }) => chmodSync(b, 0o444), { closed: [/b" \(mode 0444\)$/] }],
  [
    'a file becomes a folder with a closed one in it',
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
  ['the folder is gone', ({ folder }) => rmSync(folder, { recursive: true }), { changed: ['A', 'B'] }],
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

test.each(attacks)('as an ordinary user: %s', (_name, attack, { changed = [], closed = [] }) => {
  const place = asOrdinaryUser(() => {
    const { place, files } = guarded()
    attack(place)
    const found = files.restore(ORDINARY_USER)
    expect(found).toMatchObject({ changed, left: [] })
    expect(found.closed ?? []).toEqual(closed.map((pattern) => expect.stringMatching(pattern) as unknown))
    return place
  })
  expect([readFileSync(place.a, 'utf8'), readFileSync(place.b, 'utf8')]).toEqual(['ours=1\n', ''])
  expect(lstatSync(place.folder).isDirectory()).toBe(true)
  for (const path of [place.top, place.folder]) expect(statSync(path).mode & 0o700).toBe(0o700)
  for (const path of [place.a, place.b]) expect(statSync(path).mode & 0o600).toBe(0o600)
  rmSync(dirname(place.top), { recursive: true })
})

if (canBeAnother) {
  test('a folder that was given to somebody else: its file is emptied where it is, and what cannot be helped is told', () => {
    const { place, files } = asOrdinaryUser(() => {
      const { place, files } = guarded()
      appendFileSync(place.a, 'PWNED=1\n')
      appendFileSync(place.b, 'PWNED=1\n')
      return { place, files }
    })
    // As with sudo, or from a container.
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
