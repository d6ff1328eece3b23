import { expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { appendFileSync, existsSync, lstatSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CommandFiles } from '../../src/platform/command-files.ts'

test('what was no file before the scan is not watched, and what the scan makes of a file is put back', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kubepass-command-files-'))
  const [link, pipe, file] = [join(folder, 'link'), join(folder, 'pipe'), join(folder, 'file')]
  symlinkSync(file, link)
  execFileSync('mkfifo', [pipe])
  writeFileSync(file, 'ours')
  const files = new CommandFiles({ A: link, B: pipe, C: file }, ['A', 'B', 'C'])
  files.guard([])
  expect(files.restore()).toEqual({ changed: [], left: [] })
  expect([lstatSync(link).isSymbolicLink(), lstatSync(pipe).isFIFO()]).toEqual([true, true])
  files.guard([])
  rmSync(file)
  execFileSync('mkfifo', [file])
  expect(() => {
    files.append('C', 'x')
  }).toThrow('ENXIO')
  expect(files.restore()).toEqual({ changed: ['C'], left: [] })
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
  expect(files.restore()).toEqual({ changed: ['A'], left: [] })
  const kept = Buffer.concat([Buffer.from([0xff, 0x0d, 0x0a, 0x00]), Buffer.from('ours=1\nours=2\nours=4\n')])
  expect(readFileSync(env.A).equals(kept)).toBe(true)
  expect([readFileSync(env.B, 'utf8'), readFileSync(env.C, 'utf8')]).toEqual(['ours=3\n', 'given'])
  // From here on nobody is watched.
  appendFileSync(env.A, 'later')
  expect(files.restore()).toEqual({ changed: [], left: [] })

  rmSync(env.B)
  files.guard([])
  writeFileSync(env.B, 'theirs')
  rmSync(env.A)
  expect(files.restore()).toEqual({ changed: ['A', 'B'], left: [] })
  expect([existsSync(env.A), existsSync(env.B)]).toEqual([true, false])

  files.guard([])
  rmSync(folder, { recursive: true })
  writeFileSync(folder, 'their file')
  expect(files.restore()).toEqual({ changed: [], left: ['A', 'B', 'C'] })
  rmSync(folder)
})
