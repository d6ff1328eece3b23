import { afterAll, expect } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { admin } from '../cluster/admin.ts'
import { Gateway } from './gateway.ts'
import { base64Of, EXEC_V1, execCredential, execEntry, kubeconfigOf, RunnerDisk, type Fields } from './kubeconfigs.ts'
import {
  clusters,
  inTerminal,
  killWhileScanning,
  ONE_SECRET,
  onEachCi,
  onGithub,
  onGitlab,
  type Fixture,
  SECRETS,
  TOKEN,
  WHOAMI,
} from './scenario.ts'

const disk = new RunnerDisk()
afterAll(() => disk[Symbol.dispose]())

/** The inputs that replace `server` and `certificate_authority`. */
function given(kubeconfig: string, more: Record<string, string> = {}): Record<string, string> {
  return { server: '', certificate_authority: '', kubeconfig, ...more }
}

const IN_AN_HOUR = new Date(Date.now() + 3600_000).toISOString()

interface Authentication {
  user: (fixture: Fixture) => Promise<Fields>
  inputs?: Record<string, string>
  /** Whether the user entry names files. Only a kubeconfig on the runner's disk may do that. */
  files?: true
  shows: 'token' | 'certificate'
}

const authentications: Record<string, Authentication> = {
  'a token': { user: async ({ identityOf }) => ({ token: await identityOf('issuer') }), shows: 'token' },
  'a tokenFile': {
    user: async ({ identityOf }) => ({ tokenFile: disk.write('token', `${await identityOf('issuer')}\n`) }),
    files: true,
    shows: 'token',
  },
  'a client certificate': {
    user: ({ info }) =>
      Promise.resolve({ 'client-certificate-data': base64Of(info.clientCert), 'client-key-data': base64Of(info.clientKey) }),
    shows: 'certificate',
  },
  'the files of a client certificate': {
    user: ({ info }) => Promise.resolve({ 'client-certificate': info.clientCert, 'client-key': info.clientKey }),
    files: true,
    shows: 'certificate',
  },
  'an exec plugin that prints a token': {
    user: async ({ identityOf }) =>
      execEntry(disk.plugin(execCredential({ token: await identityOf('issuer'), expirationTimestamp: IN_AN_HOUR })).command),
    inputs: { allow_exec: 'true' },
    shows: 'token',
  },
  'an exec plugin that prints a client certificate': {
    user: ({ info }) => {
      const [clientCertificateData, clientKeyData] = [info.clientCert, info.clientKey].map((path) => readFileSync(path, 'utf8'))
      return Promise.resolve(execEntry(disk.plugin(execCredential({ clientCertificateData, clientKeyData })).command))
    },
    inputs: { allow_exec: 'true' },
    shows: 'certificate',
  },
}

/** Checks that the identity requested bound Secret, token and deletion, and that the token was used only for its own review. */
function expectSeparateUse({ proxy }: Fixture, shows: Authentication['shows']): void {
  const requests = [...proxy.seen('POST', SECRETS), ...proxy.seen('POST', TOKEN), ...proxy.seen('DELETE', ONE_SECRET)]
  expect(requests.length).toBeGreaterThan(2)
  for (const { bearer, certificate } of requests) {
    expect(certificate).toBe(shows === 'certificate' ? 'ci:client' : '')
    expect(bearer === '').toBe(shows === 'certificate')
  }
  const withToken = proxy.exchanges.filter(({ bearer }) => proxy.tokens.includes(bearer))
  expect(withToken.length).toBeGreaterThan(1)
  for (const { certificate } of withToken) expect(certificate).toBe('')
}

for (const [name, { user, inputs, files, shows }] of Object.entries(authentications)) {
  for (const form of files ? ['path'] : ['path', 'content', 'base64']) {
    onGithub(
      `kubepass uses a kubeconfig with ${name}, given as ${form}`,
      async (fixture) => {
        const { info, job, proxy, step } = fixture
        const text = kubeconfigOf(info, proxy.url, await user(fixture))
        const kubeconfig = form === 'path' ? disk.kubeconfig(text) : form === 'base64' ? Buffer.from(text).toString('base64') : text
        const use = step({ ...given(kubeconfig, inputs), command: 'kubectl get ns kubepass -o name' })
        const main = await use.main()
        expect(main.log).toContain('Identity: kubeconfig, because a kubeconfig was given.')
        expect(main.log).toContain('namespace/kubepass')
        expect(main.log).toMatch(/revoked .*, proven dead/)
        expect(main.log).toContain(`Server          ${proxy.url}`)
        expect(main.code).toBe(0)
        const post = await use.post()
        expect(post.code).toBe(0)
        expect(proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)).toEqual([200, 404])
        expectSeparateUse(fixture, shows)
        expect(job.phases).toHaveLength(2)
      },
      { idToken: false },
    )
  }

  onGithub(
    `after main was killed post revokes with a kubeconfig with ${name}`,
    async (fixture) => {
      const { info, proxy, step } = fixture
      const kubeconfig = disk.kubeconfig(kubeconfigOf(info, proxy.url, await user(fixture)))
      // Post proves with the file of the token.
      const use = step({ ...given(kubeconfig, inputs), command: 'echo started; exec sleep 600', delivery: 'kubeconfig' })
      await killWhileScanning(use)
      const post = await use.post()
      expect(post.code).toBe(0)
      expect(post.log).toMatch(/revoked .*, proven dead/)
      expectSeparateUse(fixture, shows)
    },
    { idToken: false },
  )

  onGitlab(`on GitLab kubepass uses a kubeconfig with ${name} from the variable KUBEPASS_KUBECONFIG`, async (fixture) => {
    const { info, proxy, step } = fixture
    const text = kubeconfigOf(info, proxy.url, await user(fixture))
    const kubeconfig = files ? disk.kubeconfig(text) : Buffer.from(text).toString('base64')
    const kubeconfigInputs = { ...given(kubeconfig, inputs), identity: 'kubeconfig' }
    const scan = step({ ...kubeconfigInputs, command: 'kubectl get ns kubepass -o name' })
    const main = await scan.main()
    expect(main.log).toContain('namespace/kubepass')
    expect(main.code).toBe(0)
    expect((await scan.post()).code).toBe(0)
    const killed = step({ ...kubeconfigInputs, command: 'echo started; exec sleep 600' })
    await killWhileScanning(killed)
    const post = await killed.post()
    expect(post.code).toBe(0)
    expect(post.log).toMatch(/Credential: revoked /)
    expectSeparateUse(fixture, shows)
  })

  inTerminal(`in a terminal kubepass uses a kubeconfig with ${name} from --kubeconfig`, async (fixture) => {
    const { info, proxy, terminal } = fixture
    const path = disk.kubeconfig(kubeconfigOf(info, proxy.url, await user(fixture)))
    const flags = ['--kubeconfig', path, '--service-account', 'kubepass/scanner', ...(inputs ? ['--allow-exec', 'true'] : [])]
    const { code, stdout, stderr } = await terminal.run(['run', ...flags, '--', 'kubectl', 'get', 'ns', 'kubepass', '-o', 'name'])
    expect(stderr).toMatch(/revoked .*, proven dead/)
    expect(stdout).toBe('namespace/kubepass\n')
    expect(code).toBe(0)
    expectSeparateUse(fixture, shows)
  })
}

onGithub(
  'kubepass resolves relative paths in a kubeconfig against its folder',
  async ({ identityOf, info, proxy, step }) => {
    // If the entry has both a path and data, the path counts, as for the Go clients.
    const user = { token: SECRET, tokenFile: 'beside/token' }
    const path = disk.kubeconfig(
      kubeconfigOf(info, proxy.url, user, { 'certificate-authority-data': '', 'certificate-authority': 'ca.crt' }),
    )
    mkdirSync(join(path, '../beside'))
    writeFileSync(join(path, '../beside/token'), await identityOf('issuer'))
    writeFileSync(join(path, '../ca.crt'), readFileSync(info.ca))
    const main = await step({ ...given(path), command: 'true' }).main()
    expect(main.code).toBe(0)
  },
  { idToken: false },
)

onGithub(
  "kubepass reads the kubeconfig's tokenFile again for the revocation",
  async ({ identityOf, info, proxy, step }) => {
    const [first, second] = [await identityOf('issuer'), await identityOf('issuer')]
    const [tokenFile, next] = [disk.write('renewed', first), disk.write('next', second)]
    const main = await step({
      ...given(disk.kubeconfig(kubeconfigOf(info, proxy.url, { tokenFile }))),
      command: `cp ${next} ${tokenFile}`,
    }).main()
    expect(main.code).toBe(0)
    expect(proxy.seen('POST', TOKEN)[0]?.bearer).toBe(first)
    expect(proxy.seen('DELETE', ONE_SECRET)[0]?.bearer).toBe(second)
  },
  { idToken: false },
)

onGithub(
  'a given kubeconfig or token takes precedence over ID tokens that the job may request',
  async ({ identityOf, info, job, proxy, step }) => {
    const token = await identityOf('issuer')
    const kubeconfig = kubeconfigOf(info, proxy.url, { token })
    const before = 'which takes precedence, although the job may request ID tokens'
    const cases = [
      [given(kubeconfig), `Identity: kubeconfig, because a kubeconfig was given, ${before}.`],
      [given(kubeconfig, { identity: 'kubeconfig' }), 'Identity: kubeconfig, because it was asked for.'],
      [{ token }, `Identity: token, because a token was given, ${before}.`],
      [{ token_file: disk.write('explicit', token) }, `Identity: token, because a token was given, ${before}.`],
    ] as const
    for (const [inputs, logLine] of cases) {
      const evidence = join(job.workspace, 'evidence.json')
      const main = await step({ ...inputs, command: 'true', evidence }).main()
      expect(main.log).toContain(logLine)
      expect(main.code).toBe(0)
      expect(logLine).toContain((JSON.parse(readFileSync(evidence, 'utf8')) as { identity: { why: string } }).identity.why)
    }
    expect(job.idTokens.tokens).toEqual([])
    expect((await step({ command: 'true' }).main()).log).toContain('Identity: github-oidc, because the job may request ID tokens.')
  },
)

onGithub('kubepass rejects two given identities unless the input identity names one', async ({ identityOf, info, proxy, step }) => {
  const token = await identityOf('issuer')
  const main = await step({ ...given(kubeconfigOf(info, proxy.url, { token })), token, command: 'true' }).main()
  expect(main.code).toBe(81)
  expect(main.annotations[0]?.message).toMatch(
    /The job has more than one identity: token \(a token was given\) and kubeconfig \(a kubeconfig was given\)\.\nSet identity to one of them/,
  )
  expect(proxy.exchanges).toEqual([])
})

onGitlab(
  'on GitLab a variable with a kubeconfig or token counts only if the input identity names it',
  async ({ identityOf, info, proxy, step }) => {
    const token = await identityOf('issuer')
    const kubeconfig = kubeconfigOf(info, proxy.url, { token })
    for (const inputs of [given(kubeconfig), { token }]) {
      const main = await step({ ...inputs, identity: 'auto', command: 'true' }).main()
      expect(main.code).toBe(81)
      expect(main.log).toMatch(/The job has more than one identity: .* and gitlab-oidc \(the job has an ID token\)/)
    }
    expect(proxy.exchanges).toEqual([])
  },
)

onGithub(
  "the input context selects a context of the kubeconfig, with that context's user and cluster",
  async ({ identityOf, info, proxy, step }) => {
    const kubeconfig = kubeconfigOf(info, proxy.url, { token: await identityOf('issuer') }).replace(
      'current-context: issue',
      'current-context: else',
    )
    const wrong = await step({ ...given(kubeconfig), command: 'true' }).main()
    expect(wrong.code).toBe(80)
    expect(wrong.annotations[0]?.message).toContain('insecure-skip-tls-verify')
    expect(proxy.exchanges).toEqual([])
    const right = await step({ ...given(kubeconfig, { context: 'issue' }), command: 'true' }).main()
    expect(right.code).toBe(0)
  },
  { idToken: false },
)

onGithub(
  "the scan's kubeconfig has the server's name and proxy, and no part of the identity's kubeconfig",
  async ({ identityOf, info, proxy, step }) => {
    using gateway = await Gateway.start()
    const token = await identityOf('issuer')
    const text = kubeconfigOf(info, proxy.url, { token }, { 'tls-server-name': 'kubernetes.test', 'proxy-url': gateway.url })
    const main = await step(
      {
        ...given(text),
        command: `cat ${disk.kubeconfig(text)}; env; kubectl config view; echo "$COPY" | wc -c; kubectl get ns kubepass -o name`,
      },
      { COPY: text },
    ).main()
    expect(main.log).toContain('tls-server-name: kubernetes.test')
    expect(main.log).toContain(`proxy-url: ${gateway.url}`)
    expect(new Set(gateway.targets)).toEqual(new Set([new URL(proxy.url).host]))
    expect(main.log).toContain(`server: ${proxy.url}`)
    expect(main.log).toContain('namespace/kubepass')
    expect(main.log).not.toMatch(/INPUT_|COPY=/)
    expect(main.log).toContain('\n1\n')
    expect(main.code).toBe(0)
  },
  { idToken: false },
)

for (const form of ['base64', 'content'] as const) {
  onGithub(
    `a kubeconfig as ${form} that is also in another variable is withheld from the scan, and its key is masked`,
    async ({ info, proxy, step }) => {
      const text = kubeconfigOf(info, proxy.url, inline)
      const kubeconfig = form === 'base64' ? Buffer.from(text).toString('base64') : text
      const file = disk.write(`copy of ${form}`, kubeconfig)
      const main = await step({ ...given(kubeconfig), command: `echo "<$COPY>"; cat '${file}'` }, { COPY: kubeconfig }).main()
      expect(main.log).toContain('\n<>\n')
      expect(main.code).toBe(0)
    },
    { idToken: false },
  )
}

onGithub(
  "the scan's kubeconfig does not contain a private key that stands beside the CA",
  async ({ info, proxy, step, identityOf }) => {
    const both = disk.write('both.pem', `${readFileSync(info.ca, 'utf8')}${KEY_OF_ANOTHER}`)
    const command = "kubectl config view --raw -o 'jsonpath={.clusters[0].cluster.certificate-authority-data}' | base64 -d"
    const inputs = { certificate_authority: both, token: await identityOf('issuer'), command, delivery: 'kubeconfig' }
    const main = await step({ ...inputs, server: proxy.url }).main()
    expect(main.log).toContain('-----END CERTIFICATE-----')
    expect(main.log).not.toContain('PRIVATE KEY')
    expect(main.code).toBe(0)
  },
  { idToken: false },
)

onGithub("if the CA is the server's own certificate, kubepass trusts only that certificate", async ({ info, proxy, step }) => {
  for (const delivery of ['auto', 'kubeconfig']) {
    const inputs = { certificate_authority: info.serverCert, command: 'kubectl get ns kubepass -o name', delivery }
    const main = await step(inputs).main()
    expect(main.log).toContain('namespace/kubepass')
    expect(main.code).toBe(0)
  }
  const before = proxy.exchanges.length
  // A certificate of the same CA, for clients only.
  for (const certificate_authority of [info.clientCert, info.otherCA])
    expect((await step({ certificate_authority, command: 'true' }).main()).code).toBe(83)
  await proxy.answering('impostor')
  expect((await step({ certificate_authority: info.clientCert, command: 'true' }).main()).code).toBe(83)
  expect(proxy.exchanges).toHaveLength(before)
})

onGithub(
  'if a kubeconfig user has a token and a client certificate, kubepass uses the certificate and logs the choice',
  async (fixture) => {
    const { identityOf, info, proxy, step } = fixture
    const user = { ...inline, token: await identityOf('issuer') }
    const main = await step({ ...given(kubeconfigOf(info, proxy.url, user)), command: `echo ${user.token}` }).main()
    expect(main.log).toContain(
      'Identity: kubeconfig, because a kubeconfig was given; its user has a token and a client certificate: kubepass uses the certificate',
    )
    expect(main.log).toMatch(/^eyJ[\w-]+\.\*\*\*$/m)
    expect(main.code).toBe(0)
    expectSeparateUse(fixture, 'certificate')
  },
  { idToken: false },
)

onGithub(
  'a key whose PEM label does not fit its form is masked in both forms',
  async ({ info, proxy, step }) => {
    const key = createPrivateKey(readFileSync(info.clientKey, 'utf8'))
    const sec1 = key.export({ type: 'sec1', format: 'pem' }).toString().replaceAll('EC PRIVATE KEY', 'PRIVATE KEY')
    const file = disk.write('mislabelled.key', sec1)
    const user = { ...inline, 'client-key-data': Buffer.from(sec1).toString('base64') }
    const command = `cat '${file}' '${info.clientKey}'; base64 -w0 '${file}'`
    const main = await step({ ...given(kubeconfigOf(info, proxy.url, user)), command }).main()
    expect(main.code).toBe(0)
    const shown = main.stdout.replaceAll(/^::add-mask::.*$/gm, '')
    for (const line of `${sec1}\n${readFileSync(info.clientKey, 'utf8')}`
      .split('\n')
      .filter((text) => text.length > 20 && !text.startsWith('-----')))
      expect(shown).not.toContain(line.slice(0, 16))
    expect(shown).not.toContain(Buffer.from(sec1).toString('base64').slice(64, 80))
  },
  { idToken: false },
)

onGithub(
  'the key of a client certificate is masked in all output, except its short lines',
  async ({ info, proxy, step }) => {
    const user = { 'client-certificate-data': base64Of(info.clientCert), 'client-key-data': base64Of(info.clientKey) }
    const main = await step({
      ...given(kubeconfigOf(info, proxy.url, user)),
      command: `cat ${info.clientKey}; base64 -w0 ${info.clientKey}; echo; echo -----BEGIN; echo ==`,
    }).main()
    const [, ...lines] = readFileSync(info.clientKey, 'utf8').trim().split('\n').slice(0, -1)
    for (const line of lines) expect(main.stdout.replaceAll(/^::add-mask::.*$/gm, '')).not.toContain(line.slice(0, 16))
    expect(main.stdout.replaceAll(/^::add-mask::.*$/gm, '')).not.toContain(base64Of(info.clientKey).slice(64, 80))
    expect(main.log).toContain('\n-----BEGIN\n==\n')
    expect(main.masks).not.toContain('-----END PRIVATE KEY-----')
    expect(main.code).toBe(0)
  },
  { idToken: false },
)

onGithub(
  'kubepass shows subject and times of a rejected client certificate in the error',
  async ({ info, step }) => {
    // This certificate is for servers, not for clients.
    const user = { 'client-certificate': info.serverCert, 'client-key': info.serverKey }
    const use = step({ ...given(disk.kubeconfig(kubeconfigOf(info, info.server, user))), command: 'echo ran' })
    const main = await use.main()
    expect(main.code).toBe(82)
    expect(main.annotations[0]?.message).toMatch(
      /401 "Unauthorized"\.\nThe client certificate:\n {2}subject: "CN=kube-apiserver"\n {2}issuer: "CN=kubepass test CA"\n {2}not before: ".*GMT"\n {2}not after: ".*GMT"\nIt is now 20.*Z/,
    )
    expect(main.log).not.toContain('\nran\n')
    expect((await use.post()).code).toBe(0)
  },
  { idToken: false },
)

const { quick } = clusters
const inline = { 'client-certificate-data': base64Of(quick.clientCert), 'client-key-data': base64Of(quick.clientKey) }
const byFile = { 'client-certificate': quick.clientCert, 'client-key': quick.clientKey }

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const KEY_OF_ANOTHER = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const ENCRYPTED = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'hunter2' }).toString()
const SECRET = 'hunter2hunter2hunter2'
const IN_ARGS = 'qw3~er4ty5ui6op7as8df9gh0'

interface Refused {
  user?: Fields
  cluster?: Fields
  /** Replaces the whole kubeconfig. */
  text?: (right: string) => string
  inputs?: Record<string, string>
  /** The message of main. */
  error: RegExp
}

const namesAFile = (field: string): RegExp =>
  new RegExp(`kubeconfig names a file \\(${field}: ".*"\\), but it was given as content: its author could`)

const refused: Record<string, Refused> = {
  'a kubeconfig whose server uses http': {
    cluster: { server: 'http://127.0.0.1:1' },
    error: /has a server, which is "http:\/\/127.0.0.1:1": only https/,
  },
  'a kubeconfig whose server contains a password': {
    cluster: { server: `https://user:${SECRET}@127.0.0.1` },
    error: /server, which holds a user name or password/,
  },
  'a kubeconfig whose http server contains a password': {
    cluster: { server: `http://user:${SECRET}@h` },
    error: /server, which holds a user name or password/,
  },
  'a kubeconfig without a server': { cluster: { server: '' }, error: /has no server for cluster "here"/ },
  'a kubeconfig with insecure-skip-tls-verify': {
    cluster: { 'insecure-skip-tls-verify': true },
    error: /insecure-skip-tls-verify, which would send the credential/,
  },
  'a kubeconfig without certificate-authority-data': {
    cluster: { 'certificate-authority-data': '' },
    error:
      /no certificate-authority-data for its cluster: nothing is trusted on first use\.\nAdd it: the base64.* set certificate_authority to system/,
  },
  'a kubeconfig whose certificate-authority-data is no certificate': {
    cluster: { 'certificate-authority-data': 'AAAA' },
    error: /certificate-authority-data, which holds no certificate/,
  },
  'a kubeconfig whose certificate-authority-data is a path': {
    cluster: { 'certificate-authority-data': '/etc/hostname' },
    error: /certificate-authority-data, which holds no certificate/,
  },
  'a kubeconfig whose proxy-url contains a password': {
    cluster: { 'proxy-url': `http://user:${SECRET}@proxy` },
    error: /proxy-url, which holds a user name or password/,
  },
  'a kubeconfig whose proxy-url names a SOCKS proxy': {
    cluster: { 'proxy-url': 'socks5://127.0.0.1:1' },
    error: /proxy-url, which is neither http nor https/,
  },
  'a kubeconfig with an unknown field of the cluster': {
    cluster: { 'certificate-authoritydata': 'x' },
    error: /field "certificate-authoritydata" that is not known/,
  },
  'a kubeconfig with an auth-provider': {
    user: { 'auth-provider': { name: 'gcp', config: { 'cmd-path': '/bin/sh' } } },
    error: /auth-provider, which Kubernetes 1\.26 has removed/,
  },
  'a kubeconfig with the impersonation field as': {
    user: { token: SECRET, as: 'admin' },
    error: /has as, which makes it act as another user/,
  },
  'a kubeconfig with the impersonation field as-groups': {
    user: { token: SECRET, 'as-groups': ['system:masters'] },
    error: /has as-groups, which makes it act as another user/,
  },
  'a kubeconfig with the impersonation field as-uid': {
    user: { token: SECRET, 'as-uid': '1' },
    error: /has as-uid, which makes it act as another user/,
  },
  'a kubeconfig with the impersonation field as-user-extra': {
    user: { token: SECRET, 'as-user-extra': { x: ['y'] } },
    error: /has as-user-extra, which makes it act as another user/,
  },
  'a kubeconfig whose user has a password': { user: { password: SECRET }, error: /has password, which Kubernetes has not accepted/ },
  'a kubeconfig whose user has a username': {
    user: { username: 'admin', token: SECRET },
    error: /has username, which Kubernetes has not accepted/,
  },
  'a kubeconfig with token-file in place of tokenFile': {
    user: { 'token-file': '/etc/hostname' },
    error: /token-file, which is no field.*\nWrite tokenFile/,
  },
  'a kubeconfig with an unknown field of the user': {
    user: { token: SECRET, 'impersonate-user': 'x' },
    error: /field "impersonate-user" that is not known/,
  },
  'a kubeconfig whose token is a number': { user: { token: 1234567890123456 }, error: /has token, but not as a string/ },
  'a kubeconfig whose token is too short': { user: { token: 'hunter2' }, error: /has a token, which is too short/ },
  'a kubeconfig whose user has no credential': { user: { extensions: [] }, error: /has nothing to authenticate with \(user "issuer"\)/ },
  'a kubeconfig whose user has both a token and exec': {
    user: { token: SECRET, ...execEntry('/bin/true') },
    error: /has token and exec: which of them counts/,
  },
  'a kubeconfig with a client certificate without a key': {
    user: { 'client-certificate-data': 'AAAA' },
    error: /client-certificate without a client-key/,
  },
  'a kubeconfig with a client key without a certificate': {
    user: { 'client-key-data': Buffer.from(KEY_OF_ANOTHER).toString('base64') },
    error: /client-key without a client-certificate/,
  },
  'a kubeconfig whose client-key-data is no private key': {
    user: { 'client-certificate-data': 'AAAA', 'client-key-data': SECRET },
    error: /client-key-data, which holds no private key/,
  },
  'a kubeconfig whose client key belongs to another certificate': {
    user: { ...inline, 'client-key-data': Buffer.from(KEY_OF_ANOTHER).toString('base64') },
    error: /has a client-certificate, which does not belong to its key/,
  },
  'a kubeconfig with an encrypted client key': {
    user: { 'client-certificate-data': 'AAAA', 'client-key-data': Buffer.from(ENCRYPTED).toString('base64') },
    error: /client-key-data, which is encrypted/,
  },
  'a kubeconfig that is given as content and names a tokenFile': { user: { tokenFile: '/etc/hostname' }, error: namesAFile('tokenFile') },
  'a kubeconfig that is given as content and names a client-certificate file': {
    user: { 'client-certificate': '/etc/hostname', 'client-key': '/etc/hostname' },
    error: namesAFile('client-certificate'),
  },
  'a kubeconfig that is given as content and names a client-key file': {
    user: { 'client-certificate-data': 'CERT', 'client-key': '/etc/hostname' },
    text: (right) =>
      right.replace(
        'CERT',
        Buffer.from(readFileSync(new URL('../unit/certificate.ts', import.meta.url), 'utf8').split('`')[1] ?? '').toString('base64'),
      ),
    error: namesAFile('client-key'),
  },
  'a kubeconfig whose tokenFile is a token': {
    user: { tokenFile: `eyJ${SECRET}.${SECRET}` },
    error: /has tokenFile, but not as the path of a file/,
  },
  'a kubeconfig whose client-key is a private key in place of a path': {
    user: { 'client-certificate-data': base64Of(quick.clientCert), 'client-key': KEY_OF_ANOTHER },
    error: /has client-key, but not as the path of a file/,
  },
  'a kubeconfig that is given as content and names a certificate-authority file': {
    cluster: { 'certificate-authority-data': '', 'certificate-authority': '/etc/hostname' },
    error: namesAFile('certificate-authority'),
  },
  'a kubeconfig that runs a program without allow_exec': {
    user: execEntry('/bin/true'),
    error: /names a program to run \(exec: "\/bin\/true"\)\.\nSet allow_exec to true/,
  },
  'a kubeconfig whose exec command has no absolute path': {
    user: execEntry('sh'),
    inputs: { allow_exec: 'true' },
    error: /names the program "sh" without its absolute path.*\nWrite command: \/(usr\/)?bin\/sh$/m,
  },
  'a kubeconfig that is given as content and has a relative exec command': {
    user: execEntry('./plugin'),
    inputs: { allow_exec: 'true' },
    error: /names a file \(exec.command: "\.\/plugin"\), but it was given as content/,
  },
  'a kubeconfig whose exec has an unsupported apiVersion': {
    user: execEntry('/bin/true', { apiVersion: 'client.authentication.k8s.io/v1alpha1' }),
    inputs: { allow_exec: 'true' },
    error: /exec for "client.authentication.k8s.io\/v1alpha1"/,
  },
  'a kubeconfig whose exec has interactiveMode Always': {
    user: execEntry('/bin/true', { interactiveMode: 'Always' }),
    inputs: { allow_exec: 'true' },
    error: /interactiveMode: Always/,
  },
  'a kubeconfig whose exec has no interactiveMode': {
    user: execEntry('/bin/true', { interactiveMode: '' }),
    inputs: { allow_exec: 'true' },
    error: /Add interactiveMode: Never/,
  },
  'a kubeconfig with an unknown field of exec': {
    user: execEntry('/bin/true', { shell: 'x' }),
    inputs: { allow_exec: 'true' },
    error: /field "shell" that is not known \(exec\)/,
  },
  'a kubeconfig whose exec env is a mapping': {
    user: execEntry('/bin/true', { env: { A: 'b' } }),
    inputs: { allow_exec: 'true' },
    error: /env that is no list/,
  },
  'a kubeconfig with a NUL character in an exec argument': {
    user: execEntry('/bin/true', { args: ['--client-secret', `${SECRET}\0`] }),
    inputs: { allow_exec: 'true' },
    error: /has args, which holds a NUL character \(exec\)/,
  },
  'a kubeconfig with a NUL character in an exec variable': {
    user: execEntry('/bin/true', { env: [{ name: 'A', value: `${SECRET}\0` }] }),
    inputs: { allow_exec: 'true' },
    error: /env that is no list/,
  },
  'a kubeconfig without the context that the input context names': {
    inputs: { context: 'nowhere' },
    error: /has no context "nowhere"\.\nIt has "else", "issue", "lost"\./,
  },
  'a kubeconfig whose context names a missing cluster': { inputs: { context: 'lost' }, error: /has no cluster "gone"/ },
  'a kubeconfig without current-context': {
    text: (right) => right.replace('current-context: issue', ''),
    error: /has no current-context\.\nName one/,
  },
  'a kubeconfig with two users of the same name': {
    text: (right) => right.replace('name: somebody', 'name: issuer'),
    error: /has two users "issuer"/,
  },
  'a kubeconfig that is invalid YAML': { text: (right) => `${right}\n  token: "${SECRET}`, error: /is no YAML \([A-Z_]+ in line \d+\)/ },
  'a kubeconfig with a duplicate key': { text: (right) => `${right}\nkind: Config\n`, error: /is no YAML \(DUPLICATE_KEY in line \d+\)/ },
  'a kubeconfig with a YAML tag': {
    text: (right) => right.replace('kind: Config', 'kind: !!js/function "x"'),
    error: /is no YAML \(TAG_RESOLVE_FAILED in line 2\)/,
  },
  'a kubeconfig with a YAML alias': {
    text: (right) => right.replace('kind: Config', 'kind: &a Config\nextensions: *a'),
    error: /holds YAML aliases/,
  },
  'a kubeconfig whose line ends are spaces': {
    text: (right) => right.trim().split('\n').join(' '),
    error: /kubeconfig is on one line: its line ends are lost/,
  },
  'a kubeconfig whose line ends are the characters \\n': {
    text: (right) => right.trim().split('\n').join('\\n'),
    error: /kubeconfig has \\n as text in place of its line ends/,
  },
  'a kubeconfig that is encoded twice in base64': {
    text: (right) => Buffer.from(Buffer.from(right).toString('base64')).toString('base64'),
    error: /kubeconfig is base64 twice over.*kubectl config view --raw --flatten --minify \| base64 -w0/,
  },
  'a kubeconfig whose token kubectl has redacted': {
    user: { token: 'REDACTED' },
    error: /has a token, which is REDACTED, which kubectl config view shows/,
  },
  'a kubeconfig whose certificate-authority-data kubectl has omitted': {
    cluster: { 'certificate-authority-data': 'DATA+OMITTED' },
    error: /has certificate-authority-data, which is DATA\+OMITTED, which kubectl config view shows/,
  },
  'a kubeconfig whose client-key-data kubectl has omitted': {
    user: { ...inline, 'client-key-data': 'DATA+OMITTED' },
    error: /has client-key-data, which is DATA\+OMITTED/,
  },
  'a kubeconfig whose token begins with Bearer': {
    user: { token: `Bearer ${SECRET}` },
    error: /has a token, which begins with a word of the HTTP header/,
  },
  'a kubeconfig whose CA certificate has spaces in place of line ends': {
    cluster: { 'certificate-authority-data': Buffer.from(readFileSync(quick.ca, 'utf8').replaceAll('\n', ' ')).toString('base64') },
    error: /has certificate-authority-data, which has blanks in place of its line ends/,
  },
  'a kubeconfig with two YAML documents': { text: (right) => `${right}---\n${right}`, error: /is no YAML \(MULTIPLE_DOCS/ },
  'a kubeconfig that is a YAML list': { text: () => `- ${SECRET}\n- x\n`, error: /is no kubeconfig/ },
  'a kubeconfig whose kind is not Config': { text: (right) => right.replace('kind: Config', 'kind: Secret'), error: /is no kubeconfig/ },
  'a kubeconfig whose path does not exist': {
    text: () => '/nowhere/kubeconfig',
    error: /kubeconfig names "\/nowhere\/kubeconfig", which cannot be read \(ENOENT\)/,
  },
  'a text that is neither a path nor a kubeconfig': {
    text: () => `eyJ${SECRET}`,
    error: /kubeconfig is neither a kubeconfig nor the path of one/,
  },
  'the input server besides a kubeconfig': {
    inputs: { server: 'https://127.0.0.1:1' },
    error: /server is given, but the identity kubeconfig provides it/,
  },
  'the input certificate_authority besides a kubeconfig': {
    inputs: { certificate_authority: 'x' },
    error: /certificate_authority is given, but the identity kubeconfig provides it/,
  },
  'certificate_authority system besides a kubeconfig with a CA': {
    inputs: { certificate_authority: 'system' },
    error: /has a CA, and certificate_authority is system: which of them counts\.\nLeave one of them out/,
  },
  'the input proxy_url besides a kubeconfig': {
    inputs: { proxy_url: 'http://127.0.0.1:1' },
    error: /proxy_url is given, but the identity kubeconfig provides it/,
  },
  'the input tls_server_name besides a kubeconfig': {
    inputs: { tls_server_name: 'x' },
    error: /tls_server_name is given, but the identity kubeconfig provides it/,
  },
  'a kubeconfig with the identity token': {
    inputs: { identity: 'token', token: SECRET },
    error: /kubeconfig is given, but identity is token/,
  },
  'the identity kubeconfig without a kubeconfig': {
    text: () => '',
    inputs: { identity: 'kubeconfig' },
    error: /identity is kubeconfig, but kubeconfig is not given/,
  },
  'the input allow_exec without a kubeconfig': {
    text: () => '',
    inputs: { allow_exec: 'true' },
    error: /allow_exec is given without kubeconfig/,
  },
  'the input context without a kubeconfig': { text: () => '', inputs: { context: 'x' }, error: /context is given without kubeconfig/ },
}

for (const [name, { user = { token: SECRET }, cluster, text = (right: string): string => right, inputs, error }] of Object.entries(
  refused,
)) {
  onGithub(
    `before any request kubepass rejects ${name}`,
    async ({ info, proxy, step }) => {
      const kubeconfig = text(kubeconfigOf(info, proxy.url, user, cluster))
      const use = step({ ...given(kubeconfig, inputs), command: 'echo ran' })
      const main = await use.main()
      expect(main.annotations).toHaveLength(1)
      expect(main.annotations[0]?.message).toMatch(error)
      expect(main.code).toBe(80)
      expect(main.log).not.toMatch(/hunter2|\nran\n| {4}at /)
      expect((await use.post()).code).toBe(0)
      expect(proxy.exchanges).toEqual([])
    },
    { idToken: false },
  )
}

onGithub(
  'kubepass rejects a kubeconfig that names files and lies in a folder that the job can write',
  async ({ info, identityOf, job, proxy, step }) => {
    const text = kubeconfigOf(info, proxy.url, { tokenFile: disk.write('of the runner', await identityOf('issuer')) })
    const outside = disk.kubeconfig(text)
    const inside = join(job.workspace, 'config')
    writeFileSync(inside, text)
    const linkInside = join(job.workspace, 'link')
    symlinkSync(outside, linkInside)
    const linkToInside = join(disk.folder, 'link to the workspace')
    symlinkSync(inside, linkToInside)
    const fileVariables = `${job.workspace}.tmp`
    mkdirSync(fileVariables)
    writeFileSync(join(fileVariables, 'KUBECONFIG'), text)
    for (const path of [inside, 'config', linkInside, linkToInside, join(fileVariables, 'KUBECONFIG')]) {
      const main = await step({ ...given(path), command: 'true' }).main()
      expect([path, main.code]).toEqual([path, 80])
      expect(main.annotations[0]?.message).toMatch(/names a file \(tokenFile: ".*"\), but it lies in ".*repo(\.tmp)?": its author/)
    }
    expect(proxy.exchanges).toEqual([])
    expect((await step({ ...given(outside), command: 'true' }).main()).code).toBe(0)
    // A kubeconfig that names no file may lie anywhere.
    writeFileSync(inside, kubeconfigOf(info, proxy.url, { token: await identityOf('issuer') }))
    expect((await step({ ...given('config'), command: 'true' }).main()).code).toBe(0)
    rmSync(inside)
    rmSync(linkInside)
  },
  { idToken: false },
)

onGitlab(
  'a kubeconfig in a file variable of GitLab counts as content, not as a path',
  async ({ job, step }) => {
    const use = (name: string): ReturnType<typeof step> =>
      step({ ...given(join(job.projectTemp, name)), identity: 'kubeconfig', command: 'kubectl get ns kubepass -o name' })
    const refused = await use('BY_FILE').main()
    expect(refused.code).toBe(80)
    expect(refused.log).toMatch(/KUBEPASS_KUBECONFIG names a file \(client-certificate: ".*"\), but it lies in ".*\/project\.tmp"/)
    const main = await use('INLINE').main()
    expect(main.log).toContain('namespace/kubepass')
    expect(main.code).toBe(0)
  },
  { fileVariables: { INLINE: kubeconfigOf(quick, quick.server, inline), BY_FILE: kubeconfigOf(quick, quick.server, byFile) } },
)

onGithub(
  'post uses the kubeconfig only for the server in the run state',
  async ({ info, identityOf, proxy, step }) => {
    const text = kubeconfigOf(info, proxy.url, { token: await identityOf('issuer') })
    const path = disk.kubeconfig(text)
    const use = step(given(path))
    await use.main()
    const before = proxy.exchanges.length
    writeFileSync(path, text.replace(proxy.url, info.server))
    const withOtherServer = await use.post()
    expect(withOtherServer.code).toBe(86)
    expect(withOtherServer.annotations[0]?.message).toMatch(/is not of this run, or its server/)
    expect(proxy.exchanges).toHaveLength(before)
    rmSync(path)
    const withoutFile = await use.post()
    expect(withoutFile.code).toBe(86)
    expect(withoutFile.annotations[0]?.message).toMatch(/was not revoked here\. It is dead by 20[^]*cannot be read \(ENOENT\)/)
    writeFileSync(path, text)
    expect((await use.post()).code).toBe(0)
  },
  { idToken: false },
)

onGithub(
  'kubepass gives an exec plugin the same information as client-go, and keeps its credential until shortly before it expires',
  async ({ info, identityOf, proxy, step }) => {
    using gateway = await Gateway.start()
    const token = await identityOf('issuer')
    const soon = new Date(Date.now() + 50_000).toISOString()
    const checks = '[ "$REGION" = eu-west-1 ] && [ "$1" = get-token ] && ! env | grep -q -e ^INPUT_ -e ^STATE_ || exit 8'
    for (const [expirationTimestamp, runs] of [
      [IN_AN_HOUR, 1],
      [soon, 2],
      [undefined, 2],
    ] as const) {
      const plugin = disk.plugin(execCredential({ token, ...(expirationTimestamp && { expirationTimestamp }) }), checks)
      const env = [
        { name: 'REGION', value: 'eu-west-1' },
        { name: 'CLIENT_SECRET', value: SECRET },
      ]
      const args = [
        'get-token',
        '--client-secret',
        IN_ARGS,
        `--password=${IN_ARGS.toUpperCase()}`,
        '--token-cache-dir',
        '/home/runner/work/cache',
      ]
      const user = execEntry(plugin.command, { env, args, provideClusterInfo: true })
      const cluster = {
        'tls-server-name': 'kubernetes.test',
        'proxy-url': gateway.url,
        extensions: [{ name: 'client.authentication.k8s.io/exec', extension: { audience: 'mine' } }],
      }
      const text = kubeconfigOf(info, proxy.url, user, cluster)
      const inputs = given(text, { allow_exec: 'true' })
      const command = `echo eu-west-1 ${SECRET} ${IN_ARGS} ${IN_ARGS.toUpperCase()} /home/runner/work/cache; echo "<$COPY>"`
      const main = await step({ ...inputs, command }, { COPY: args.join(' ') }).main()
      expect(main.annotations).toEqual([])
      expect(main.log).toContain('\neu-west-1 *** *** *** /home/runner/work/cache\n<>\n')
      expect(main.code).toBe(0)
      const execInfo = {
        apiVersion: EXEC_V1,
        kind: 'ExecCredential',
        spec: {
          interactive: false,
          cluster: {
            server: proxy.url,
            'certificate-authority-data': base64Of(info.ca),
            'tls-server-name': 'kubernetes.test',
            'proxy-url': `${gateway.url}/`,
            config: { audience: 'mine' },
          },
        },
      }
      expect(plugin.execInfos()).toEqual(Array.from({ length: runs }, () => execInfo))
    }
  },
  { idToken: false },
)

onGithub(
  'kubepass supports exec plugins of v1beta1, and gives a plugin the cluster only with provideClusterInfo',
  async ({ info, identityOf, proxy, step }) => {
    const apiVersion = 'client.authentication.k8s.io/v1beta1'
    const plugin = disk.plugin(execCredential({ token: await identityOf('issuer'), expirationTimestamp: IN_AN_HOUR }, apiVersion))
    const user = execEntry(plugin.command, { apiVersion, interactiveMode: '', args: null, provideClusterInfo: false })
    const main = await step({ ...given(kubeconfigOf(info, proxy.url, user), { allow_exec: 'true' }), command: 'true' }).main()
    expect(main.code).toBe(0)
    expect(plugin.execInfos()).toEqual([{ apiVersion, kind: 'ExecCredential', spec: { interactive: false } }])
  },
  { idToken: false },
)

const LONG = 'k8s-aws-v1.aHR0cHM6Ly9zdHMuZXUtd2VzdC0xLmFtYXpvbmF3cy5jb20'
const EXPIRED = [{ alg: 'RS256' }, { exp: Math.floor(Date.now() / 1000) - 90_000 }, SECRET]
  .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
  .join('.')
const failures: Record<string, { prints?: string; script?: string; error: RegExp }> = {
  'that exits with code 3': {
    script: `echo first >&2; echo "::error::no $'login' for ${LONG}" >&2; exit 3`,
    error: /ended with exit code 3\.\nThe last lines of its standard error:\n {2}"first"\n {2}"::error::no \$'login' for \.\.\."\n/,
  },
  'that fails after 5000 lines of standard error': {
    script: 'for n in $(seq 1 5000); do echo "line $n of what went wrong" >&2; done; exit 1',
    error:
      /The last lines of its standard error:\n {2}"line 4991 of what went wrong"\n(?: {2}"line \d+ of what went wrong"\n){8} {2}"line 5000 of what went wrong"$/,
  },
  'that fails after an unterminated line of 3 MB': {
    script: `yes '${SECRET}' | head -c 3000000 | tr -d '\\n' >&2; echo ' failed' >&2; exit 1`,
    error: /The last lines of its standard error:\n {2}" failed"$/,
  },
  'that colours its standard error': {
    script: `printf '\\033[31mfirst\\r\\033[2Ksecond\\033[0m\\n\\n  \\nthird' >&2; exit 1`,
    error: /The last lines of its standard error:\n {2}"first"\n {2}"second"\n {2}"third"$/,
  },
  'that waits for a sign-in': {
    script:
      'echo "To sign in, use a web browser to open the page https://microsoft.com/devicelogin and enter the code ABCDEFGHI to authenticate." >&2; sleep 600',
    error:
      /did not end in time\.\nThe last lines of its standard error:\n {2}"To sign in, .* https:\/\/microsoft\.com\/devicelogin and enter the code ABCDEFGHI to authenticate\."\nIf it asks for a sign-in: in a job it gets no answer\..*\nIf it needs longer, raise deadline\.$/,
  },
  'that prints a URL with a secret': {
    script: `echo 'Open https://example.com/device/${LONG}' >&2; exit 1`,
    error: /The last lines of its standard error:\n {2}"Open \.\.\."$/,
  },
  'that prints no credential and an instruction on standard error': {
    prints: '',
    script: 'echo "Please run: az login" >&2',
    error: /is no JSON object\.\nThe last lines of its standard error:\n {2}"Please run: az login"\nIf it asks/,
  },
  'that prints a token in quotes': { prints: execCredential({ token: `"${SECRET}"` }), error: /its status\.token is in quotes/ },
  'that prints an expired token': {
    prints: execCredential({ token: EXPIRED }),
    error: /^The identity's token expired 1 day ago\./,
  },
  'that is killed by SIGKILL': { script: 'kill -9 $$', error: /ended with SIGKILL\.$/ },
  'that prints nothing': { prints: '', error: /printed no credential: its answer is no JSON object\.$/ },
  'that prints no JSON': { prints: `token=${SECRET}`, error: /printed no credential: its answer is no JSON object\.$/ },
  'that prints an object of another kind': { prints: `{"kind":"Secret","x":"${SECRET}"}`, error: /its answer is no ExecCredential/ },
  'that prints another apiVersion': {
    prints: execCredential({ token: SECRET }, 'client.authentication.k8s.io/v1beta1'),
    error: /its answer is not of client\.authentication\.k8s\.io\/v1, the version in the kubeconfig/,
  },
  'that prints no status': {
    prints: JSON.stringify({ apiVersion: EXEC_V1, kind: 'ExecCredential' }),
    error: /neither a token nor a client certificate/,
  },
  'that prints a certificate without a key': { prints: execCredential({ clientCertificateData: 'x' }), error: /neither a token nor/ },
  'that prints a token with a line end': {
    prints: execCredential({ token: `${SECRET}\nX-Evil: 1` }),
    error: /its status\.token holds characters/,
  },
  'that prints a key of another certificate': {
    prints: 'PAIR',
    error: /its status\.clientCertificateData does not belong to its key/,
  },
  'that prints both a token and a client certificate': { prints: 'BOTH', error: /a token and a client certificate: which of them counts/ },
  'that prints a secret key on standard error': {
    script: 'echo "cannot sign with wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" >&2; exit 1',
    error: /exit code 1\.\nThe last lines of its standard error:\n {2}"cannot sign with \.\.\."$/,
  },
  'that prints endless output': { script: 'yes', error: /printed over 1 MiB\.$/ },
  'that hangs with a child process': {
    script: 'sleep 600 & sleep 600',
    error: /did not end in time\.\nIf it needs longer, raise deadline\.$/,
  },
}

for (const [plugin, { prints = '{}', script = '', error }] of Object.entries(failures)) {
  onGithub(
    `kubepass reports an exec plugin ${plugin}`,
    async ({ info, proxy, step }) => {
      const certificate = readFileSync(info.clientCert, 'utf8')
      const pair = { clientCertificateData: certificate, clientKeyData: KEY_OF_ANOTHER }
      const answer = prints === 'PAIR' ? execCredential(pair) : prints === 'BOTH' ? execCredential({ ...pair, token: SECRET }) : prints
      const { command } = disk.plugin(answer, script)
      const inputs = { allow_exec: 'true', deadline: /hangs|waits/.test(plugin) ? '2s' : '60s' }
      const use = step({ ...given(kubeconfigOf(info, proxy.url, execEntry(command)), inputs), command: 'echo ran' })
      const main = await use.main()
      expect(main.annotations).toHaveLength(1)
      expect(main.annotations[0]?.message).toMatch(error)
      if (!plugin.includes('expired')) expect(main.annotations[0]?.message).toContain(`The program of the kubeconfig, "${command}", `)
      expect(main.code).toBe(81)
      expect(main.log).not.toMatch(/hunter2|\nran\n|aHR0cHM6/)
      expect((await use.post()).code).toBe(0)
      expect(proxy.exchanges).toEqual([])
    },
    { idToken: false },
  )
}

onGithub(
  'kubepass uses the credential of an exec plugin that leaves processes behind, and kills these',
  async ({ info, identityOf, proxy, step }) => {
    const token = await identityOf('issuer')
    // The first process leaves the group, keeps the output open longer than kubepass waits, and ends by itself.
    for (const leaves of ['setsid sleep 2 &', 'sleep 600 &', 'sleep 600 >/dev/null 2>&1 &']) {
      const { command } = disk.plugin(execCredential({ token, expirationTimestamp: IN_AN_HOUR }), leaves)
      const inputs = given(kubeconfigOf(info, proxy.url, execEntry(command)), { allow_exec: 'true', deadline: '10s' })
      const main = await step({ ...inputs, command: 'true' }).main()
      expect([leaves, main.code]).toEqual([leaves, 0])
    }
  },
  { idToken: false },
)

onGithub(
  'kubepass reports an exec plugin whose environment is too large for a process',
  async ({ info, proxy, step }) => {
    const { command } = disk.plugin('{}')
    const manyCAs = Buffer.from(readFileSync(info.ca, 'utf8').repeat(300)).toString('base64')
    const user = execEntry(command, { provideClusterInfo: true })
    const text = kubeconfigOf(info, proxy.url, user, { 'certificate-authority-data': manyCAs })
    const main = await step({ ...given(disk.kubeconfig(text), { allow_exec: 'true' }), command: 'true' }).main()
    expect(main.code).toBe(81)
    expect(main.annotations[0]?.message).toContain('could not be started (E2BIG)')
    expect(proxy.exchanges).toEqual([])
  },
  { idToken: false },
)

onEachCi('kubepass gives an exec plugin no variable of its own, in main and in post', async ({ info, identityOf, proxy, step }) => {
  const checks = '! env | grep -q -e ^INPUT_ -e ^STATE_ -e ^KUBEPASS_ || exit 8'
  const plugin = disk.plugin(execCredential({ token: await identityOf('issuer') }), checks)
  const inputs = given(kubeconfigOf(info, proxy.url, execEntry(plugin.command)), { allow_exec: 'true', identity: 'kubeconfig' })
  const use = step({ ...inputs, command: 'true' })
  const main = await use.main()
  expect(main.log).not.toContain('exit code 8')
  expect(main.code).toBe(0)
  const runs = plugin.execInfos().length
  const post = await use.post()
  expect(post.log).not.toContain('exit code 8')
  expect(post.code).toBe(0)
  expect(plugin.execInfos().length).toBeGreaterThan(runs)
})

onGithub(
  "kubepass shows the kubeconfig's install hint in the error about a missing exec plugin",
  async ({ info, proxy, step }) => {
    const user = execEntry('/nowhere/plugin', { installHint: 'Install it.\n::error::pwned' })
    const main = await step({ ...given(kubeconfigOf(info, proxy.url, user), { allow_exec: 'true' }), command: 'true' }).main()
    expect(main.code).toBe(81)
    expect(main.annotations.map(({ message }) => message)).toEqual([
      'The program of the kubeconfig, "/nowhere/plugin", could not be started (ENOENT).\n' +
        String.raw`The kubeconfig says: "Install it.\n::error::pwned"`,
    ])
  },
  { idToken: false },
)

onGithub(
  'when the job is cancelled while an exec plugin hangs, main ends at once',
  async ({ info, proxy, step }) => {
    const hangs = join(disk.folder, 'hangs')
    execFileSync('mkfifo', [hangs])
    const { command } = disk.plugin('{}', `echo here > '${hangs}'; sleep 600`)
    const phase = step({ ...given(kubeconfigOf(info, proxy.url, execEntry(command)), { allow_exec: 'true' }), command: 'true' }).start(
      'main',
    )
    expect(await readFile(hangs, 'utf8')).toBe('here\n')
    const { code } = await phase.cancel()
    expect(code).toBe(130)
  },
  { idToken: false },
)

onGithub(
  'post names the time at which the token is dead in the error about a missing exec plugin',
  async ({ info, identityOf, proxy, step }) => {
    const { command } = disk.plugin(execCredential({ token: await identityOf('issuer'), expirationTimestamp: IN_AN_HOUR }))
    const use = step(given(kubeconfigOf(info, proxy.url, execEntry(command)), { allow_exec: 'true' }))
    await use.main()
    renameSync(command, `${command}.away`)
    const failed = await use.post()
    expect(failed.code).toBe(86)
    expect(failed.annotations.at(-1)?.message).toMatch(/could not be revoked\. It is dead by 20[^]*could not be started \(ENOENT\)/)
    renameSync(`${command}.away`, command)
    expect((await use.post()).code).toBe(0)
  },
  { idToken: false },
)

inTerminal(
  'in a terminal kubepass finds the exec plugin on PATH or beside the kubeconfig',
  async ({ info, identityOf, proxy, terminal }) => {
    const plugin = disk.plugin(execCredential({ token: await identityOf('issuer'), expirationTimestamp: IN_AN_HOUR }))
    const run = (command: string, PATH: string): Promise<{ code: number | null; stderr: string }> => {
      const path = disk.kubeconfig(kubeconfigOf(info, proxy.url, execEntry(command)))
      symlinkSync(plugin.command, join(path, '../beside'))
      const flags = ['--kubeconfig', path, '--service-account', 'kubepass/scanner', '--allow-exec', 'true']
      return terminal.run(['run', ...flags, '--', 'true'], { env: { PATH } })
    }
    const PATH = '/usr/bin:/bin'
    expect(await run(plugin.command.slice(disk.folder.length + 1), `${disk.folder}:${PATH}`)).toMatchObject({ code: 0 })
    expect(await run('./beside', PATH)).toMatchObject({ code: 0 })
    expect(await run('no-such-plugin', PATH)).toMatchObject({ code: 81, stderr: expect.stringContaining('ENOENT') as unknown })
  },
)

inTerminal('kubepass rejects the content of a kubeconfig on the command line', async ({ info, identityOf, proxy, terminal }) => {
  const text = kubeconfigOf(info, proxy.url, { token: await identityOf('issuer') })
  for (const content of [text, Buffer.from(text).toString('base64')]) {
    const { code, stderr } = await terminal.run(['run', '--kubeconfig', content, '--service-account', 'kubepass/scanner', '--', 'true'])
    expect(code).toBe(80)
    expect(stderr).toContain('The content of a kubeconfig was given on the command line, which every user of the machine can read.')
  }
  expect(proxy.exchanges).toEqual([])
})

inTerminal("revoke finishes a killed run with the run's kubeconfig", async ({ info, proxy, terminal }) => {
  const user = { 'client-certificate': info.clientCert, 'client-key': info.clientKey }
  const flags = ['--kubeconfig', disk.kubeconfig(kubeconfigOf(info, proxy.url, user)), '--service-account', 'kubepass/scanner']
  const child = terminal.start(['run', ...flags, '--delivery', 'kubeconfig', '--', 'sh', '-c', 'echo started; exec sleep 600'])
  await child.seen('started')
  child.kill('SIGKILL')
  await child.exited
  const state = execFileSync('find', [terminal.tmp, '-name', '*.state.json'], { encoding: 'utf8' }).trim()
  const { code, stderr } = await terminal.run(['revoke', ...flags, state])
  expect(code).toBe(0)
  expect(stderr).toMatch(/revoked .*, proven dead/)
  const withToken = proxy.seen('POST', WHOAMI).filter(({ bearer }) => bearer === proxy.tokens[0])
  expect(withToken.length).toBeGreaterThan(0)
  expect(withToken.every(({ certificate }) => certificate === '')).toBe(true)
  expect((await admin(info).whoami(proxy.tokens[0] ?? '')).status).toBe(401)
})
