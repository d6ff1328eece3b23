import { describe, expect, test } from '@jest/globals'
import { KubepassError } from '../../src/base/errors.ts'
import { parseCommandLine, type Request } from '../../src/command-line/parse.ts'
import { subcommandNames, subcommands, usageOf } from '../../src/command-line/subcommands.ts'
import { flagName, extraFlags, terminalInputs } from '../../src/config/flags.ts'
import { inputs } from '../../src/config/inputs.ts'

const COLUMNS = 100

function parse(line: string): Request {
  return parseCommandLine(line === '' ? [] : line.split(' '), COLUMNS)
}

/** The error of the command line, with its hint. */
function errorOf(line: string): string {
  try {
    return `accepted: ${JSON.stringify(parse(line))}`
  } catch (error) {
    return error instanceof KubepassError ? `${error.code}: ${error.message}\n${error.hint ?? ''}` : String(error)
  }
}

function helpOf(line: string): string {
  const request = parse(line)
  return 'print' in request ? request.print : `no text, but ${request.command}`
}

/** The flags and words of a command, as plain data. */
function requested(line: string): object {
  const request = parse(line)
  if ('print' in request) return request
  const { values, extraFlags: own, ids: _ids, ...rest } = request
  return {
    ...rest,
    values: Object.fromEntries(values),
    own: Object.keys(own).filter((name) => own[name as keyof typeof own] !== undefined),
  }
}

describe('a command line', () => {
  test.each<[string, object]>([
    ['run -- kubectl get pods', { command: 'run', values: {}, own: [], operands: [], argv: ['kubectl', 'get', 'pods'] }],
    ['run -- sh -c -- x', { command: 'run', values: {}, own: [], operands: [], argv: ['sh', '-c', '--', 'x'] }],
    ['run --server https://a --quiet -- x', { command: 'run', values: { server: 'https://a' }, own: ['quiet'], operands: [], argv: ['x'] }],
    ['run --server=https://a?x=y -- x', { command: 'run', values: { server: 'https://a?x=y' }, own: [], operands: [], argv: ['x'] }],
    ['run --server a --server b -- x', { command: 'run', values: { server: 'b' }, own: [], operands: [], argv: ['x'] }],
    ['run --token-file - -- x', { command: 'run', values: { token_file: '-' }, own: [], operands: [], argv: ['x'] }],
    ['run --allow-exec -- x', { command: 'run', values: { allow_exec: 'true' }, own: [], operands: [], argv: ['x'] }],
    ['run --allow-exec true -- x', { command: 'run', values: { allow_exec: 'true' }, own: [], operands: [], argv: ['x'] }],
    ['run --allow-exec false -- x', { command: 'run', values: { allow_exec: 'false' }, own: [], operands: [], argv: ['x'] }],
    ['run --allow-exec=false -- x', { command: 'run', values: { allow_exec: 'false' }, own: [], operands: [], argv: ['x'] }],
    [
      'run --allow-exec --context a -- x',
      { command: 'run', values: { allow_exec: 'true', context: 'a' }, own: [], operands: [], argv: ['x'] },
    ],
    [
      'run -- kubectl --allow-exec --help',
      { command: 'run', values: {}, own: [], operands: [], argv: ['kubectl', '--allow-exec', '--help'] },
    ],
    ['revoke --allow-exec state.json', { command: 'revoke', values: { allow_exec: 'true' }, own: [], operands: ['state.json'], argv: [] }],
    ['revoke state.json --allow-exec', { command: 'revoke', values: { allow_exec: 'true' }, own: [], operands: ['state.json'], argv: [] }],
    ['sweep --dry-run --json', { command: 'sweep', values: {}, own: ['dry-run', 'json'], operands: [], argv: [] }],
    ['suggest one.json two.json', { command: 'suggest', values: {}, own: [], operands: ['one.json', 'two.json'], argv: [] }],
    ['suggest --check role.yaml one.json', { command: 'suggest', values: {}, own: ['check'], operands: ['one.json'], argv: [] }],
    ['completion bash', { command: 'completion', values: {}, own: [], operands: ['bash'], argv: [] }],
    ['decode', { command: 'decode', values: {}, own: [], operands: [], argv: [] }],
    ['version', { command: 'version', values: {}, own: [], operands: [], argv: [] }],
  ])('is read: %s', (line, expected) => {
    expect(requested(line)).toEqual(expected)
  })

  test.each<[string, string]>([
    ['rnu -- x', 'INPUT: There is no command "rnu".\nDid you mean run?\nkubepass help shows all commands.'],
    ['mint', 'INPUT: There is no command "mint".\nkubepass help shows all commands.'],
    ['help swep', 'INPUT: There is no command "swep".\nDid you mean sweep?\nkubepass help shows all commands.'],
    ['run --sever https://a -- x', 'INPUT: There is no flag "--sever".\nDid you mean --server?\nkubepass run --help shows all flags.'],
    ['sweep --dryrun', 'INPUT: There is no flag "--dryrun".\nDid you mean --dry-run?\nkubepass sweep --help shows all flags.'],
    ['run --dry-run -- x', 'INPUT: There is no flag "--dry-run".\nkubepass run --help shows all flags.'],
    ['sweep --command x', 'INPUT: There is no flag "--command".\nkubepass sweep --help shows all flags.'],
    [
      'run --audience x -- x',
      'INPUT: --audience is no flag of a terminal, because the input has an effect only in a CI job.\nkubepass run --help shows all flags.',
    ],
    [
      'run --token x -- x',
      'INPUT: --token is no flag, because every user of the machine can read a command line.\nSet the variable KUBEPASS_TOKEN.\nkubepass run --help shows all flags.',
    ],
    ['run --server', 'INPUT: --server needs a value.\nkubepass run --help shows all flags.'],
    ['run --quiet=yes -- x', 'INPUT: --quiet takes no value.\nkubepass run --help shows all flags.'],
    ['run --json=x -- x', 'INPUT: There is no flag "--json".\nkubepass run --help shows all flags.'],
    [
      'run --=x -- x',
      'INPUT: A flag is not known. kubepass does not show the word, because it may be a secret.\nkubepass run --help shows all flags.',
    ],
    ['run -server x -- x', 'INPUT: There is no flag "-server".\nDid you mean --server?\nkubepass run --help shows all flags.'],
    ['-- run', 'INPUT: A command of kubepass is missing before --.\nUsage: kubepass run [FLAGS] -- COMMAND [ARG ...]'],
    [
      'decode token',
      'INPUT: kubepass decode reads the token from standard input.\nUsage: kubepass decode < TOKEN\nkubepass decode --help shows more.',
    ],
    ['-x', 'INPUT: There is no flag "-x".\nkubepass help shows all commands.'],
    ['run -n x -- x', 'INPUT: There is no flag "-n".\nkubepass run --help shows all flags.'],
    [
      'run kubectl get pods -n x',
      'INPUT: -- is missing before the command, which begins with "kubectl".\nUsage: kubepass run [FLAGS] -- COMMAND [ARG ...]\nkubepass run --help shows more.',
    ],
    [
      'run --server https://a kubectl --all',
      'INPUT: -- is missing before the command, which begins with "kubectl".\nUsage: kubepass run [FLAGS] -- COMMAND [ARG ...]\nkubepass run --help shows more.',
    ],
    [
      'run stray -- x',
      'INPUT: The word "stray" is no flag.\nUsage: kubepass run [FLAGS] -- COMMAND [ARG ...]\nkubepass run --help shows more.',
    ],
    ['sweep -- x', 'INPUT: kubepass sweep runs no command after --.\nUsage: kubepass sweep [FLAGS]\nkubepass sweep --help shows more.'],
    ['sweep all', 'INPUT: The word "all" is no flag.\nUsage: kubepass sweep [FLAGS]\nkubepass sweep --help shows more.'],
    [
      'revoke',
      'INPUT: kubepass revoke needs one word (STATE-FILE) besides its flags, but gets 0.\nUsage: kubepass revoke [FLAGS] STATE-FILE\nkubepass revoke --help shows more.',
    ],
    [
      'suggest --check role.yaml',
      'INPUT: kubepass suggest needs one or more words (EVIDENCE ...) besides its flags, but gets 0.\nUsage: kubepass suggest [FLAGS] EVIDENCE ...\nkubepass suggest --help shows more.',
    ],
    [
      'completion',
      'INPUT: kubepass completion needs one word (bash|zsh|fish) besides its flags, but gets 0.\nUsage: kubepass completion bash|zsh|fish\nkubepass completion --help shows more.',
    ],
  ])('is refused: %s', (line, expected) => {
    expect(errorOf(line)).toBe(expected)
  })

  test('a message about an unknown flag does not show the value of the flag', () => {
    for (const line of [
      'run --token=sesame -- x',
      'run --tokn=sesame -- x',
      'sweep --passwd=sesame',
      'run -psesame -- x',
      'rnu --token=sesame',
      '--token=sesame',
    ])
      expect(errorOf(line)).not.toContain('sesame')
  })

  test.each(['decode', 'run', 'sweep', 'completion bash', 'help', ''])(
    'a message about words after %j does not show a token',
    (command) => {
      const token = `eyJhbGciOiJSUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiJ4In0.${'c2lnbmF0dXJl'.repeat(8)}`
      const words = [...command.split(' '), token].filter((word) => word !== '')
      expect(errorOf(words.join(' '))).toMatch(/^INPUT: /)
      expect(errorOf(words.join(' '))).not.toContain('eyJ')
      expect(errorOf([...words, '--', 'x'].join(' '))).not.toContain('eyJ')
    },
  )

  test('the value of a flag may look like a flag', () => {
    const pem = '-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----'
    const request = parseCommandLine(['run', '--certificate-authority', pem, '--namespace', '--allow-exec', '--', 'x'], COLUMNS)
    expect('values' in request && Object.fromEntries(request.values)).toEqual({ certificate_authority: pem, namespace: '--allow-exec' })
  })

  test('no flag is a secret', () => {
    for (const name of subcommandNames) {
      expect(subcommands[name].inputs.filter((id) => inputs[id].secret === true || inputs[id].ciOnly === true)).toEqual([])
    }
  })
})

describe('the help', () => {
  test.each(['', 'help', '--help', '-h'])('lists every command for %j', (line) => {
    const [, list = ''] = helpOf(line).split('Commands:\n')
    expect([...list.matchAll(/^ {2}(\S.*?) {2}/gm)].map(([, term]) => term)).toEqual([...subcommandNames, 'help'])
  })

  test.each(subcommandNames)('%s --help and help %s show usage, flags, examples and exit codes of the command', (name) => {
    const { inputs: ids, extraFlags: own, examples, exitCodes } = subcommands[name]
    const text = helpOf(`${name} --help`)
    expect(helpOf(`help ${name}`)).toBe(text)
    expect(text.split('\n')[0]).toBe(`Usage: ${usageOf(name)}`)
    for (const id of ids) expect(text).toMatch(new RegExp(`^ {2}${flagName(id)}( <[A-Z]+>)? {2}`, 'm'))
    for (const flag of own) expect(text).toContain(`  --${flag}`)
    for (const [, line] of examples) expect(text).toContain(line)
    expect(text.includes('Exit codes:')).toBe(exitCodes.length > 0)
  })

  test('every line of the help fits into the terminal', () => {
    for (const name of subcommandNames) {
      const tooLong = helpOf(`${name} --help`)
        .split('\n')
        .filter((line) => line.length > COLUMNS)
      expect(tooLong).toEqual([])
    }
  })

  test('every example is a valid command line', () => {
    for (const name of subcommandNames) {
      for (const [, line] of subcommands[name].examples) {
        const [, ...words] = line
          .replace(/^eval "\$\((.*)\)"$/, '$1')
          .replaceAll(/\\\n\s+/g, '')
          .replace(/ [<>] .*$/, '')
          .split(/\s+/)
        expect(parseCommandLine(words, COLUMNS)).toMatchObject({ command: name })
      }
    }
  })

  test('every terminal flag belongs to run, and every flag of its own to a command', () => {
    expect(subcommands.run.inputs).toEqual(terminalInputs)
    expect(
      Object.keys(extraFlags).filter((flag) => !subcommandNames.some((name) => subcommands[name].extraFlags.some((own) => own === flag))),
    ).toEqual([])
  })
})
