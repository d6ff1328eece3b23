import { afterAll, expect, test } from '@jest/globals'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeDirectory } from '../../src/kubeconfig.ts'
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
