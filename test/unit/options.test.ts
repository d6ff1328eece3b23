import { afterAll, describe, expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { type Code, KubepassError } from '../../src/base/errors.ts'
import type { InputId } from '../../src/config/inputs.ts'
import { parseOptions, type Options } from '../../src/config/options.ts'
import { type InputSource } from '../../src/config/source.ts'
import { Redactor } from '../../src/redact/redactor.ts'
import { documented } from '../documented.ts'
import { CERTIFICATE } from './certificate.ts'

const folder = mkdtempSync(join(tmpdir(), 'options-test-'))
const workspace = join(folder, 'workspace')
const temp = join(folder, 'temp')
mkdirSync(workspace)
mkdirSync(temp)
afterAll(() => rmSync(folder, { recursive: true }))

const GOOD: Partial<Record<InputId, string>> = {
  server: 'https://10.0.0.1:6443',
  certificate_authority: CERTIFICATE,
  service_account: 'kubepass/scanner',
}

function sourceOf(given: Partial<Record<InputId, string>>, source: Partial<InputSource>): InputSource {
  const inputs = { ...GOOD, ...given }
  return {
    isCI: true,
    input: (id) => inputs[id],
    nameOf: (id) => id,
    argv: [],
    temp,
    workspace,
    path: process.env['PATH'] ?? '',
    hasLaterSteps: true,
    hasPost: true,
    postFailsJob: true,
    debugTraceVariable: undefined,
    stdin: undefined,
    env: {},
    ...source,
  }
}

function parse(given: Partial<Record<InputId, string>>, source: Partial<InputSource> = {}): Options {
  return parseOptions(sourceOf(given, source), new Redactor().seal, 'start')
}

function problem(given: Partial<Record<InputId, string>>, source: Partial<InputSource> = {}, code: Code = 'INPUT'): string {
  try {
    parse(given, source)
  } catch (error) {
    expect(error).toBeInstanceOf(KubepassError)
    expect((error as KubepassError).code).toBe(code)
    return (error as KubepassError).message
  }
  throw new Error(`accepted: ${JSON.stringify(given)}`)
}

test('allow is granted, read, or the rules that were read before the other inputs', () => {
  const rules = JSON.stringify([{ resources: ['pods'], verbs: ['get'] }])
  const pipeTexts = new Map([['ci/allow.yaml', rules]])
  expect([parse({}).allow, parse({ allow: ' read ', command: 'true' }).allow]).toEqual(['granted', 'read'])
  expect(parse({ allow: 'ci/allow.yaml', command: 'true' }, { pipeTexts }).allow).toMatchObject([
    { apiGroups: [''], resources: ['pods'], verbs: ['get'] },
  ])
  expect(problem({ allow: 'ci/allow.yaml', command: 'true' }, { pipeTexts: new Map([['ci/allow.yaml', '[{}]']]) })).toBe(
    'allow has rules[0].verbs, which is missing or empty. A correct rule: {apiGroups: [apps], resources: [deployments], verbs: [get, list]}; for example: read',
  )
})

test('the end of a run does not need the rules of allow', () => {
  const source = sourceOf({ allow: join(folder, 'gone.yaml') }, {})
  expect(parseOptions(source, new Redactor().seal, 'finish').allow).toBe('granted')
})

test('parseOptions needs only the required inputs', () => {
  const options = parse({})
  expect(options).toMatchObject({
    serviceAccount: { namespace: 'kubepass', name: 'scanner' },
    namespace: 'kubepass',
    command: undefined,
    commandSha256: undefined,
    acceptExitCodes: [0],
    identity: 'auto',
    token: undefined,
    audience: 'https://10.0.0.1:6443',
    duration: 900,
    revocation: 'required',
    prove: 'wait',
    proofSamples: 3,
    directory: temp,
    deadline: 60_000,
  })
})

test('all wrong inputs are reported together, each with its name and an example', () => {
  const message = problem({ server: '', service_account: 'scanner', duration: '5m', prove: 'maybe', proof_samples: '0' })
  expect(message).toMatch(/^5 inputs are wrong:/)
  for (const id of ['server', 'service_account', 'duration', 'prove', 'proof_samples'])
    expect(message).toMatch(new RegExp(`^- ${id} .*; for example: `, 'm'))
})

describe('a wrong input is reported', () => {
  test.each<[InputId, string, RegExp]>([
    ['server', 'http://10.0.0.1', /only https/],
    ['server', 'https://user:hunter2@10.0.0.1', /user name or password/],
    ['server', 'https://10.0.0.1?x=1', /query/],
    ['server', 'https://10.0.0.1#x', /fragment/],
    ['server', '10.0.0.1:6443', /only https|not a URL/],
    ['server', 'https://a\nb', /white space/],
    ['certificate_authority', '/nowhere/ca.crt', /cannot be read \(ENOENT\)/],
    ['certificate_authority', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', /no certificate/],
    ['certificate_authority', folder, /no file/],
    ['service_account', 'scanner', /NAMESPACE\/NAME/],
    ['service_account', 'a/b/c', /NAMESPACE\/NAME/],
    ['service_account', 'Kube/scanner', /NAMESPACE\/NAME/],
    ['service_account', '../x/scanner', /NAMESPACE\/NAME/],
    ['namespace', 'not_a_namespace', /namespace/],
    ['duration', '9m', /10 minutes/],
    ['duration', '599', /10 minutes/],
    ['duration', '2h', /raise max_duration/],
    ['duration', 'soon', /not a duration/],
    ['duration', '-15m', /not a duration/],
    ['max_duration', 'x', /not a duration/],
    ['accept_exit_codes', '0,256', /"256"/],
    ['accept_exit_codes', 'zero', /"zero"/],
    ['env', 'none', /not one of inherit, clean/],
    ['shell', 'fish', /not one of bash, sh/],
    ['pass_env', 'A,B-C', /"B-C"/],
    ['identity', 'admin', /not one of/],
    ['token', 'a token with blanks in it', /no bearer token/],
    ['token', 'short', /too short/],
    ['token_file', '/nowhere/token', /cannot be read/],
    ['token_file', '-', /no standard input/],
    ['token_file', 'eyJhbGciOiJSUzI1NiJ9.e30.hunter2', /looks like a token, not like the path of one/],
    ['audience', 'a b', /white space/],
    ['revocation', 'never', /not one of/],
    ['proof_samples', '21', /1 to 20/],
    ['delivery', 'mail', /not one of/],
    ['token_variable', 'PATH', /not a name/],
    ['token_variable', 'LD_PRELOAD', /not a name/],
    ['token_variable', '1A', /not a name/],
    ['directory', '/nowhere', /cannot be used/],
    ['directory', workspace, /in the workspace/],
    ['proxy_url', 'socks5://127.0.0.1:1', /neither http nor https/],
    ['proxy_url', 'http://user:hunter2@proxy', /user name or password/],
    ['tls_server_name', 'a_b', /host name/],
    ['deadline', '0', /1s to 10m/],
    ['rotate_grace', '59s', /re-read a token once a minute/],
    ['rotate_grace', 'soon', /not a duration/],
    ['max_scan', '0', /1s to 24h/],
    ['max_scan', '25h', /1s to 24h/],
    ['evidence', 'a\nb', /line end/],
    ['evidence', '/proc/nowhere/evidence.json', /no file can be written \(ENOENT\)/],
    ['evidence', '/dev/null/evidence.json', /no file can be written \(EEXIST\)/],
    ['evidence', 'out/', /names a folder/],
    ['evidence', '.', /names a folder/],
    ['evidence', '-', /a job's standard output is its log/],
    ['context_name', 'a b', /not a name of letters, digits/],
    ['context_name', '-x', /not a name of letters, digits/],
    ['context_name', 'a\nb', /not a name of letters, digits/],
    ['context_name', '::warning::x', /not a name of letters, digits/],
    ['context_name', '$(id)', /not a name of letters, digits/],
    ['context_name', 'Müller', /not a name of letters, digits/],
    ['context_name', 'a'.repeat(254), /at most 253 characters/],
    ['identity', 'token', /neither token nor token_file/],
    ['command', 'a\0b', /NUL/],
  ])('%s: %j', (id, value, why) => {
    const message = problem({ [id]: value })
    expect(message).toMatch(why)
    expect(message).toContain(id)
  })
})

test('the start of a run creates the folder of the evidence, relative to the workspace; the finish does not', () => {
  expect(parse({ evidence: 'out/of/e.json' }).evidence).toBe(join(workspace, 'out/of/e.json'))
  expect(parse({ evidence: join(temp, 'out/e.json') }).evidence).toBe(join(temp, 'out/e.json'))
  expect(existsSync(join(workspace, 'out/of')) && existsSync(join(temp, 'out'))).toBe(true)
  rmSync(join(workspace, 'out'), { recursive: true })
  expect(parseOptions(sourceOf({ evidence: 'out/of/e.json' }, {}), new Redactor().seal, 'finish').evidence).toBe(
    join(workspace, 'out/of/e.json'),
  )
  expect(existsSync(join(workspace, 'out'))).toBe(false)
})

test('in a terminal evidence may be -, standard output', () => {
  expect(parse({ evidence: '-' }, { isCI: false, workspace: undefined }).evidence).toBe('-')
})

test.each(['production', 'arn:aws:eks:eu-central-1:123456789012:cluster/production', '[2001:db8::1]:6443', 'a', 'kind-kind', 'user@host'])(
  'context_name may be %s',
  (name) => {
    expect(parse({ context_name: name }).contextName).toBe(name)
  },
)

/** Tokens in the forms of OpenShift, Rancher, kubeadm and GitLab, a key and a password. */
const SECRETS = [
  'sha256~hunter2hunter2hunter2hunter2',
  'kubeconfig-user-abc:hunter2hunter2',
  'abcdef.hunter2hunter2',
  'glpat-hunter2hunter2',
  'wJalrhunter2/K7MDENG/bPxRfiCYhunter2KEY',
  'hunter2 hunter2',
]

test('no message contains a secret', () => {
  for (const given of [
    { server: 'https://user:hunter2@h' },
    { proxy_url: 'http://user:hunter2@h' },
    { token: 'hunter2 hunter2 hunter2' },
    { token: 'hunter2' },
    { token_file: 'eyJhbGciOiJSUzI1NiJ9.e30.hunter2' },
    ...SECRETS.flatMap((secret) => [{ token_file: secret }, { certificate_authority: secret }]),
    ...SECRETS.map((kubeconfig) => ({ kubeconfig, server: '', certificate_authority: '' })),
  ]) {
    expect(problem(given)).not.toContain('hunter2')
  }
})

test.each(['/nowhere/kubeconfig', './kubeconfig', '~/.kube/config', 'ci/kubeconfig', 'kubeconfig-production.yaml'])(
  'the message quotes the path of a missing file: %s',
  (path) => {
    expect(problem({ kubeconfig: path, server: '', certificate_authority: '' })).toContain(`names "${path}", which cannot be read (ENOENT)`)
    expect(problem({ token_file: path })).toContain(`names "${path}"`)
    expect(problem({ certificate_authority: path })).toContain(`names "${path}"`)
  },
)

test('token_file may be an existing file whose name looks like a token', () => {
  const path = relative('.', join(folder, 'sha256~hunter2hunter2'))
  writeFileSync(path, 'abcdefghijklmnopqrstuvwxyz')
  expect(parse({ token_file: path }).token?.reveal()).toBe('abcdefghijklmnopqrstuvwxyz')
})

test('a folder of the workspace counts as inside, also if its name begins with two dots', () => {
  const inside = join(workspace, '..k')
  mkdirSync(inside)
  expect(problem({ directory: inside })).toMatch(/in the workspace/)
  writeFileSync(join(inside, 'config'), 'clusters: []')
  const { kubeconfig } = parse({ kubeconfig: join(inside, 'config'), server: '', certificate_authority: '' })
  expect(kubeconfig?.files).toHaveProperty('refused')
  for (const outside of [folder, temp]) expect(parse({ directory: outside }).directory).toBe(outside)
})

test('a temp directory that is a link into the workspace is refused', () => {
  symlinkSync(workspace, join(folder, 'link'))
  expect(problem({}, { temp: join(folder, 'link') })).toMatch(/in the workspace/)
})

test.each([
  ['15m', 900],
  ['900s', 900],
  ['1h', 3600],
  ['900', 900],
])('duration %s is %d s', (text, seconds) => {
  expect(parse({ duration: text }).duration).toBe(seconds)
})

test('by default max_scan is six hours, and a replaced credential lives until its expiry', () => {
  expect(parse({})).toMatchObject({ maxScan: 21_600, rotateGrace: undefined })
  expect(parse({ max_scan: '45m', rotate_grace: '60s' })).toMatchObject({ maxScan: 2700, rotateGrace: 60 })
})

test('max_duration raises the limit', () => {
  expect(parse({ duration: '2h', max_duration: '2h' }).duration).toBe(7200)
})

test.each([
  ['https://K8S.example.com:443', 'https://k8s.example.com'],
  ['https://[::1]:6443', 'https://[::1]:6443'],
  ['https://rancher.example.com/k8s/clusters/c-1/', 'https://rancher.example.com/k8s/clusters/c-1'],
])('server %s becomes %s', (text, href) => {
  expect(parse({ server: text }).server).toBe(href)
})

describe('certificate_authority', () => {
  test('may be PEM, its base64, or the path of a file with either', () => {
    const base64 = Buffer.from(CERTIFICATE).toString('base64')
    writeFileSync(join(folder, 'pem'), CERTIFICATE)
    writeFileSync(join(folder, 'base64'), `${base64}\n`)
    for (const text of [CERTIFICATE, base64, join(folder, 'pem'), join(folder, 'base64')]) {
      expect(parse({ certificate_authority: text }).certificateAuthority.trim()).toBe(CERTIFICATE.trim())
    }
  })

  test('keeps only the certificates of a PEM text', () => {
    const key = '-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n'
    const text = `Bag Attributes\n${CERTIFICATE.trim()}\n${key}${CERTIFICATE.trim()}\n`
    for (const given of [text, Buffer.from(text).toString('base64')])
      expect(parse({ certificate_authority: given }).certificateAuthority).toBe(`${CERTIFICATE.trim()}\n${CERTIFICATE.trim()}\n`)
    expect(problem({ certificate_authority: key })).toContain('holds no certificate that can be read')
  })
})

describe('the token', () => {
  const token = 'abcdefghijklmnopqrstuvwxyz'
  test('may come from the input token, from a file or from standard input', () => {
    writeFileSync(join(folder, 'token'), `${token}\n`)
    expect(parse({ token }).token?.reveal()).toBe(token)
    expect(parse({ token_file: join(folder, 'token') }).token?.reveal()).toBe(token)
    expect(parse({ token_file: '-' }, { pipeTexts: new Map([['-', `${token}\n`]]) }).token?.reveal()).toBe(token)
  })
  test('must not come from both token and token_file', () => {
    expect(problem({ token, token_file: join(folder, 'token') })).toMatch(/token and token_file are both given/)
  })
})

describe('the command', () => {
  test('runs in bash with pipefail', () => {
    expect(parse({ command: 'a | b' }).command).toEqual(['bash', '--noprofile', '--norc', '-eo', 'pipefail', '-c', 'a | b'])
  })
  test('is an error without bash, and the message suggests sh', () => {
    const bin = join(folder, 'bin')
    mkdirSync(bin)
    writeFileSync(join(bin, 'sh'), '')
    chmodSync(join(bin, 'sh'), 0o755)
    expect(problem({ command: 'true' }, { path: bin })).toMatch(/bash is not on PATH; .*shell to sh/)
    expect(parse({ command: 'true', shell: 'sh' }, { path: bin }).command?.[0]).toBe('sh')
  })
  /** What a command of the documentation prints. */
  function printed(script: string, args: readonly string[]): string {
    return execFileSync('bash', ['-c', script, 'bash', ...args], { encoding: 'utf8' }).split(' ', 1)[0] ?? ''
  }

  test.each(['true', 'a | b', '  kubectl get pods\n\n  echo "$?"\n', 'printf %s ü'])(
    'the digest of the input command is that of its text, without white space at its ends: %j',
    (command) => {
      const digest = printed(documented('command_sha256', 'printf %s "$command" | sha256sum').replace('"$command"', '"$1"'), [
        command.trim(),
      ])
      expect(parse({ command }).commandSha256).toBe(digest)
    },
  )

  test.each([[['true']], [['kubectl', 'get', 'pods']], [['printf', '', ' a  b ', '\n', 'ü']]])(
    'the digest of the words after -- has a NUL after each word: %j',
    (argv) => {
      const digest = printed(
        documented('command_sha256', "printf '%s\\0' kubectl get pods | sha256sum").replace('kubectl get pods', '"$@"'),
        argv,
      )
      expect(parse({}, { argv }).commandSha256).toBe(digest)
    },
  )

  test('two commands have the same digest only if their words are the same', () => {
    const digests = [
      ['echo', 'a b'],
      ['echo', 'a', 'b'],
      ['echo', 'ab', ''],
      ['echo', 'ab'],
    ].map((argv) => parse({}, { argv }).commandSha256)
    expect(new Set(digests).size).toBe(4)
  })

  test('after -- must begin with a program on PATH', () => {
    expect(parse({}, { argv: ['sh', '-c', 'true'] }).command).toEqual(['sh', '-c', 'true'])
    expect(problem({}, { argv: ['no-such-program'] }, 'COMMAND_NOT_FOUND')).toMatch(/^the command "no-such-program" is not a program/)
    expect(problem({}, { argv: [import.meta.filename] }, 'COMMAND_NOT_FOUND')).toMatch(/ is no executable file: /)
    expect(problem({ prove: 'never' }, { argv: ['no-such-program'] })).toMatch(/"no-such-program" is not a program/)
  })
})

test('inputs that exclude each other are refused', () => {
  expect(problem({ delivery: 'output', command: 'true' })).toMatch(/delivery is output/)
  expect(problem({ command: 'true' }, { argv: ['true'] })).toMatch(/both given/)
})

test('in a terminal a run without a command is refused, and so is prove: post', () => {
  const terminal = { hasLaterSteps: false, hasPost: false, postFailsJob: false }
  const message = problem({ prove: 'post' }, terminal)
  expect(message).toMatch(/no command/)
  expect(message).toMatch(/no post step/)
})

test('on GitLab a run without a command is refused, and so is prove: post', () => {
  const gitlab = { hasLaterSteps: false, hasPost: true, postFailsJob: false }
  const message = problem({ prove: 'post' }, gitlab)
  expect(message).toMatch(/no command was given: set command/)
  expect(message).toMatch(/after_script cannot fail the job/)
})

test('CI_DEBUG_TRACE prevents the start of a run, unless allow_debug_trace is true; it does not prevent the finish', () => {
  const traced = { debugTraceVariable: 'CI_DEBUG_TRACE' }
  expect(problem({ command: 'true' }, traced)).toMatch(/CI_DEBUG_TRACE is true: .* set allow_debug_trace to true/)
  expect(parse({ command: 'true', allow_debug_trace: 'true' }, traced).command).toBeDefined()
  expect(parseOptions(sourceOf({}, traced), new Redactor().seal, 'finish').server).toBe('https://10.0.0.1:6443')
})

test('report: check needs github_token, which is read only then', () => {
  expect(problem({ report: 'check' })).toMatch(/github_token is empty/)
  expect(parse({ report: 'check', github_token: 'ghs_0123456789abcdef' }).checkToken).toBeDefined()
  expect(parse({ github_token: 'ghs_0123456789abcdef' }).checkToken).toBeUndefined()
})

describe('one mistake gives one problem', () => {
  const unreadable = join(folder, 'nowhere')
  const kubeconfig = join(folder, 'a kubeconfig')
  writeFileSync(kubeconfig, 'clusters: []')
  const CI: Partial<Record<InputId, string>> = {}
  const BY_KUBECONFIG = { server: '', certificate_authority: '', kubeconfig }
  const terminal = { hasLaterSteps: false, hasPost: false, postFailsJob: false, argv: ['true'] }
  test.each<[string, Partial<Record<InputId, string>>, Partial<InputSource>?]>([
    ['an unreadable token file', { token_file: unreadable }],
    ['an unreadable token file, and identity is token', { token_file: unreadable, identity: 'token' }],
    ['a damaged token', { token: 'Bearer abcdefghijklmnopqrstuvwxyz', identity: 'token' }],
    ['no standard input', { token_file: '-', identity: 'token' }],
    ['an empty token file', { token_file: '/dev/null', identity: 'token' }],
    ['an unreadable kubeconfig', { ...BY_KUBECONFIG, kubeconfig: unreadable }],
    ['an unreadable kubeconfig, and identity is kubeconfig', { ...BY_KUBECONFIG, kubeconfig: unreadable, identity: 'kubeconfig' }],
    [
      'an unreadable kubeconfig, with context and allow_exec',
      { ...BY_KUBECONFIG, kubeconfig: unreadable, context: 'x', allow_exec: 'true' },
    ],
    [
      'a kubeconfig that is neither content nor a path',
      { ...BY_KUBECONFIG, kubeconfig: 'hunter2 hunter2', identity: 'kubeconfig', context: 'x' },
    ],
    ['an invalid server together with a kubeconfig', { ...BY_KUBECONFIG, server: 'x' }],
    ['an invalid CA together with a kubeconfig', { ...BY_KUBECONFIG, certificate_authority: 'x' }],
    ['an invalid proxy together with a kubeconfig', { ...BY_KUBECONFIG, proxy_url: 'x' }],
    ['an invalid server name together with a kubeconfig', { ...BY_KUBECONFIG, tls_server_name: '_' }],
    ['an unknown allow_exec', { ...BY_KUBECONFIG, allow_exec: 'yes' }],
    ['an unknown allow_exec without a kubeconfig', { allow_exec: 'yes' }],
    ['a context without a kubeconfig', { context: 'x' }],
    ['a misspelled identity', { identity: 'in-clustr', server: '', certificate_authority: '' }],
    ['a misspelled identity together with a kubeconfig', { ...BY_KUBECONFIG, identity: 'kubeconfg', context: 'x' }],
    ['a misspelled identity together with a token', { identity: 'tokn', token: 'abcdefghijklmnopqrstuvwxyz' }],
    ['an invalid max_duration', { max_duration: 'x', duration: '2h' }],
    ['an invalid duration', { max_duration: '2h', duration: 'x' }],
    ['a damaged github_token', { report: 'check', github_token: 'short' }],
    ['a github_token that is an expression', { report: 'check', github_token: '${{ github.token }}' }],
    ['an empty github_token', { report: 'check', github_token: '' }],
    ['a misspelled report', { report: 'chek', github_token: 'x' }],
    ['a misspelled shell', { shell: 'fish', command: 'true' }, { path: '' }],
    ['a missing shell', { shell: 'sh', command: 'true' }, { path: '' }],
    ['a command with a NUL', { command: 'a\0b' }],
    ['no command', {}, { ...terminal, argv: [] }],
    ['an invalid service_account', { service_account: 'scanner' }],
    ['no server', { server: '' }],
    ['an invalid server, which is also the audience', { server: 'http://10.0.0.1' }],
    ['a damaged CA', { certificate_authority: 'DATA+OMITTED' }],
    ['prove: post without a post step', { prove: 'post' }, terminal],
    ['delivery: output with a command', { delivery: 'output', command: 'true' }],
    ['a misspelled delivery', { delivery: 'outputs', command: 'true' }],
    ['a misspelled isolate', { isolate: 'requird' }],
    ['a missing directory', { directory: unreadable }],
    ['evidence that cannot be written', { evidence: '/proc/nowhere/e.json' }],
    ['an invalid proxy variable', {}, { env: { HTTPS_PROXY: 'http://a:b%@c' } }],
  ])('%s', (_, given, source = {}) => {
    const message = problem({ ...CI, ...given }, source)
    expect(message).not.toMatch(/inputs are wrong/)
    expect(message).not.toContain('hunter2')
  })
})
