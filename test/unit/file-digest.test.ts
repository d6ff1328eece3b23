import { afterAll, expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { sha256OfFile } from '../../src/system/file-digest.ts'

const folder = mkdtempSync(join(tmpdir(), 'file-digest-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

const CHUNK = 256 * 1024
const { signal } = new AbortController()

function fileOf(size: number): string {
  const path = join(folder, String(size))
  writeFileSync(path, Buffer.alloc(size, 'kubepass'))
  return path
}

test.each([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])('a file of %i bytes has the digest that sha256sum prints', async (size) => {
  const path = fileOf(size)
  expect(await sha256OfFile(path, signal)).toBe(execFileSync('sha256sum', [path], { encoding: 'utf8' }).split(' ', 1)[0])
})

test.each([
  ['no file', join(folder, 'absent')],
  ['a folder', folder],
  ['no name', ''],
])('%s has no digest', async (_what, path) => {
  expect(await sha256OfFile(path, signal)).toBeUndefined()
})

test('a large file leaves time for other work, and has no digest after an abort', async () => {
  const abort = new AbortController()
  const digest = sha256OfFile(fileOf(8 * CHUNK), abort.signal)
  await setImmediate()
  abort.abort()
  expect(await digest).toBeUndefined()
})
