import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KubepassError } from '../../src/base/errors.ts'
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

function defaultsOf(flags: Flags, env: NodeJS.ProcessEnv): Record<string, string> {
  const defaults = terminalDefaults(new Map(Object.entries(flags) as [InputId, string][]), env)
  return Object.fromEntries([...defaults].map(([id, { text }]) => [id, text]))
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

  test('that name the cluster or the identity yield to a flag that names it in another way', () => {
    expect(defaultsOf({ kubeconfig: 'k' }, env)).toEqual({ service_account: 'a/b', duration: '20m' })
    expect(defaultsOf({ token_file: 't' }, env)).not.toHaveProperty('token')
    expect(defaultsOf({ token_file: 't' }, env)).toHaveProperty('server')
    const ofKubeconfig = { KUBEPASS_KUBECONFIG: 'k', KUBEPASS_CONTEXT: 'c', KUBEPASS_ALLOW_EXEC: 'true' }
    expect(defaultsOf({}, ofKubeconfig)).toEqual({ kubeconfig: 'k', context: 'c', allow_exec: 'true' })
    expect(defaultsOf({ server: 'https://a' }, ofKubeconfig)).toEqual({})
    expect(defaultsOf({ token_file: 't' }, ofKubeconfig)).toEqual({})
    expect(defaultsOf({ context: 'd' }, ofKubeconfig)).toEqual({ kubeconfig: 'k', allow_exec: 'true' })
  })

  test.each([['GITHUB_ACTIONS'], ['GITHUB_RUN_ID']])('give nothing in a job of GitHub, which %s shows', (name) => {
    for (const value of ['true', 'false', '']) expect(defaultsOf({}, { ...env, KUBECONFIG: first, [name]: value })).toEqual({})
  })

  test.each([['GITLAB_CI'], ['CI_JOB_ID']])('give no guarded input in a job of GitLab, which %s shows', (name) => {
    for (const value of ['true', 'false', ''])
      expect(defaultsOf({}, { ...env, KUBEPASS_ISOLATE: 'off', KUBECONFIG: first, [name]: value })).toEqual({
        token: 'sesame',
        duration: '20m',
      })
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
    expect(defaultsOf({}, { KUBECONFIG: '/nowhere', HOME: home })).toEqual({})
    expect(defaultsOf({}, { KUBECONFIG: `/nowhere::${second}` })).toEqual({ kubeconfig: second })
    expect(defaultsOf({}, {})).toEqual({})
  })

  test('is an error if kubectl would merge several files', () => {
    const call = (): unknown => defaultsOf({}, { KUBECONFIG: `${first}:${second}` })
    expect(call).toThrow(KubepassError)
    expect(call).toThrow('KUBECONFIG names 2 files, which kubectl merges. kubepass reads one file.')
    expect(defaultsOf({ server: 'https://a' }, { KUBECONFIG: `${first}:${second}` })).toEqual({})
  })
})
