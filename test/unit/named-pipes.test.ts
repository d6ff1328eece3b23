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

test('two pipes, whose names are gone when they are open, and which end when their write ends are closed', async () => {
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

test('each piece comes in the same memory; a pipe that is paused, as each is at first, brings none', async () => {
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

test('where they cannot be made the reason is given', async () => {
  expect(await makeNamedPipes(join(folder, 'nowhere'))).toBe('mkfifo failed (exit code 1)')
})

test('what is no pipe is not opened as one', () => {
  const place = directory('replaced')
  writeFileSync(join(place, 'stdout.pipe'), '')
  expect(() => openNamedPipes(place)).toThrow('it is no pipe')
  expect(() => openNamedPipes(directory('empty'))).toThrow('ENOENT')
})
