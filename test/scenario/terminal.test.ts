import { expect, test } from '@jest/globals'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inTerminal, ONE_SECRET, TOKEN } from './scenario.ts'
import { Terminal } from '../hosts/terminal.ts'
import { clusters } from './scenario.ts'

inTerminal(
  'run starts the command without a shell, with its output on stdout and the messages of kubepass on stderr',
  async ({ terminal, flags, identityOf }) => {
    const { code, stdout, stderr } = await terminal.run(
      ['run', ...flags, '--token-file', '-', '--', 'kubectl', 'get', 'ns', '$HOME', 'kubepass', '-o', 'name', '--ignore-not-found'],
      {
        stdin: await identityOf('issuer'),
      },
    )
    expect(stdout).toBe('namespace/kubepass\n')
    expect(code).toBe(0)
    expect(stderr).toContain('Identity: token, because a token was given.')
    expect(stderr).toMatch(/Credential: revoked .*, proven dead/)
    // stderr is not a terminal, so it has no colours.
    expect(stderr).not.toContain('\x1b')
  },
)

inTerminal("run ends with the command's exit code", async ({ terminal, flags, identityOf }) => {
  const file = join(terminal.home, 'identity')
  writeFileSync(file, await identityOf('issuer'))
  const { code } = await terminal.run(['run', ...flags, '--token-file', file, '--', 'sh', '-c', 'exit 100'])
  expect(code).toBe(100)
  writeFileSync(file, '')
})

inTerminal('the command of run gets the standard input if the token does not come from it', async ({ terminal, flags, identityOf }) => {
  const file = join(terminal.home, 'identity')
  writeFileSync(file, await identityOf('issuer'))
  const { stdout } = await terminal.run(['run', ...flags, '--token-file', file, '--', 'cat'], { stdin: 'hello' })
  expect(stdout).toBe('hello')
  writeFileSync(file, '')
})

inTerminal('a killed run leaves its run state file, and revoke finishes the run', async ({ terminal, flags, identityOf, proxy }) => {
  const stdin = await identityOf('issuer')
  const child = terminal.start(['run', ...flags, '--token-file', '-', '--', 'sh', '-c', 'echo started; sleep 600'], { stdin })
  await child.seen('started')
  child.kill('SIGKILL')
  const name = readdirSync(terminal.tmp).find((file) => file.endsWith('.state.json')) ?? ''
  const state = join(terminal.tmp, name)
  expect(readFileSync(state, 'utf8')).not.toContain(proxy.tokens[0])
  expect(statSync(state).mode & 0o777).toBe(0o600)
  const { code, stderr } = await terminal.run(['revoke', ...flags, '--token-file', '-', state], { stdin })
  await child.ended
  expect(code).toBe(0)
  expect(stderr).toMatch(/revoked .*, proven dead/)
  expect(proxy.seen('DELETE', ONE_SECRET)).toHaveLength(1)
})

inTerminal('revoke rejects an empty file whose name is not that of a run state, and keeps it', async ({ terminal, flags, identityOf }) => {
  const file = join(terminal.work, 'empty.json')
  writeFileSync(file, '')
  const { code, stderr } = await terminal.run(['revoke', ...flags, '--token-file', '-', file], { stdin: await identityOf('issuer') })
  expect(code).toBe(86)
  expect(stderr).toContain('The run state is not of this run')
  expect(existsSync(file)).toBe(true)
})

for (const [signal, expected] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  inTerminal(`after ${signal} run ends the command, revokes and proves`, async ({ terminal, flags, identityOf }) => {
    const child = terminal.start(['run', ...flags, '--token-file', '-', '--', 'sh', '-c', 'echo started; sleep 600'], {
      stdin: await identityOf('issuer'),
    })
    await child.seen('started')
    child.kill(signal)
    const { code, stderr } = await child.ended
    expect(code).toBe(expected)
    expect(stderr).toMatch(/revoked .*, proven dead/)
  })
}

inTerminal('decode prints header and claims of a token, without the signature', async ({ terminal, flags, identityOf, proxy }) => {
  const stdin = await identityOf('issuer')
  await terminal.run(['run', ...flags, '--token-file', '-', '--', 'true'], { stdin })
  const { code, stdout } = await terminal.run(['decode'], { stdin: stdin })
  expect(code).toBe(0)
  expect(stdout).toContain('sub: "system:serviceaccount:kubepass-issuer:issuer"')
  expect(stdout).toMatch(/exp: \d+ {2}\(20.*, in \d+ minutes\)/)
  expect(stdout).not.toContain(stdin.split('.')[2])
  expect(proxy.seen('POST', TOKEN)).toHaveLength(1)
})

inTerminal('a token on the command line is an error', async ({ terminal, flags, proxy }) => {
  const { code, stderr } = await terminal.run(['run', ...flags, '--token', 'abcdefghijklmnopqrstuvwxyz', '--', 'true'])
  expect(code).toBe(80)
  expect(stderr).toContain("Unknown option '--token'")
  expect(proxy.exchanges).toEqual([])
})

const words: [string, string[], number, RegExp][] = [
  ['help', ['help'], 0, /kubepass run \[FLAGS\] -- COMMAND/],
  ['no arguments', [], 0, /kubepass decode < TOKEN/],
  ['an unknown command', ['mint'], 80, /There is no command "mint"/],
  ['run without anything', ['run'], 80, /4 inputs are wrong:[^]*--server is missing[^]*no command was given/],
  ['a program that does not exist', ['run', '--', 'no-such-program'], 80, /"no-such-program" is not a program on PATH/],
  ['decode of nothing', ['decode'], 80, /no JWT/],
  [
    'revoke without a run state',
    ['revoke'],
    80,
    /1 word is needed besides the flags, but 0 are given\.\nkubepass revoke \[FLAGS\] STATE-FILE/,
  ],
  ['revoke with a file that does not exist', ['revoke', '/nowhere.json'], 80, /cannot be read \(ENOENT\)/],
]

test.each(words)('the command line prints the expected text and exit code: %s', async (_name, args, expected, says) => {
  await using terminal = new Terminal(clusters.quick)
  const { code, stdout, stderr } = await terminal.run(args)
  expect(stdout + stderr).toMatch(says)
  expect(stderr).not.toMatch(/\n {4}at /)
  expect(code).toBe(expected)
})
