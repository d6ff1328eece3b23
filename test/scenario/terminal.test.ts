import { expect, test } from '@jest/globals'
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Terminal } from '../hosts/terminal.ts'
import { kubeconfigOf } from './kubeconfigs.ts'
import { LOST_WITH_MAIN, clusters, inTerminal, ONE_SECRET, status, TOKEN } from './scenario.ts'

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

for (const [delivery, end] of Object.entries({ auto: LOST_WITH_MAIN, kubeconfig: /revoked .*, proven dead/ }))
  inTerminal(`with delivery: ${delivery}, a killed run leaves its run state file, and revoke finishes the run`, async (fixture) => {
    const { terminal, flags, identityOf, proxy } = fixture
    const stdin = await identityOf('issuer')
    const words = ['run', ...flags, '--delivery', delivery, '--token-file', '-', '--', 'sh', '-c', 'echo started; sleep 600']
    const child = terminal.start(words, { stdin })
    await child.seen('started')
    child.kill('SIGKILL')
    const name = readdirSync(terminal.tmp).find((file) => file.endsWith('.state.json')) ?? ''
    const state = join(terminal.tmp, name)
    expect(readFileSync(state, 'utf8')).not.toContain(proxy.tokens[0])
    expect(statSync(state).mode & 0o777).toBe(0o600)
    const { code, stderr } = await terminal.run(['revoke', ...flags, '--token-file', '-', state], { stdin })
    await child.ended
    expect(code).toBe(0)
    expect(stderr).toMatch(end)
    expect(proxy.seen('DELETE', ONE_SECRET)).toHaveLength(1)
  })

inTerminal('revoke reports a state that calls a living credential revoked and proven', async (fixture) => {
  const { terminal, flags, identityOf, proxy, allowLeftover } = fixture
  // The state also says that the scan was stopped.
  allowLeftover(/^process \d+ is left$/)
  const stdin = await identityOf('issuer')
  const words = ['run', ...flags, '--delivery', 'kubeconfig', '--token-file', '-', '--', 'sh', '-c', 'echo started; sleep 600']
  const child = terminal.start(words, { stdin })
  await child.seen('started')
  child.kill('SIGKILL')
  await child.ended
  const file = join(terminal.tmp, readdirSync(terminal.tmp).find((name) => name.endsWith('.state.json')) ?? '')
  const state = JSON.parse(readFileSync(file, 'utf8')) as { credentials: Record<string, unknown>[] }
  const [{ number, slot, deadBy, ...last } = {}] = state.credentials
  const at = new Date().toISOString()
  const forged = { number, slot, deadBy, phase: 'revoked', last, at, proof: { at, samples: 3, seconds: 1 } }
  writeFileSync(file, JSON.stringify({ ...state, credentials: [forged], cleanupAttempted: true, reported: true }))
  const { code, stderr } = await terminal.run(['revoke', ...flags, '--token-file', '-', file], { stdin })
  expect(stderr).toMatch(/warning: The saved run state calls the credential revoked, but its Secret kubepass-\S+ still existed\./)
  expect(stderr).toMatch(/what happened:\n/)
  expect(stderr).toMatch(/Credential: revoked \S+, proven dead/)
  expect(code).toBe(0)
  expect(proxy.seen('DELETE', ONE_SECRET).map(({ status: answer }) => answer)).toEqual([200])
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
  expect(stderr).toContain(
    '--token is no flag, because every user of the machine can read a command line.\nSet the variable KUBEPASS_TOKEN.',
  )
  expect(proxy.exchanges).toEqual([])
})

const words: [string, string[], number, RegExp][] = [
  ['help', ['help'], 0, /Usage: kubepass COMMAND \[FLAGS\]/],
  ['no arguments', [], 0, /Usage: kubepass COMMAND \[FLAGS\]/],
  ['the help of a command', ['run', '--help'], 0, /Usage: kubepass run \[FLAGS\] -- COMMAND[^]*Examples:[^]*Exit codes:[^]*127 /],
  ['the version', ['version'], 0, /^\d+\.\d+\.\d+\n$/],
  ['a mistyped command', ['rnu'], 80, /There is no command "rnu"\.\nDid you mean run\?/],
  ['a mistyped flag', ['run', '--sever', 'https://a', '--', 'true'], 80, /There is no flag "--sever"\.\nDid you mean --server\?/],
  [
    'a command without --',
    ['run', 'kubectl', 'get', 'pods', '-n', 'x'],
    80,
    /-- is missing before the command, which begins with "kubectl"/,
  ],
  ['an unknown command', ['mint'], 80, /There is no command "mint"/],
  ['run without anything', ['run'], 80, /4 inputs are wrong:[^]*--server is missing[^]*no command was given/],
  ['a program that does not exist', ['run', '--', 'no-such-program'], 80, /"no-such-program" is not a program on PATH/],
  ['decode of nothing', ['decode'], 80, /no JWT/],
  [
    'revoke without a run state',
    ['revoke'],
    80,
    /kubepass revoke needs one word \(STATE-FILE\) besides its flags, but gets 0\.\nUsage: kubepass revoke \[FLAGS\] STATE-FILE/,
  ],
  ['revoke with a file that does not exist', ['revoke', '/nowhere.json'], 80, /cannot be read \(ENOENT\)/],
]

inTerminal('a program that does not exist ends run with 127, before any request', async ({ terminal, flags, identityOf, proxy }) => {
  const stdin = await identityOf('issuer')
  const { code, stderr } = await terminal.run(['run', ...flags, '--token-file', '-', '--', 'no-such-program'], { stdin })
  expect(code).toBe(127)
  expect(stderr).toContain('the command "no-such-program" is not a program on PATH')
  expect(proxy.exchanges).toEqual([])
  // Something else is wrong as well.
  const both = await terminal.run(['run', ...flags, '--prove', 'never', '--token-file', '-', '--', 'no-such-program'], { stdin })
  expect(both.code).toBe(80)
})

inTerminal('with --quiet, run prints only the output of the command', async ({ terminal, flags, identityOf, proxy }) => {
  const stdin = await identityOf('issuer')
  const { code, stdout, stderr } = await terminal.run(['run', ...flags, '--quiet', '--token-file', '-', '--', 'echo', 'done'], { stdin })
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'done\n', stderr: '' })
  expect(proxy.seen('DELETE', ONE_SECRET)).toHaveLength(1)
})

inTerminal('with --quiet, run still prints warnings and errors', async ({ terminal, flags, identityOf, proxy, allowLeftover }) => {
  const stdin = await identityOf('issuer')
  proxy.on({ method: 'DELETE', path: ONE_SECRET }, () => status(403, 'Forbidden', 'not today'))
  const { code, stderr } = await terminal.run(['run', ...flags, '--quiet', '--token-file', '-', '--', 'true'], { stdin })
  expect(code).toBe(86)
  expect(stderr).toMatch(/^kubepass: error: /)
  expect(stderr).not.toContain('what happened')
  allowLeftover(/./)
})

inTerminal(
  'without a server, run uses the current context of KUBECONFIG, and says so',
  async ({ terminal, inputs, identityOf, info, proxy }) => {
    const file = join(terminal.home, 'config')
    writeFileSync(file, kubeconfigOf(info, proxy.url, { token: await identityOf('issuer') }))
    const account = ['--service-account', inputs['service_account'] ?? '']
    const { code, stderr } = await terminal.run(['run', ...account, '--', 'kubectl', 'auth', 'whoami'], { env: { KUBECONFIG: file } })
    expect(stderr).toContain(
      `Identity: kubeconfig, because no API server is given, and KUBECONFIG names ${file}; its context issue leads to ${proxy.url}.`,
    )
    expect(code).toBe(0)
    rmSync(file)
  },
)

inTerminal('the variables KUBEPASS_* give inputs, but not in a job of GitHub', async ({ terminal, inputs, identityOf, proxy }) => {
  const variables = Object.fromEntries(Object.entries(inputs).map(([id, value]) => [`KUBEPASS_${id.toUpperCase()}`, value]))
  const env = { ...variables, KUBEPASS_TOKEN: await identityOf('issuer') }
  const onGithub = await terminal.run(['run', '--', 'env'], { env: { ...env, GITHUB_ACTIONS: 'true' } })
  expect(onGithub.code).toBe(80)
  expect(onGithub.stderr).toContain('--server is missing')
  expect(proxy.exchanges).toEqual([])
  const { code, stdout, stderr } = await terminal.run(['run', '--', 'env'], { env })
  expect(code).toBe(0)
  expect(stderr).toMatch(/Inputs from the environment: .*KUBEPASS_SERVER/)
  expect(stdout).not.toContain('KUBEPASS_SERVER')
  expect(stdout).not.toContain('KUBEPASS_TOKEN')
})

inTerminal('in a job of GitLab a variable cannot have run read a file and send it to another server', async ({ terminal, info, proxy }) => {
  const secret = join(terminal.home, 'token')
  writeFileSync(secret, 'a token of the runner, which no job may read')
  writeFileSync(join(terminal.work, 'evil.yaml'), kubeconfigOf(info, proxy.url, { tokenFile: secret }))
  const env = {
    GITLAB_CI: 'true',
    CI_PROJECT_DIR: terminal.work,
    KUBEPASS_KUBECONFIG: 'evil.yaml',
    KUBECONFIG: join(terminal.work, 'evil.yaml'),
  }
  const unnamed = await terminal.run(['run', '--service-account', 'kubepass/scanner', '--', 'true'], { env })
  expect(unnamed.stderr).toContain('In a job of GitLab, KUBECONFIG and the variable of this input are no defaults: give a flag.')
  const named = await terminal.run(['run', '--service-account', 'kubepass/scanner', '--identity', 'kubeconfig', '--', 'true'], { env })
  expect(named.stderr).toMatch(/KUBEPASS_KUBECONFIG names a file \(tokenFile: ".*"\), but a variable of the job names the kubeconfig/)
  expect([unnamed.code, named.code]).toEqual([80, 80])
  expect(proxy.exchanges).toEqual([])
})

inTerminal('a message about an input names the variable that gives the input', async ({ terminal, flags }) => {
  const { code, stderr } = await terminal.run(['run', ...flags, '--token-file', '-', '--', 'true'], { env: { KUBEPASS_DURATION: 'long' } })
  expect(code).toBe(80)
  expect(stderr).toContain('KUBEPASS_DURATION')
})

test.each(words)('the command line prints the expected text and exit code: %s', async (_name, args, expected, says) => {
  await using terminal = new Terminal(clusters.quick)
  const { code, stdout, stderr } = await terminal.run(args)
  expect(stdout + stderr).toMatch(says)
  expect(stderr).not.toMatch(/\n {4}at /)
  expect(code).toBe(expected)
})
