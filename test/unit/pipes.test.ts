import { afterAll, expect, test } from '@jest/globals'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { closeSinks, makeNamedPipes, openNamedPipes } from '../../src/pipes.ts'

const folder = mkdtempSync(join(tmpdir(), 'kubepass-pipes-'))
afterAll(() => rmSync(folder, { recursive: true }))

function directory(name: string): string {
  mkdirSync(join(folder, name))
  return join(folder, name)
}

test('two pipes, whose names are gone when they are open, and which end when their write ends are closed', async () => {
  const place = directory('open')
  expect(await makeNamedPipes(place)).toBe(undefined)
  expect(readdirSync(place)).toHaveLength(2)
  const pipes = openNamedPipes(place)
  expect(readdirSync(place)).toEqual([])
  writeSync(pipes.stdout.sink, 'out')
  writeSync(pipes.stderr.sink, 'err')
  closeSinks(pipes)
  expect(await Promise.all([text(pipes.stdout.source), text(pipes.stderr.source)])).toEqual(['out', 'err'])
})

test('where they cannot be made the reason is given', async () => {
  expect(await makeNamedPipes(join(folder, 'nowhere'))).toBe('mkfifo failed (exit code 1)')
})

test('what is no pipe is not opened as one', () => {
  const place = directory('replaced')
  writeFileSync(join(place, 'stdout.pipe'), '')
  expect(() => openNamedPipes(place)).toThrow('it is no pipe')
  expect(() => openNamedPipes(directory('empty'))).toThrow('ENOENT')
})
