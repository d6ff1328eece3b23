import { expect, test } from '@jest/globals'
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CommandFiles } from '../../src/platform/command-files.ts'

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
