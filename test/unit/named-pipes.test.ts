import { afterAll, expect, test } from '@jest/globals'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { closeSinks, makeNamedPipes, openNamedPipes } from '../../src/scan/named-pipes.ts'

const folder = mkdtempSync(join(tmpdir(), 'kubepass-pipes-'))
afterAll(() => rmSync(folder, { recursive: true }))

function directory(name: string): string {
  mkdirSync(join(folder, name))
  return join(folder, name)
}

async function textOf(source: Readable): Promise<string> {
  let text = ''
  source.on('data', (piece: Buffer) => (text += piece.toString()))
  source.resume()
  await finished(source)
  return text
}

test('openNamedPipes() removes the names of both pipes, and each pipe ends when its write end is closed', async () => {
  const place = directory('open')
  expect(await makeNamedPipes(place)).toBe(undefined)
  expect(readdirSync(place)).toHaveLength(2)
  const pipes = openNamedPipes(place)
  expect(readdirSync(place)).toEqual([])
  writeSync(pipes.stdout.sink, 'out')
  writeSync(pipes.stderr.sink, 'err')
  closeSinks(pipes)
  expect(await Promise.all([textOf(pipes.stdout.source), textOf(pipes.stderr.source)])).toEqual(['out', 'err'])
})

test('a named pipe starts paused, emits no data while paused, and reuses one buffer for all pieces', async () => {
  const place = directory('memory')
  await makeNamedPipes(place)
  const pipes = openNamedPipes(place)
  const { source } = pipes.stdout
  const pieces: Buffer[] = []
  const nextPiece = (): Promise<unknown> => new Promise((resolve) => source.once('data', resolve))
  writeSync(pipes.stdout.sink, 'one')
  for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate)
  source.on('data', (piece: Buffer) => pieces.push(piece) && source.pause())
  source.resume()
  await nextPiece()
  writeSync(pipes.stdout.sink, 'two')
  for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate)
  expect(pieces.map(String)).toEqual(['one'])
  source.resume()
  await nextPiece()
  expect(pieces.map(String)).toEqual(['two', 'two'])
  source.destroy()
  pipes.stderr.source.destroy()
  closeSinks(pipes)
})

test('makeNamedPipes() returns the reason when mkfifo fails', async () => {
  expect(await makeNamedPipes(join(folder, 'nowhere'))).toBe('mkfifo failed (exit code 1)')
})

test('openNamedPipes() rejects a path that is missing or not a named pipe', () => {
  const place = directory('replaced')
  writeFileSync(join(place, 'stdout.pipe'), '')
  expect(() => openNamedPipes(place)).toThrow('it is no pipe')
  expect(() => openNamedPipes(directory('empty'))).toThrow('ENOENT')
})
