import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { Redactor } from '../../src/redact/redactor.ts'
import { TextSearch } from '../../src/redact/text-search.ts'
import { texts } from '../bench/texts.ts'

const SECRET = [Buffer.from('{"sub":"system:serviceaccount:kubepass:scanner","jti":"0c5f"}'), createHash('sha512').update('x').digest()]
  .map((part) => part.toString('base64url'))
  .join('.')
const TOKEN = `${Buffer.from('{"alg":"RS256"}').toString('base64url')}.${SECRET}`

const bytesOf = (text: string): string[] => Array.from(Buffer.from(text), (byte) => byte.toString(16).padStart(2, '0'))
const each = (text: string, form: (byte: string) => string): string => bytesOf(text).map(form).join('')

/** Formats a text in lines of `width` bytes with an offset, as `hexdump -C` and other programs do. */
function lines(text: string, width: number, form: (bytes: Buffer, offset: string) => string): string {
  const bytes = Buffer.from(text)
  const starts = Array.from({ length: Math.ceil(bytes.length / width) }, (_, line) => line * width)
  return starts.map((at) => `${form(bytes.subarray(at, at + width), at.toString(16).padStart(8, '0'))}\n`).join('')
}
const hexOf = (bytes: Buffer, group: number): string =>
  (bytes.toString('hex').match(new RegExp(`.{1,${String(2 * group)}}`, 'g')) ?? []).join(' ')
const shown = (bytes: Buffer): string => bytes.toString('latin1').replaceAll(/[^ -~]/g, '.')

const forms: Record<string, (text: string) => string | Buffer> = {
  'hexdump -C': (text) =>
    lines(
      text,
      16,
      (bytes, offset) => `${offset}  ${`${hexOf(bytes.subarray(0, 8), 1)}  ${hexOf(bytes.subarray(8), 1)}`.padEnd(48)}  |${shown(bytes)}|`,
    ),
  xxd: (text) => lines(text, 16, (bytes, offset) => `${offset}: ${hexOf(bytes, 2).padEnd(39)}  ${shown(bytes)}`),
  'xxd -g1': (text) => lines(text, 16, (bytes, offset) => `${offset}: ${hexOf(bytes, 1).padEnd(47)}  ${shown(bytes)}`),
  'xxd -u -c8': (text) => lines(text, 8, (bytes, offset) => `${offset}: ${hexOf(bytes, 2).toUpperCase().padEnd(19)}  ${shown(bytes)}`),
  'xxd -R always': (text) =>
    lines(text, 16, (bytes, offset) => {
      const coloured = (part: string): string => `\x1b[1;32m${part}\x1b[0m`
      const hex = hexOf(bytes, 2).replaceAll(/\S\S/g, coloured)
      return `${offset}: ${hex}${' '.repeat(39 - hexOf(bytes, 2).length)}  ${Array.from(shown(bytes), coloured).join('')}`
    }),
  'xxd -c4': (text) => lines(text, 4, (bytes, offset) => `${offset}: ${hexOf(bytes, 2).padEnd(9)}  ${shown(bytes)}`),
  'xxd -c8, an ANSI code before each line': (text) =>
    lines(text, 8, (bytes, offset) => `\x1b[K${offset}: ${hexOf(bytes, 2).padEnd(19)}  ${shown(bytes)}`),
  'xxd -c8, coloured offsets': (text) =>
    lines(text, 8, (bytes, offset) => `\x1b[90m${offset}\x1b[0m: ${hexOf(bytes, 2).padEnd(19)}  ${shown(bytes)}`),
  'xxd -c8': (text) => lines(text, 8, (bytes, offset) => `${offset}: ${hexOf(bytes, 2).padEnd(19)}  ${shown(bytes)}`),
  'xxd -c10 -g4': (text) => lines(text, 10, (bytes, offset) => `${offset}: ${hexOf(bytes, 4).padEnd(22)}  ${shown(bytes)}`),
  'xxd with line ends of Windows': (text) =>
    lines(text, 16, (bytes, offset) => `${offset}: ${hexOf(bytes, 2).padEnd(39)}  ${shown(bytes)}\r`),
  'xxd -p': (text) => lines(text, 30, (bytes) => bytes.toString('hex')),
  'xxd -p -c4': (text) => lines(text, 4, (bytes) => bytes.toString('hex')),
  'xxd -i': (text) =>
    lines(
      text,
      12,
      (bytes) =>
        `  ${bytesOf(bytes.toString())
          .map((byte) => `0x${byte},`)
          .join(' ')}`,
    ),
  'od -tx1': (text) => lines(text, 16, (bytes, offset) => `${offset.slice(1)} ${hexOf(bytes, 1)}`),
  'od -tx1z': (text) => lines(text, 16, (bytes, offset) => `${offset.slice(1)} ${hexOf(bytes, 1).padEnd(47)}  >${shown(bytes)}<`),
  'od -An -tx1': (text) => lines(text, 16, (bytes) => ` ${hexOf(bytes, 1)}`),
  'od -c': (text) => lines(text, 16, (bytes, offset) => offset.slice(1) + Array.from(shown(bytes), (letter) => `   ${letter}`).join('')),
  '\\x41': (text) => each(text, (byte) => `\\x${byte}`),
  '\\u0041': (text) => each(text, (byte) => `\\u00${byte}`),
  '%41': (text) => each(text, (byte) => `%${byte.toUpperCase()}`),
  '&#x41;': (text) => each(text, (byte) => `&#x${byte};`),
  '41:41': (text) => bytesOf(text).join(':'),
  '41 41': (text) => bytesOf(text).join(' '),
  '[0x41, 0x41]': (text) =>
    `[${bytesOf(text)
      .map((byte) => `0x${byte}`)
      .join(', ')}]`,
  'A A A': (text) => Array.from(text).join(' '),
  'UTF-16LE': (text) => Buffer.from(text, 'utf16le'),
  'UTF-16BE': (text) => Buffer.from(text, 'utf16le').swap16(),
  'an ANSI code around each character': (text) => Array.from(text, (letter) => `\x1b[1;32m${letter}\x1b[0m`).join(''),
  'codes of terminals after each 8 characters': (text) => text.replaceAll(/.{8}/g, '$&\x1b(B\x1b[m\x1b]0;title\x07'),
  'an ANSI code after each 10 characters': (text) => text.replaceAll(/.{10}/g, '$&\x1b[0m\x1b[K'),
}

/** What a reader of a dump can reconstruct: the column of characters, the hex digits, and all characters. A mask becomes \x01. */
function readings(output: Buffer): string[] {
  const text = output
    .toString('latin1')
    .replaceAll('***', '\x01')
    .replaceAll(/\x1b(\[[\d;]*[A-Za-z]|\(.|\][^\x01]*?\x07)/g, '')
    .replaceAll(/^[0-9a-f]{7,8}:?(?= )/gm, '')
  const column = Array.from(text.matchAll(/(?: {2}| [|>])(\S*?)[|<]?$/gm), ([, letters]) => letters).join('')
  const left = text.replaceAll(/ {2,}[|>]?\S+$/gm, '')
  const hex = left.replaceAll(/\\x|\\u00|0x|&#x|[%;,:\s[\]]/g, '').toLowerCase()
  return [column, hex, text.replaceAll(/[\s\0]/g, '')]
}

const secretHex = Buffer.from(SECRET).toString('hex')
/** Whether 16 neighbouring characters of the secret can be reconstructed from a dump. */
function shows(output: Buffer): boolean {
  const read = readings(output)
  for (let at = 0; at + 16 <= SECRET.length; at += 1) {
    const [piece, hex] = [SECRET.slice(at, at + 16), secretHex.slice(2 * at, 2 * at + 32)]
    if (read.some((text) => text.includes(piece) || text.includes(hex))) return true
  }
  return false
}

function redacted(bytes: Buffer, cuts: number[]): Buffer {
  const redactor = new Redactor()
  redactor.seal(TOKEN)
  const filter = redactor.filter()
  const pieces: Buffer[] = []
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const length = cuts[i % cuts.length] ?? 1
    pieces.push(Buffer.from(filter(bytes.subarray(at, at + length))))
    at += length
  }
  return Buffer.concat(pieces)
}

describe.each(Object.entries(forms))('a dump in the form %s', (_name, form) => {
  test('is masked if it contains a token, at any offset and across any split of writes', () => {
    const word = fc.string({ unit: fc.constantFrom(...Array.from('abcdef 0129xyz-')), maxLength: 40 })
    const cuts = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(word, word, cuts, (before, after, lengths) => {
        const dump = Buffer.from(form(`${before} ${TOKEN} ${after}`) as string)
        expect(shows(dump)).toBe(true)
        return !shows(redacted(dump, [dump.length])) && !shows(redacted(dump, lengths))
      }),
      { numRuns: 60 },
    )
  })

  test.each(['correct horse battery staple 4711', 'pa:ss,wo"rd;12:34,56"78;90'])('is masked if it contains the password %s', (password) => {
    const redactor = new Redactor()
    redactor.seal(password)
    const output = Buffer.from(redactor.filter()(Buffer.from(form(`${password} `) as string)))
    expect(output.toString('latin1')).toContain('***')
    const letters = password.replaceAll(/[ :,;"]/g, '')
    for (const read of readings(output)) expect(read.replaceAll(/[:,;"]/g, '')).not.toContain(letters.slice(-20))
  })

  test('is masked if it contains a part of a token with 24 or more characters', () => {
    const part = fc.tuple(fc.nat(SECRET.length - 24), fc.integer({ min: 24, max: 60 }))
    const before = fc.string({ unit: fc.constantFrom(...Array.from('abcdef 0129xyz-')), maxLength: 40 })
    const cuts = fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(before, part, cuts, (text, [from, length], lengths) => {
        const dump = Buffer.from(form(`${text} ${SECRET.slice(from, from + length)} `) as string)
        // readings() needs several lines to separate the digits from the column.
        fc.pre(shows(dump))
        return !shows(redacted(dump, [dump.length])) && !shows(redacted(dump, lengths))
      }),
      { numRuns: 60 },
    )
  })

  test('is not changed if it contains no secret', () => {
    const dump = Buffer.from(form(createHash('sha512').update('y').digest('base64url').repeat(3)) as string)
    expect(redacted(dump, [100]).equals(dump)).toBe(true)
  })
})

test('a token in the output of hexdump -C and od -tx1z is masked for every cut of the output', () => {
  for (const form of ['hexdump -C', 'od -tx1z']) {
    const dump = Buffer.from(forms[form]?.(`xyz ${TOKEN}`) ?? '')
    for (let cut = 1; cut < 400; cut += 1) expect([cut, shows(redacted(dump, [cut, dump.length]))]).toEqual([cut, false])
  }
})

test('the text after a dump with many short masks is shown', () => {
  for (const width of [1, 2]) {
    const dump = lines(TOKEN, width, (bytes) => bytes.toString('hex')) + 'RESULT: 3 findings\n'
    const output = redacted(Buffer.from(dump), [dump.length]).toString()
    expect(output).toMatch(/\nRESULT: 3 findings\n$/)
    expect(output.split('\n')).toHaveLength(dump.split('\n').length)
    expect(output).toContain('***\n***\n')
  }
})

test('a dump between other texts is masked in large pieces', () => {
  const text = Buffer.from('The scan found nothing of note in this namespace. '.repeat(60))
  const dump = Buffer.from(forms['xxd -c4']?.(SECRET.slice(0, 24)) ?? '')
  for (let before = 900; before < 2000; before += 7) {
    const output = Buffer.concat([text.subarray(0, 1249 + before), Buffer.from('\n'), dump, text])
    expect([before, shows(redacted(output, [1249, output.length]))]).toEqual([before, false])
  }
})

/** Real programs, used if the machine has them, to check that the forms above are correct. */
const programs: [string, string, string[]][] = [
  ['hexdump -C', '/usr/bin/hexdump', ['-C']],
  ['xxd', '/usr/bin/xxd', []],
  ['xxd -g1', '/usr/bin/xxd', ['-g1']],
  ['xxd -p', '/usr/bin/xxd', ['-p']],
  ['od -tx1', '/usr/bin/od', ['-tx1', '-Ax']],
  ['od -tx1z', '/usr/bin/od', ['-tx1z']],
  ['od -An -tx1', '/usr/bin/od', ['-An', '-tx1']],
  ['od -c', '/usr/bin/od', ['-c']],
]
const present = programs.filter(([, path]) => existsSync(path))

test.each(present)('a token in the output of the program %s is masked', (_name, path, args) => {
  for (const before of ['', 'a', 'token: ', '0123456789abcde']) {
    const dump = execFileSync(path, args, { input: `${before}${TOKEN}\n` })
    expect(shows(dump)).toBe(true)
    for (const cut of [dump.length, 100, 7]) expect(shows(redacted(dump, [cut]))).toBe(false)
  }
})

test.each(Object.entries(texts))('the search does not take %s for a dump', (_name, make) => {
  const size = 1 << 20
  const search = new TextSearch()
  search.setInput(make(size))
  // Not 0, because random bytes sometimes look like an ANSI code.
  expect(search.markDumpedRuns(0) / size).toBeLessThan(0.001)
})
