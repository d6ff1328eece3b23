import { afterAll, expect, test } from '@jest/globals'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeKubeconfig, writePrivate } from '../../src/kubeconfig.ts'
import type { Options } from '../../src/options.ts'
import { Redactor } from '../../src/redact.ts'

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

test('a directory that is there already is not taken', () => {
  const directory = join(folder, 'kubepass-0123456789abcdef')
  mkdirSync(directory, { mode: 0o777 })
  expect(() => writeKubeconfig(directory, {} as Options, new Redactor().seal('a-secret-of-some-length'))).toThrow(/EEXIST/)
})
