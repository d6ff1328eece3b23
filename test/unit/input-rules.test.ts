import { describe, expect, test } from '@jest/globals'
import { commandRules } from '../../src/config/command.ts'
import type { Rule } from '../../src/config/given-inputs.ts'
import { InputReader } from '../../src/config/input-reader.ts'
import { inputRules, sourceRules, tokenRule } from '../../src/config/input-rules.ts'
import { type InputId, NO_AUDIENCE } from '../../src/config/inputs.ts'
import type { InputSource } from '../../src/config/source.ts'
import { Redactor } from '../../src/redact/redactor.ts'

interface Case {
  readonly inputs?: Partial<Record<InputId, string>>
  readonly source?: Partial<InputSource>
  readonly purpose?: 'start' | 'finish'
}

const TOKEN = 'abcdefghijklmnopqrstuvwxyz'
const rules = new Map([...sourceRules, tokenRule, ...commandRules, ...inputRules].map((rule) => [rule.name, rule]))

function readerOf({ inputs = {}, source = {}, purpose = 'start' }: Case): InputReader {
  const whole: InputSource = {
    isCI: true,
    input: (id) => inputs[id],
    nameOf: (id) => id,
    argv: [],
    temp: '/tmp',
    workspace: undefined,
    path: process.env['PATH'] ?? '',
    hasLaterSteps: true,
    hasPost: true,
    postFailsJob: true,
    debugTraceVariable: undefined,
    stdin: undefined,
    env: {},
    ...source,
  }
  return new InputReader(whole, new Redactor().seal, purpose)
}

function ruleOf(name: string): Rule {
  const rule = rules.get(name)
  if (rule === undefined) throw new Error(`no rule has the name ${name}`)
  return rule
}

/** Each rule, the whole problem of a case that breaks it, and cases close to that one which keep it. */
const TABLE: Record<string, { broken: Case; problem: string | RegExp; kept: Case[] }> = {
  'the proxy variable is a URL': {
    broken: { source: { env: { HTTPS_PROXY: 'http://a:b%@c' } } },
    problem: /^HTTPS_PROXY is no URL that can be used; for example: /,
    kept: [{ source: { env: { HTTPS_PROXY: 'http://c:3128' } } }, {}],
  },
  'the identity provides server, or the input does': {
    broken: { inputs: { kubeconfig: '/k', server: 'https://a' } },
    problem: 'server is given, but the identity kubeconfig provides it: leave one of them out',
    kept: [{ inputs: { server: 'https://a' } }, { inputs: { kubeconfig: '/k' } }],
  },
  'the identity provides certificate_authority, or the input does': {
    broken: { inputs: { identity: 'in-cluster', certificate_authority: 'system' } },
    problem: 'certificate_authority is given, but the identity in-cluster provides it: leave one of them out',
    kept: [{ inputs: { kubeconfig: '/k', certificate_authority: 'system' } }],
  },
  'the identity provides proxy_url, or the input does': {
    broken: { inputs: { identity: 'in-cluster', proxy_url: 'http://a' } },
    problem: 'proxy_url is given, but the identity in-cluster provides it: leave one of them out',
    kept: [{ inputs: { identity: 'github-oidc', proxy_url: 'http://a' } }],
  },
  'the identity provides tls_server_name, or the input does': {
    broken: { inputs: { kubeconfig: '/k', tls_server_name: 'a' } },
    problem: 'tls_server_name is given, but the identity kubeconfig provides it: leave one of them out',
    kept: [{ inputs: { tls_server_name: 'a' } }],
  },
  'the identity provides token, or the input does': {
    broken: { inputs: { identity: 'in-cluster', token: TOKEN } },
    problem: 'token is given, but the identity in-cluster provides it: leave one of them out',
    kept: [{ inputs: { kubeconfig: '/k', token: TOKEN } }, { inputs: { token: TOKEN } }],
  },
  'the identity provides token_file, or the input does': {
    broken: { inputs: { identity: 'in-cluster', token_file: '/t' } },
    problem: 'token_file is given, but the identity in-cluster provides it: leave one of them out',
    kept: [{ inputs: { kubeconfig: '/k', token_file: '/t' } }],
  },
  'the token is given once': {
    broken: { inputs: { token: TOKEN, token_file: '/t' } },
    problem: 'token and token_file are both given: leave one out',
    kept: [{ inputs: { token: TOKEN } }, { inputs: { token_file: '/t' } }, { inputs: { token: 'short', token_file: '/t' } }],
  },
  'the command is given once': {
    broken: { inputs: { command: 'true' }, source: { argv: ['true'] } },
    problem: 'command and a command after -- are both given: leave one out',
    kept: [
      { inputs: { command: 'true' } },
      { source: { argv: ['true'] } },
      { inputs: { command: 'true' }, source: { argv: ['true'] }, purpose: 'finish' },
    ],
  },
  'the command begins with a program on PATH': {
    broken: { source: { argv: ['no-such-program'] } },
    problem: 'the command "no-such-program" is not a program on PATH: correct it, or install the program',
    kept: [{ source: { argv: ['sh'] } }, { source: { argv: ['no-such-program'] }, purpose: 'finish' }],
  },
  'the command holds no NUL': {
    broken: { inputs: { command: 'a\0b' } },
    problem: 'command holds a NUL character',
    kept: [{ inputs: { command: 'ab' } }, { inputs: { command: 'a\0b' }, purpose: 'finish' }],
  },
  'the command names no kubeconfig of the caller': {
    broken: { inputs: { command: 'kubectl --kubeconfig= get ns' } },
    problem:
      'command gives no value to "--kubeconfig": the client would look for a kubeconfig of the caller. The scan finds its own ' +
      'kubeconfig without an argument. Where it needs one, its own shell must expand "$KUBECONFIG". To allow the caller\'s file, set ' +
      'allow_own_kubeconfig to true',
    kept: [
      { inputs: { command: 'kubectl get ns' } },
      { inputs: { command: 'kubectl --kubeconfig= get ns', allow_own_kubeconfig: 'true' } },
      { inputs: { command: 'kubectl --kubeconfig= get ns' }, purpose: 'finish' },
    ],
  },
  'the shell is on PATH': {
    broken: { inputs: { command: 'true' }, source: { path: '/nowhere' } },
    problem: 'bash is not on PATH; install it, or set shell to sh, which ignores failures inside a pipe',
    kept: [
      { source: { path: '/nowhere' } },
      { source: { path: '/nowhere', argv: ['/bin/sh'] } },
      { inputs: { command: 'true', shell: 'fish' }, source: { path: '/nowhere' } },
    ],
  },
  'a run without later steps has a command': {
    broken: { source: { hasLaterSteps: false } },
    problem: 'no command was given: set command',
    kept: [
      { source: { hasLaterSteps: true } },
      { source: { hasLaterSteps: false }, purpose: 'finish' },
      { inputs: { command: 'true' }, source: { hasLaterSteps: false } },
      { source: { hasLaterSteps: false, argv: ['true'] } },
    ],
  },
  'isolate: required needs a command': {
    broken: { inputs: { isolate: 'required' } },
    problem: 'isolate is required, but later steps cannot be isolated: set command',
    kept: [{ inputs: { isolate: 'required', command: 'true' } }, { inputs: { isolate: 'required' }, purpose: 'finish' }],
  },
  'delivery: output excludes a command': {
    broken: { inputs: { delivery: 'output', command: 'true' } },
    problem: 'delivery is output, which is for later steps: with a command use env',
    kept: [{ inputs: { delivery: 'output' } }, { inputs: { delivery: 'env', command: 'true' } }],
  },
  'delivery: proxy needs a command': {
    broken: { inputs: { delivery: 'proxy' } },
    problem: 'delivery is proxy, but there is no command: set command, or leave delivery out',
    kept: [
      { inputs: { delivery: 'auto' } },
      { inputs: { delivery: 'proxy', command: 'true' } },
      { inputs: { delivery: 'proxy' }, source: { argv: ['true'] } },
      { inputs: { delivery: 'proxy' }, purpose: 'finish' },
    ],
  },
  'requests needs the API proxy': {
    broken: { inputs: { requests: 'requests.jsonl', delivery: 'kubeconfig', command: 'true' } },
    problem: 'requests needs the API proxy, but the scan gets the token: give a command, and set delivery to proxy',
    kept: [
      { inputs: { requests: 'requests.jsonl', command: 'true' } },
      { inputs: { requests: 'requests.jsonl', delivery: 'proxy', command: 'true' } },
      { inputs: { delivery: 'kubeconfig', command: 'true' } },
      { inputs: { requests: 'requests.jsonl' }, purpose: 'finish' },
    ],
  },
  'allow needs the API proxy': {
    broken: { inputs: { allow: 'read', delivery: 'kubeconfig', command: 'true' } },
    problem: 'allow needs the API proxy, but the scan gets the token: give a command, and set delivery to proxy',
    kept: [
      { inputs: { allow: 'read', command: 'true' } },
      { inputs: { allow: 'read', delivery: 'proxy', command: 'true' } },
      { inputs: { delivery: 'kubeconfig', command: 'true' } },
      { inputs: { allow: 'read' }, purpose: 'finish' },
    ],
  },
  'rotate_grace excludes the API proxy': {
    broken: { inputs: { rotate_grace: '60s', command: 'true' } },
    problem: 'rotate_grace is for scans that hold the token: leave it out, or set delivery to kubeconfig',
    kept: [
      { inputs: { rotate_grace: '60s', delivery: 'kubeconfig', command: 'true' } },
      { inputs: { rotate_grace: '60s', delivery: 'env', command: 'true' } },
      { inputs: { rotate_grace: '60s' } },
      { inputs: { command: 'true' } },
      { inputs: { rotate_grace: '60s', command: 'true' }, purpose: 'finish' },
    ],
  },
  'identity: token needs token or token_file': {
    broken: { inputs: { identity: 'token' } },
    problem: 'identity is token, but neither token nor token_file is given',
    kept: [{ inputs: { identity: 'token', token: 'short' } }, { inputs: { identity: 'token', token_file: '/t' } }, {}],
  },
  'prove: post needs a post step that can fail the job': {
    broken: { inputs: { prove: 'post' }, source: { postFailsJob: false, hasPost: false } },
    problem: 'prove is post, but here no post step follows',
    kept: [{ inputs: { prove: 'post' } }, { source: { postFailsJob: false } }],
  },
  'prove: post excludes the API proxy': {
    broken: { inputs: { prove: 'post', command: 'true' } },
    problem: 'prove is post, but with the API proxy no file keeps the token for the post step: leave it out, or set delivery to kubeconfig',
    kept: [
      { inputs: { prove: 'post', delivery: 'kubeconfig', command: 'true' } },
      { inputs: { prove: 'post' } },
      { inputs: { prove: 'wait', command: 'true' } },
      // Another rule reports that no post step can fail the job.
      { inputs: { prove: 'post', command: 'true' }, source: { postFailsJob: false } },
      { inputs: { prove: 'post', command: 'true' }, purpose: 'finish' },
    ],
  },
  'report: check needs github_token': {
    broken: { inputs: { report: 'check' } },
    problem: 'report is check, but github_token is empty',
    kept: [{ inputs: { report: 'check', github_token: 'short' } }, { inputs: { report: 'summary' } }],
  },
  'a log that shows every variable needs allow_debug_trace': {
    broken: { source: { debugTraceVariable: 'CI_DEBUG_TRACE' } },
    problem: 'CI_DEBUG_TRACE is true: the log shows every variable, the ID token among them; unset it, or set allow_debug_trace to true',
    kept: [
      { source: { debugTraceVariable: 'CI_DEBUG_TRACE' }, purpose: 'finish' },
      { inputs: { allow_debug_trace: 'true' }, source: { debugTraceVariable: 'CI_DEBUG_TRACE' } },
    ],
  },
  'identity: gitlab-oidc needs an audience': {
    broken: { inputs: { identity: 'gitlab-oidc', audience: NO_AUDIENCE, server: 'https://a' } },
    problem: 'audience is missing: the ID token is issued for it; for example: https://a',
    kept: [{ inputs: { identity: 'gitlab-oidc', audience: 'https://a' } }, { inputs: { identity: 'token', audience: NO_AUDIENCE } }],
  },
  'identity: kubeconfig needs kubeconfig': {
    broken: { inputs: { identity: 'kubeconfig' } },
    problem: 'identity is kubeconfig, but kubeconfig is not given',
    kept: [{ inputs: { identity: 'kubeconfig', kubeconfig: '/k' } }],
  },
  'kubeconfig excludes other identities': {
    broken: { inputs: { identity: 'token', kubeconfig: '/k' } },
    problem: 'kubeconfig is given, but identity is token',
    kept: [
      { inputs: { identity: 'auto', kubeconfig: '/k' } },
      { inputs: { identity: 'kubeconfig', kubeconfig: '/k' } },
      { inputs: { identity: 'tokn', kubeconfig: '/k' } },
    ],
  },
  'context needs kubeconfig': {
    broken: { inputs: { context: 'x' } },
    problem: 'context is given without kubeconfig',
    kept: [{ inputs: { context: 'x', kubeconfig: '/k' } }],
  },
  'allow_exec needs kubeconfig': {
    broken: { inputs: { allow_exec: 'true' } },
    problem: 'allow_exec is given without kubeconfig',
    kept: [{ inputs: { allow_exec: 'false' } }, { inputs: { allow_exec: 'true', kubeconfig: '/k' } }],
  },
}

test('each rule has a name of its own, and a row in the table', () => {
  expect(Object.keys(TABLE)).toEqual([...rules.keys()])
  expect(rules.size).toBe(sourceRules.length + 1 + commandRules.length + inputRules.length)
})

describe.each(Object.entries(TABLE))('%s', (name, { broken, problem, kept }) => {
  test('the inputs break it', () => {
    const text = ruleOf(name).problem(readerOf(broken)) ?? ''
    if (typeof problem === 'string') expect(text).toBe(problem)
    else expect(text).toMatch(problem)
  })
  test.each(kept)('the inputs keep it: %j', (each) => {
    expect(ruleOf(name).problem(readerOf(each))).toBeUndefined()
  })
})

describe('an input is not read', () => {
  const sealedBy = (id: InputId, inputs: Partial<Record<InputId, string>>): string[] => {
    const sealed: string[] = []
    const { source, purpose } = readerOf({ inputs })
    const { seal } = new Redactor()
    const reader = new InputReader(source, (value) => (sealed.push(value), seal(value)), purpose)
    reader.value(id)
    return sealed
  }
  test('github_token, unless report is check', () => {
    expect(sealedBy('github_token', { github_token: TOKEN })).toEqual([])
    expect(sealedBy('github_token', { github_token: TOKEN, report: 'check' })).toEqual([TOKEN])
  })
  test('token, if the identity provides it', () => {
    expect(sealedBy('token', { token: TOKEN, identity: 'in-cluster' })).toEqual([])
    expect(sealedBy('token', { token: TOKEN })).toEqual([TOKEN])
  })
  test('token_file, if there is a token', () => {
    expect(sealedBy('token_file', { token: TOKEN, token_file: 'eyJhbGciOiJSUzI1NiJ9.e30.hunter2' })).toEqual([TOKEN])
    expect(sealedBy('token_file', { token_file: 'eyJhbGciOiJSUzI1NiJ9.e30.hunter2' })).toEqual(['eyJhbGciOiJSUzI1NiJ9.e30.hunter2'])
  })
})

test('an input is read once, and its problem is reported once', () => {
  const reader = readerOf({ inputs: { shell: 'fish' } })
  expect([reader.value('shell'), reader.value('shell'), reader.isWrong('shell')]).toEqual(['bash', 'bash', true])
  expect(reader.problems).toEqual([{ code: 'INPUT', text: 'shell is "fish", not one of bash, sh; for example: bash' }])
})
