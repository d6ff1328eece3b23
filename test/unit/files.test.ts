import { expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errnoOf } from '../../src/base/errors.ts'
import { appendAtomically, replaceFile, resolveRealPath } from '../../src/system/files.ts'

const codeOf = (write: () => void): string => {
  try {
    write()
    return ''
  } catch (error) {
    return errnoOf(error)
  }
}

const within = (play: (folder: string) => void): (() => void) => {
  return () => {
    const folder = resolveRealPath(mkdtempSync(join(tmpdir(), 'kubepass-write-')))
    try {
      play(folder)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
}

test(
  'if the disk has no room for the whole text, appendAtomically and writePrivate write nothing',
  within((folder) => {
    const state = join(folder, 'state')
    writeFileSync(state, 'a'.repeat(3_000))
    const script = `import { appendAtomically, writePrivate } from ${JSON.stringify(new URL('../../src/system/files.ts', import.meta.url).href)}
for (const write of [() => appendAtomically('state', 'b'.repeat(3_000)), () => appendAtomically('new', 'b'.repeat(9_000)), () => writePrivate('kubeconfig', 'b'.repeat(9_000))])
  try { write(); console.log('written') } catch (error) { console.log(error.code) }`
    // As on a full disk: one write takes the bytes that fit (limit 4 KiB), the next one fails.
    const limited = `trap '' XFSZ; ulimit -f 8; exec "$0" --input-type=module -e "$1"`
    const output = execFileSync('sh', ['-c', limited, process.execPath, script], { cwd: folder, encoding: 'utf8' })
    expect(output).toBe('EFBIG\nEFBIG\nEFBIG\n')
    expect(readFileSync(state, 'utf8')).toBe('a'.repeat(3_000))
    expect(existsSync(join(folder, 'kubeconfig'))).toBe(false)
    expect(readFileSync(join(folder, 'new'), 'utf8')).toBe('')
  }),
)

test(
  'appendAtomically refuses a link, a pipe and a folder, and does not block',
  within((folder) => {
    const [victim, link, pipe] = [join(folder, 'victim'), join(folder, 'link'), join(folder, 'pipe')]
    writeFileSync(victim, 'precious')
    symlinkSync(victim, link)
    execFileSync('mkfifo', [pipe])
    expect([link, pipe, folder].map((path) => codeOf(() => appendAtomically(path, 'x')))).toEqual(['ELOOP', 'ENXIO', 'EISDIR'])
    // The same pipe with a reader.
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
    expect(codeOf(() => appendAtomically(pipe, 'x'))).toBe('ENOTSUP')
    closeSync(reader)
    expect(readFileSync(victim, 'utf8')).toBe('precious')
  }),
)

test(
  'replaceFile does not change the target of a link, or the file behind a hard link',
  within((folder) => {
    const victim = join(folder, 'victim')
    for (const tie of [symlinkSync, linkSync]) {
      writeFileSync(victim, 'precious')
      const path = join(folder, 'evidence.json')
      rmSync(path, { force: true })
      tie(victim, path)
      replaceFile(path, '{}')
      expect([readFileSync(victim, 'utf8'), readFileSync(path, 'utf8')]).toEqual(['precious', '{}'])
    }
    expect(readdirSync(folder).toSorted()).toEqual(['evidence.json', 'victim'])
  }),
)

test(
  'replaceFile writes nothing if the folder has become a link, and replaces no folder',
  within((folder) => {
    const [reports, elsewhere] = [join(folder, 'reports'), join(folder, 'elsewhere')]
    mkdirSync(reports)
    const path = resolveRealPath(join(reports, 'evidence.json'))
    renameSync(reports, elsewhere)
    symlinkSync(elsewhere, reports)
    expect(() => replaceFile(path, '{}')).toThrow('its folder is behind a link')
    expect(readdirSync(elsewhere)).toEqual([])
    mkdirSync(join(elsewhere, 'evidence.json'))
    expect(() => replaceFile(join(elsewhere, 'evidence.json'), '{}')).toThrow('EISDIR')
    expect(readdirSync(elsewhere)).toEqual(['evidence.json'])
  }),
)

test(
  'two processes can call replaceFile for the same file at the same time',
  within((folder) => {
    const script = `import { replaceFile } from ${JSON.stringify(new URL('../../src/system/files.ts', import.meta.url).href)}
for (let times = 0; times < 500; times += 1) replaceFile('${folder}/evidence.json', '{}')`
    const both = `"$0" --input-type=module -e "$1" & "$0" --input-type=module -e "$1" && wait $!`
    execFileSync('sh', ['-c', both, process.execPath, script])
    expect(readdirSync(folder)).toEqual(['evidence.json'])
  }),
)
