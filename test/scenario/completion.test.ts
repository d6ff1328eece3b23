import { expect, test } from '@jest/globals'
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { completionShells, type CompletionShell } from '../../src/command-line/subcommands.ts'

const program = resolve(import.meta.dirname, '../../dist/cli/index.js')

/** A folder with the files first.yaml, and a program named kubepass. */
class ShellFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'kubepass-completion-'))
  readonly #bin = join(this.path, 'bin')

  constructor() {
    mkdirSync(this.#bin)
    writeFileSync(join(this.#bin, 'kubepass'), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`)
    chmodSync(join(this.#bin, 'kubepass'), 0o755)
    writeFileSync(join(this.path, 'first.yaml'), '')
  }

  run(shell: CompletionShell, ...args: string[]): string {
    const env = { PATH: [this.#bin, dirname(process.execPath), '/usr/bin', '/bin'].join(delimiter), HOME: this.path, TERM: 'dumb' }
    return execFileSync(shell, args, { cwd: this.path, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true })
  }
}

/** What the shell offers at the end of the words. */
const offersOf: Readonly<Record<'bash' | 'fish', (folder: ShellFolder, words: string[]) => string[]>> = {
  bash: (folder, words) => {
    const script =
      'eval "$(kubepass completion bash)"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kubepass; printf "%s\\n" "${COMPREPLY[@]}"'
    return linesOf(folder.run('bash', '-c', script, 'bash', ...words))
  },
  fish: (folder, words) => {
    const script = 'kubepass completion fish | source; complete --do-complete (string join " " -- $argv)'
    return linesOf(folder.run('fish', '--no-config', '-c', script, ...words)).map((line) => line.split('\t')[0] ?? '')
  },
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '')
}

function testIn(shell: CompletionShell, name: string, body: (folder: ShellFolder) => void): void {
  const isInstalled = spawnSync(shell, ['-c', 'true']).status === 0
  if (!isInstalled) console.warn(`Skipped: ${name}: ${shell} is not installed.`)
  const testHere = isInstalled ? test : test.skip
  testHere(name, () => {
    using folder = new ShellFolder()
    body(folder)
  })
}

for (const shell of ['bash', 'fish'] as const) {
  testIn(shell, `${shell} completes commands, flags, words, files and the words of the user's command`, (folder) => {
    const offers = (...words: string[]): string[] => offersOf[shell](folder, ['kubepass', ...words]).toSorted()
    expect(offers('r')).toEqual(['revoke', 'run'])
    expect(offers('run', '--service-')).toEqual(['--service-account'])
    expect(offers('run', '--identity', 'k')).toEqual(['kubeconfig'])
    if (shell === 'bash') expect(offers('run', '--identity', '=', 'k')).toEqual(['kubeconfig'])
    if (shell === 'fish') expect(offers('run', '--identity=k')).toEqual(['--identity=kubeconfig'])
    expect(offers('run', '--kubeconfig', 'fir')).toEqual(['first.yaml'])
    expect(offers('revoke', 'fir')).toEqual(['first.yaml'])
    expect(offers('run', '--', 'kubep')).toEqual(['kubepass'])
    expect(offers('run', '--', 'cat', 'fir')).toEqual(['first.yaml'])
    expect(offers('run', '--', 'cat', 'kubep')).toEqual([])
    expect(offers('completion', 'b')).toEqual(['bash'])
  })
}

for (const shell of completionShells) {
  testIn(shell, `the completion script is correct ${shell}`, (folder) => {
    const script = join(folder.path, 'script')
    writeFileSync(script, folder.run(shell, '-c', `kubepass completion ${shell}`))
    folder.run(shell, '-n', script)
  })
}
