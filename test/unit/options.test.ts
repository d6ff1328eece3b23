import { afterAll, describe, expect, test } from '@jest/globals'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { KubepassError } from '../../src/base/errors.ts'
import type { InputId } from '../../src/config/inputs.ts'
import { parseOptions, type Options } from '../../src/config/options.ts'
import { type InputSource } from '../../src/config/source.ts'
import { Redactor } from '../../src/redact/redactor.ts'
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

function problem(given: Partial<Record<InputId, string>>, source: Partial<InputSource> = {}): string {
  try {
    parse(given, source)
  } catch (error) {
    expect(error).toBeInstanceOf(KubepassError)
    expect((error as KubepassError).code).toBe('INPUT')
    return (error as KubepassError).message
  }
  throw new Error(`accepted: ${JSON.stringify(given)}`)
}

test('the required inputs suffice', () => {
  const options = parse({})
  expect(options).toMatchObject({
    serviceAccount: { namespace: 'kubepass', name: 'scanner' },
    namespace: 'kubepass',
    command: undefined,
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

test('all wrong inputs are reported at once, each with its name and a right example', () => {
  const message = problem({ server: '', service_account: 'scanner', duration: '5m', prove: 'maybe', proof_samples: '0' })
  expect(message).toMatch(/^5 inputs are wrong:/)
  for (const id of ['server', 'service_account', 'duration', 'prove', 'proof_samples'])
    expect(message).toMatch(new RegExp(`^- ${id} .*; for example: `, 'm'))
})

describe('wrong', () => {
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

test('the folder of the evidence is made, relative to the workspace', () => {
  expect(parse({ evidence: 'out/of/e.json' }).evidence).toBe(join(workspace, 'out/of/e.json'))
  expect(parse({ evidence: join(temp, 'out/e.json') }).evidence).toBe(join(temp, 'out/e.json'))
  expect(existsSync(join(workspace, 'out/of')) && existsSync(join(temp, 'out'))).toBe(true)
  rmSync(join(workspace, 'out'), { recursive: true })
  expect(parseOptions(sourceOf({ evidence: 'out/of/e.json' }, {}), new Redactor().seal, 'finish').evidence).toBe(
    join(workspace, 'out/of/e.json'),
  )
  expect(existsSync(join(workspace, 'out'))).toBe(false)
})

test('in a terminal the evidence may go to standard output', () => {
  expect(parse({ evidence: '-' }, { isCI: false, workspace: undefined }).evidence).toBe('-')
})

test.each(['production', 'arn:aws:eks:eu-central-1:123456789012:cluster/production', '[2001:db8::1]:6443', 'a', 'kind-kind', 'user@host'])(
  'a context may be called %s',
  (name) => {
    expect(parse({ context_name: name }).contextName).toBe(name)
  },
)

/** As OpenShift, Rancher, kubeadm and GitLab write them, and as a key is. */
const SECRETS = [
  'sha256~hunter2hunter2hunter2hunter2',
  'kubeconfig-user-abc:hunter2hunter2',
  'abcdef.hunter2hunter2',
  'glpat-hunter2hunter2',
  'wJalrhunter2/K7MDENG/bPxRfiCYhunter2KEY',
  'hunter2 hunter2',
]

test('no message echoes a secret', () => {
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
  'a path that leads nowhere is told: %s',
  (path) => {
    expect(problem({ kubeconfig: path, server: '', certificate_authority: '' })).toContain(`names "${path}", which cannot be read (ENOENT)`)
    expect(problem({ token_file: path })).toContain(`names "${path}"`)
    expect(problem({ certificate_authority: path })).toContain(`names "${path}"`)
  },
)

test('a file may be called whatever it is called', () => {
  const path = relative('.', join(folder, 'sha256~hunter2hunter2'))
  writeFileSync(path, 'abcdefghijklmnopqrstuvwxyz')
  expect(parse({ token_file: path }).token?.reveal()).toBe('abcdefghijklmnopqrstuvwxyz')
})

test('a folder of the workspace is in it, whatever its name begins with', () => {
  const inside = join(workspace, '..k')
  mkdirSync(inside)
  expect(problem({ directory: inside })).toMatch(/in the workspace/)
  writeFileSync(join(inside, 'config'), 'clusters: []')
  const { kubeconfig } = parse({ kubeconfig: join(inside, 'config'), server: '', certificate_authority: '' })
  expect(kubeconfig?.files).toHaveProperty('refused')
  for (const outside of [folder, temp]) expect(parse({ directory: outside }).directory).toBe(outside)
})

test('a temp directory that is a link into the workspace is found out', () => {
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

test('a scan may take six hours, and what it had before stays until it expires, unless something else is said', () => {
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
])('server %s', (text, href) => {
  expect(parse({ server: text }).server).toBe(href)
})

describe('certificate_authority', () => {
  test('as PEM, as its base64, as a file of either', () => {
    const base64 = Buffer.from(CERTIFICATE).toString('base64')
    writeFileSync(join(folder, 'pem'), CERTIFICATE)
    writeFileSync(join(folder, 'base64'), `${base64}\n`)
    for (const text of [CERTIFICATE, base64, join(folder, 'pem'), join(folder, 'base64')]) {
      expect(parse({ certificate_authority: text }).certificateAuthority.trim()).toBe(CERTIFICATE.trim())
    }
  })

  test('of all that a file holds only the certificates go on', () => {
    const key = '-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n'
    const text = `Bag Attributes\n${CERTIFICATE.trim()}\n${key}${CERTIFICATE.trim()}\n`
    for (const given of [text, Buffer.from(text).toString('base64')])
      expect(parse({ certificate_authority: given }).certificateAuthority).toBe(`${CERTIFICATE.trim()}\n${CERTIFICATE.trim()}\n`)
    expect(problem({ certificate_authority: key })).toContain('holds no certificate that can be read')
  })
})

describe('token', () => {
  const token = 'abcdefghijklmnopqrstuvwxyz'
  test('from the input, a file, standard input', () => {
    writeFileSync(join(folder, 'token'), `${token}\n`)
    expect(parse({ token }).token?.reveal()).toBe(token)
    expect(parse({ token_file: join(folder, 'token') }).token?.reveal()).toBe(token)
    expect(parse({ token_file: '-' }, { pipeTexts: new Map([['-', `${token}\n`]]) }).token?.reveal()).toBe(token)
  })
  test('twice is one too many', () => {
    expect(problem({ token, token_file: join(folder, 'token') })).toMatch(/token and token_file are both given/)
  })
})

describe('command', () => {
  test('is run by bash with pipefail', () => {
    expect(parse({ command: 'a | b' }).command).toEqual(['bash', '--noprofile', '--norc', '-eo', 'pipefail', '-c', 'a | b'])
  })
  test('without bash it is an error that names the way out', () => {
    const bin = join(folder, 'bin')
    mkdirSync(bin)
    writeFileSync(join(bin, 'sh'), '')
    chmodSync(join(bin, 'sh'), 0o755)
    expect(problem({ command: 'true' }, { path: bin })).toMatch(/bash is not on PATH; .*shell to sh/)
    expect(parse({ command: 'true', shell: 'sh' }, { path: bin }).command?.[0]).toBe('sh')
  })
  test('as words needs a program', () => {
    expect(parse({}, { argv: ['sh', '-c', 'true'] }).command).toEqual(['sh', '-c', 'true'])
    expect(problem({}, { argv: ['no-such-program'] })).toMatch(/"no-such-program" is not a program/)
  })
})

test('what excludes each other is refused', () => {
  expect(problem({ delivery: 'output', command: 'true' })).toMatch(/delivery is output/)
  expect(problem({ command: 'true' }, { argv: ['true'] })).toMatch(/both given/)
})

test('what a terminal cannot do is refused', () => {
  const terminal = { hasLaterSteps: false, hasPost: false, postFailsJob: false }
  const message = problem({ prove: 'post' }, terminal)
  expect(message).toMatch(/no command/)
  expect(message).toMatch(/no post step/)
})

test('what GitLab cannot do is refused', () => {
  const gitlab = { hasLaterSteps: false, hasPost: true, postFailsJob: false }
  const message = problem({ prove: 'post' }, gitlab)
  expect(message).toMatch(/no command was given: set command/)
  expect(message).toMatch(/what comes after the script cannot fail a job/)
})

test('where the log shows every variable nothing is started, unless that is allowed; what runs is ended', () => {
  const traced = { debugTraceVariable: 'CI_DEBUG_TRACE' }
  expect(problem({ command: 'true' }, traced)).toMatch(/CI_DEBUG_TRACE is true: .* set allow_debug_trace to true/)
  expect(parse({ command: 'true', allow_debug_trace: 'true' }, traced).command).toBeDefined()
  expect(parseOptions(sourceOf({}, traced), new Redactor().seal, 'finish').server).toBe('https://10.0.0.1:6443')
})

test('a check run needs a token, which is read only then', () => {
  expect(problem({ report: 'check' })).toMatch(/github_token is empty/)
  expect(parse({ report: 'check', github_token: 'ghs_0123456789abcdef' }).checkToken).toBeDefined()
  expect(parse({ github_token: 'ghs_0123456789abcdef' }).checkToken).toBeUndefined()
})

describe('one mistake, one complaint', () => {
  const unreadable = join(folder, 'nowhere')
  const kubeconfig = join(folder, 'a kubeconfig')
  writeFileSync(kubeconfig, 'clusters: []')
  const CI: Partial<Record<InputId, string>> = {}
  const BY_KUBECONFIG = { server: '', certificate_authority: '', kubeconfig }
  const terminal = { hasLaterSteps: false, hasPost: false, postFailsJob: false, argv: ['true'] }
  test.each<[string, Partial<Record<InputId, string>>, Partial<InputSource>?]>([
    ['a file of a token that cannot be read', { token_file: unreadable }],
    ['and the identity is named', { token_file: unreadable, identity: 'token' }],
    ['a token that is damaged', { token: 'Bearer abcdefghijklmnopqrstuvwxyz', identity: 'token' }],
    ['no standard input', { token_file: '-', identity: 'token' }],
    ['an empty file of a token', { token_file: '/dev/null', identity: 'token' }],
    ['a kubeconfig that cannot be read', { ...BY_KUBECONFIG, kubeconfig: unreadable }],
    ['and the identity is named', { ...BY_KUBECONFIG, kubeconfig: unreadable, identity: 'kubeconfig' }],
    ['and a context', { ...BY_KUBECONFIG, kubeconfig: unreadable, context: 'x', allow_exec: 'true' }],
    [
      'a kubeconfig that is neither content nor a path',
      { ...BY_KUBECONFIG, kubeconfig: 'hunter2 hunter2', identity: 'kubeconfig', context: 'x' },
    ],
    ['a server beside a kubeconfig, whatever it is', { ...BY_KUBECONFIG, server: 'x' }],
    ['a CA beside a kubeconfig, whatever it is', { ...BY_KUBECONFIG, certificate_authority: 'x' }],
    ['a proxy beside a kubeconfig, whatever it is', { ...BY_KUBECONFIG, proxy_url: 'x' }],
    ['a server name beside a kubeconfig, whatever it is', { ...BY_KUBECONFIG, tls_server_name: '_' }],
    ['an unknown allow_exec', { ...BY_KUBECONFIG, allow_exec: 'yes' }],
    ['an unknown allow_exec without a kubeconfig', { allow_exec: 'yes' }],
    ['a context without a kubeconfig', { context: 'x' }],
    ['an identity that is misspelled', { identity: 'in-clustr', server: '', certificate_authority: '' }],
    ['an identity that is misspelled, beside a kubeconfig', { ...BY_KUBECONFIG, identity: 'kubeconfg', context: 'x' }],
    ['an identity that is misspelled, beside a token', { identity: 'tokn', token: 'abcdefghijklmnopqrstuvwxyz' }],
    ['a limit that is none', { max_duration: 'x', duration: '2h' }],
    ['a life that is none', { max_duration: '2h', duration: 'x' }],
    ['a token for the check run that is damaged', { report: 'check', github_token: 'short' }],
    ['an expression for it', { report: 'check', github_token: '${{ github.token }}' }],
    ['no token for the check run', { report: 'check', github_token: '' }],
    ['a report that is misspelled', { report: 'chek', github_token: 'x' }],
    ['a shell that is misspelled', { shell: 'fish', command: 'true' }, { path: '' }],
    ['a shell that is not there', { shell: 'sh', command: 'true' }, { path: '' }],
    ['a command with a NUL', { command: 'a\0b' }],
    ['a program that is not there', {}, { argv: ['no-such-program'] }],
    ['no command', {}, { ...terminal, argv: [] }],
    ['a ServiceAccount that is none', { service_account: 'scanner' }],
    ['no server', { server: '' }],
    ['a server that is none, also as audience', { server: 'http://10.0.0.1' }],
    ['a CA that is damaged', { certificate_authority: 'DATA+OMITTED' }],
    ['a proof that nobody makes', { prove: 'post' }, terminal],
    ['an output that nobody reads', { delivery: 'output', command: 'true' }],
    ['a delivery that is misspelled', { delivery: 'outputs', command: 'true' }],
    ['a required isolation that is misspelled', { isolate: 'requird' }],
    ['a directory that is not there', { directory: unreadable }],
    ['evidence that cannot be written', { evidence: '/proc/nowhere/e.json' }],
    ['a proxy variable', {}, { env: { HTTPS_PROXY: 'http://a:b%@c' } }],
  ])('%s', (_, given, source = {}) => {
    const message = problem({ ...CI, ...given }, source)
    expect(message).not.toMatch(/inputs are wrong/)
    expect(message).not.toContain('hunter2')
  })
})
