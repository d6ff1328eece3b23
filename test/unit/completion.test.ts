import { expect, test } from '@jest/globals'
import { completionOf, type Completion } from '../../src/command-line/completion.ts'
import { subcommandNames } from '../../src/command-line/subcommands.ts'

/** The words that can stand at the end of the line, or what the shell completes there. */
function wordsAt(...words: string[]): string[] | string {
  const completion: Completion = completionOf(words)
  return typeof completion === 'string' ? completion : completion.map(({ word }) => word)
}

test.each<[string[], string[] | string]>([
  [[''], [...subcommandNames, 'help']],
  [['ru'], [...subcommandNames, 'help']],
  [['help', ''], [...subcommandNames]],
  [['nonsense', ''], []],
  [
    ['run', '--identity', ''],
    ['auto', 'token', 'kubeconfig', 'in-cluster'],
  ],
  [
    ['run', '--identity', '='],
    ['auto', 'token', 'kubeconfig', 'in-cluster'],
  ],
  [
    ['run', '--identity', '=', 'to'],
    ['auto', 'token', 'kubeconfig', 'in-cluster'],
  ],
  [
    ['run', '--revocation=b'],
    ['--revocation=required', '--revocation=best-effort'],
  ],
  [['run', '--kubeconfig='], []],
  [['-'], ['--help', '--version']],
  [
    ['run', '--allow-exec', '='],
    ['true', 'false'],
  ],
  [
    ['run', '--allow-exec', '=', 'f'],
    ['true', 'false'],
  ],
  [
    ['run', '--allow-exec='],
    ['--allow-exec=true', '--allow-exec=false'],
  ],
  [['run', '--quiet', '='], []],
  [['completion', 'bash', ''], []],
  [['run', '--kubeconfig', ''], 'file'],
  [['run', '--directory', '/d'], 'folder'],
  [['run', '--server', ''], []],
  [['run', '--', ''], 'command'],
  [['run', '--', 'kubectl', 'get', '--server', ''], 'command'],
  [['sweep', '--', ''], []],
  [['revoke', ''], 'file'],
  [['revoke', '--quiet', ''], 'file'],
  [['suggest', ''], 'file'],
  [['suggest', 'one.json', ''], 'file'],
  [['suggest', '--check', ''], 'file'],
  [
    ['suggest', '-'],
    ['--check', '--help'],
  ],
  [
    ['completion', ''],
    ['bash', 'zsh', 'fish'],
  ],
  [['decode', '-'], ['--help']],
])('after the words %j the completion offers the right words', (words, expected) => {
  expect(wordsAt(...words)).toEqual(expected)
})

test('after the state file of revoke the completion offers flags, and no second file', () => {
  expect(wordsAt('revoke', 'first.json', '')).toContain('--quiet')
  expect(wordsAt('revoke', '--kubeconfig', 'config', '')).toBe('file')
})

test('the completion offers the flags of the command, and after a switch the next flag', () => {
  expect(wordsAt('run', '--')).toContain('--service-account')
  expect(wordsAt('run', '')).toContain('--service-account')
  expect(wordsAt('run', '--allow-exec', '')).toContain('--service-account')
  expect(wordsAt('run', '--')).not.toContain('--dry-run')
  expect(wordsAt('sweep', '--')).toContain('--dry-run')
  expect(wordsAt('run', '--')).not.toContain('--token')
})
