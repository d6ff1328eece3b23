import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KubepassError } from '../../src/base/errors.ts'
import { type CommandLine, terminalInputs } from '../../src/config/flags.ts'
import type { InputId } from '../../src/config/inputs.ts'
import { terminalDefaults } from '../../src/config/terminal-defaults.ts'

let home = ''
let first = ''
let second = ''
const inHome = (): string => join(home, '.kube/config')

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'kubepass-defaults-'))
  mkdirSync(join(home, '.kube'))
  first = join(home, 'first')
  second = join(home, 'second')
  for (const file of [first, second, inHome()]) writeFileSync(file, '')
})
afterAll(() => rmSync(home, { recursive: true }))

type Flags = Partial<Record<InputId, string>>

function defaultsOf(flags: Flags, env: NodeJS.ProcessEnv, line: Partial<CommandLine> = {}): Record<string, string> {
  const values = new Map(Object.entries(flags) as [InputId, string][])
  const defaults = terminalDefaults({ ids: terminalInputs, values, extraFlags: {}, operands: [], argv: [], ...line }, env)
  return Object.fromEntries([...defaults.values].map(([id, { text }]) => [id, text]))
}

describe('the variables KUBEPASS_*', () => {
  const env = {
    KUBEPASS_SERVER: 'https://a',
    KUBEPASS_CERTIFICATE_AUTHORITY: 'ca.crt',
    KUBEPASS_SERVICE_ACCOUNT: 'a/b',
    KUBEPASS_TOKEN: 'sesame',
    KUBEPASS_DURATION: ' 20m ',
    KUBEPASS_AUDIENCE: 'x',
    KUBEPASS_CONTEXT: '',
  }

  test('give inputs that no flag gives', () => {
    expect(defaultsOf({ duration: '30m' }, env)).toEqual({
      server: 'https://a',
      certificate_authority: 'ca.crt',
      service_account: 'a/b',
      token: 'sesame',
    })
    expect(defaultsOf({}, env)).toMatchObject({ duration: '20m' })
  })

  const ofKubeconfig = { KUBEPASS_KUBECONFIG: 'k', KUBEPASS_CONTEXT: 'c', KUBEPASS_ALLOW_EXEC: 'true' }
  const ofCluster = { KUBEPASS_SERVER: 'https://a', KUBEPASS_CERTIFICATE_AUTHORITY: 'ca.crt' }
  test.each<[string, Flags, NodeJS.ProcessEnv, Record<string, string>]>([
    ['--kubeconfig', { kubeconfig: 'k' }, { ...env, KUBEPASS_IDENTITY: 'token' }, { service_account: 'a/b', duration: '20m' }],
    ['--context', { context: 'd' }, { ...ofCluster, ...ofKubeconfig, KUBEPASS_TOKEN: 't' }, { kubeconfig: 'k', allow_exec: 'true' }],
    ['--token-file', { token_file: 't' }, { ...ofCluster, KUBEPASS_TOKEN: 't' }, { server: 'https://a', certificate_authority: 'ca.crt' }],
    ['--token-file', { token_file: 't' }, { ...ofKubeconfig, KUBEPASS_IDENTITY: 'kubeconfig' }, {}],
    ['--server', { server: 'https://a' }, { ...ofKubeconfig, KUBEPASS_IDENTITY: 'in-cluster', KUBEPASS_TOKEN: 't' }, { token: 't' }],
    ['--identity in-cluster', { identity: 'in-cluster' }, { ...ofCluster, ...ofKubeconfig, KUBEPASS_TOKEN: 't' }, {}],
    ['--identity token', { identity: 'token' }, { ...ofKubeconfig, KUBEPASS_TOKEN: 't' }, { token: 't' }],
    ['--identity kubeconfig', { identity: 'kubeconfig' }, { ...ofCluster, KUBEPASS_TOKEN: 't', KUBEPASS_CONTEXT: 'c' }, { context: 'c' }],
    ['nothing', {}, ofKubeconfig, { kubeconfig: 'k', context: 'c', allow_exec: 'true' }],
  ])('that name the cluster or the identity in another way have no effect beside %s', (_name, flags, variables, expected) => {
    expect(defaultsOf(flags, variables)).toEqual(expected)
  })

  test('give no command beside a command after --', () => {
    expect(defaultsOf({}, { KUBEPASS_COMMAND: 'true' })).toEqual({ command: 'true' })
    expect(defaultsOf({}, { KUBEPASS_COMMAND: 'true' }, { argv: ['false'] })).toEqual({})
  })

  test('give only the inputs that the command has', () => {
    expect(defaultsOf({}, { KUBEPASS_COMMAND: 'true', KUBEPASS_SERVER: 'https://a' }, { ids: ['server'] })).toEqual({ server: 'https://a' })
  })

  test.each([['GITHUB_ACTIONS'], ['GITHUB_RUN_ID']])('give nothing in a job of GitHub, which %s shows', (name) => {
    for (const value of ['true', 'false', '']) expect(defaultsOf({}, { ...env, KUBECONFIG: first, [name]: value })).toEqual({})
  })

  test.each([['GITLAB_CI'], ['CI_JOB_ID']])('give no guarded input in a job of GitLab, which %s shows', (name) => {
    for (const value of ['true', 'false', ''])
      expect(defaultsOf({}, { ...env, KUBEPASS_ISOLATE: 'off', KUBECONFIG: first, [name]: value })).toEqual({ duration: '20m' })
  })

  test('give an identity in a job of GitLab only if the flag --identity names it', () => {
    const inJob = {
      GITLAB_CI: 'true',
      KUBEPASS_TOKEN: 't',
      KUBEPASS_TOKEN_FILE: 'f',
      KUBEPASS_KUBECONFIG: 'k',
      KUBEPASS_ALLOW_EXEC: 'true',
    }
    expect(defaultsOf({}, inJob)).toEqual({})
    expect(defaultsOf({ identity: 'auto' }, inJob)).toEqual({})
    expect(defaultsOf({}, { ...inJob, KUBEPASS_IDENTITY: 'token' })).toEqual({})
    expect(defaultsOf({ identity: 'token' }, inJob)).toEqual({ token: 't', token_file: 'f' })
    expect(defaultsOf({ identity: 'kubeconfig' }, inJob)).toEqual({ kubeconfig: 'k' })
  })
})

describe('the kubeconfig of kubectl', () => {
  test('is the default if nothing names the API server', () => {
    expect(defaultsOf({}, { KUBECONFIG: first })).toEqual({ kubeconfig: first })
    expect(defaultsOf({ identity: 'kubeconfig', context: 'c', certificate_authority: 'system' }, { KUBECONFIG: first })).toEqual({
      kubeconfig: first,
    })
    expect(defaultsOf({}, { HOME: home })).toEqual({ kubeconfig: inHome() })
    expect(defaultsOf({}, { HOME: home, KUBECONFIG: '' })).toEqual({ kubeconfig: inHome() })
  })

  test.each<[string, Flags, NodeJS.ProcessEnv]>([
    ['a server', { server: 'https://a' }, {}],
    ['a CA', { certificate_authority: 'ca.crt' }, {}],
    ['a proxy', { proxy_url: 'http://a' }, {}],
    ['a token', { token_file: '-' }, {}],
    ['the variable of a token', {}, { KUBEPASS_TOKEN: 'sesame' }],
    ['the identity in-cluster', { identity: 'in-cluster' }, {}],
    ['the identity token', { identity: 'token' }, {}],
    ['a kubeconfig', { kubeconfig: 'k' }, {}],
  ])('is not used beside %s', (_name, flags, env) => {
    expect(defaultsOf(flags, { ...env, KUBECONFIG: first })).not.toHaveProperty('kubeconfig')
  })

  test('counts only if it is a file, as for kubectl', () => {
    expect(defaultsOf({}, { KUBECONFIG: '/dev/null', HOME: home })).toEqual({})
    expect(defaultsOf({}, { KUBECONFIG: `/nowhere::${second}` })).toEqual({ kubeconfig: second })
    expect(defaultsOf({}, { KUBECONFIG: `${second}:${second}` })).toEqual({ kubeconfig: second })
    expect(defaultsOf({}, { HOME: '/nowhere' })).toEqual({})
    expect(defaultsOf({}, { HOME: '/dev/null' })).toEqual({})
  })

  test('is never a file of the working directory', () => {
    const before = process.cwd()
    process.chdir(home)
    try {
      for (const HOME of [undefined, '', '.']) expect(defaultsOf({}, { HOME })).toEqual({})
    } finally {
      process.chdir(before)
    }
  })

  test.each(['/nowhere', '/nowhere:/nowhere-else', '/dev', '/proc/1/root/nowhere'])('is an error if KUBECONFIG is %s', (value) => {
    expect(() => defaultsOf({}, { KUBECONFIG: value })).toThrow('which is no regular file.')
    expect(defaultsOf({ server: 'https://a' }, { KUBECONFIG: value })).toEqual({})
  })

  test('is an error if kubectl would merge several files', () => {
    const call = (): unknown => defaultsOf({}, { KUBECONFIG: `${first}:${second}` })
    expect(call).toThrow(KubepassError)
    expect(call).toThrow('KUBECONFIG names 2 files, which kubectl merges. kubepass reads one file.')
    expect(defaultsOf({ server: 'https://a' }, { KUBECONFIG: `${first}:${second}` })).toEqual({})
  })
})
