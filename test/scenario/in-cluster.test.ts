import { afterAll, expect, test } from '@jest/globals'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { admin } from '../cluster/admin.ts'
import { RunnerDisk } from './kubeconfigs.ts'
import { actionInPod, IN_POD, IN_POD_AS_USER, Pod, POD_TOKEN, programInPod, whyNoPod } from './pod.ts'
import {
  inTerminal as inTerminalHere,
  killWhileScanning,
  ONE_SECRET,
  onGithub as onGithubHere,
  onGitlab as onGitlabHere,
  TOKEN,
} from './scenario.ts'

const disk = new RunnerDisk()
afterAll(() => disk[Symbol.dispose]())

const reason = whyNoPod()
if (reason !== undefined) console.warn(`The scenarios in a Pod are skipped: ${reason}.`)
const skipped = (name: string): void => test.skip(name, () => undefined)
const onGithub: typeof onGithubHere = reason === undefined ? onGithubHere : skipped
const onGitlab: typeof onGitlabHere = reason === undefined ? onGitlabHere : skipped
const inTerminal: typeof inTerminalHere = reason === undefined ? inTerminalHere : skipped

const action = actionInPod(join(disk.folder, 'action'))
const NO_CLUSTER = { server: '', certificate_authority: '' }

for (const [choice, inputs, why] of [
  ['asked for', { identity: 'in-cluster' }, 'it was asked for'],
  ['the only identity there is', {}, 'nothing else was given, and the job runs in a Pod'],
] as const) {
  onGithub(
    `in-cluster, ${choice}: kubepass takes server and CA from the Pod`,
    async ({ info, identityOf, job, proxy, step }) => {
      await using pod = await Pod.start({ token: await identityOf('issuer'), ca: info.ca })
      Object.assign(job.env, pod.variables(proxy))
      const use = step({ ...NO_CLUSTER, ...inputs, command: 'kubectl get ns kubepass -o name' })
      const main = await use.main()
      expect(main.log).toContain(`Identity: in-cluster, because ${why}.`)
      expect(main.log).toContain('namespace/kubepass')
      expect(main.log).toMatch(/revoked .*, proven dead/)
      expect(main.code).toBe(0)
      const post = await use.post()
      expect(post.code).toBe(0)
      expect(proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)).toEqual([200, 404])
    },
    { idToken: false, action },
  )
}

onGithub(
  "after main was killed post revokes as the Pod's ServiceAccount",
  async ({ info, identityOf, job, proxy, step }) => {
    await using pod = await Pod.start({ token: await identityOf('issuer'), ca: info.ca })
    Object.assign(job.env, pod.variables(proxy))
    const use = step({ ...NO_CLUSTER, command: 'echo started; exec sleep 600', delivery: 'kubeconfig' })
    await killWhileScanning(use)
    const post = await use.post()
    expect(post.code).toBe(0)
    expect(post.log).toMatch(/revoked .*, proven dead/)
  },
  { idToken: false, action },
)

onGithub(
  "when the Pod's token rotates during the scan, kubepass revokes with the new one",
  async ({ info, identityOf, job, proxy, step }) => {
    const { create, delete: remove, whoami } = admin(info)
    const secrets = '/api/v1/namespaces/kubepass-issuer/secrets'
    const boundTo = `pod-${job.runId}`
    await create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata: { name: boundTo } })
    const { body } = await create<{ status: { token: string } }>('/api/v1/namespaces/kubepass-issuer/serviceaccounts/issuer/token', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { boundObjectRef: { apiVersion: 'v1', kind: 'Secret', name: boundTo } },
    })
    const [old, next] = [body.status.token, await identityOf('issuer')]
    await using pod = await Pod.start({ token: old, ca: info.ca })
    Object.assign(job.env, pod.variables(proxy))
    const go = join(disk.folder, 'go')
    execFileSync('mkfifo', [go])
    const phase = step({ ...NO_CLUSTER, command: `echo started; cat ${go}` }).start('main')
    await phase.seen('started')
    pod.write('token', next)
    await remove(`${secrets}/${boundTo}`)
    // The API server's cache sees a deletion a moment later.
    while ((await whoami(old)).status !== 401) await delay(20)
    writeFileSync(go, 'ended\n')
    const main = await phase.done
    expect(main.log).toContain('\nended\n')
    expect(main.log).toMatch(/revoked .*, proven dead/)
    expect(main.code).toBe(0)
    expect(proxy.seen('POST', TOKEN)[0]?.bearer).toBe(old)
    expect(proxy.seen('DELETE', ONE_SECRET)[0]?.bearer).toBe(next)
  },
  { idToken: false, action },
)

onGithub(
  "kubepass masks the Pod's token",
  async ({ info, identityOf, job, proxy, step }) => {
    await using pod = await Pod.start({ token: await identityOf('issuer'), ca: info.ca })
    Object.assign(job.env, pod.variables(proxy))
    const main = await step({ ...NO_CLUSTER, command: `cat ${POD_TOKEN}`, isolate: 'off' }).main()
    expect(main.log).toMatch(/\n[\w.-]*\*\*\*\n/)
    expect(main.code).toBe(0)
  },
  { idToken: false, action },
)

onGithub(
  "kubepass accepts a ca.crt of the Pod that is the server's own certificate",
  async ({ info, identityOf, job, proxy, step }) => {
    await using pod = await Pod.start({ token: await identityOf('issuer'), ca: info.serverCert })
    Object.assign(job.env, pod.variables(proxy))
    const main = await step({ ...NO_CLUSTER, command: 'kubectl get ns kubepass -o name' }).main()
    expect(main.log).toContain('namespace/kubepass')
    expect(main.code).toBe(0)
  },
  { idToken: false, action },
)

onGithub(
  'when an earlier step changes KUBERNETES_SERVICE_HOST, the certificate of the other server does not verify',
  async ({ info, identityOf, job, proxy, step }) => {
    await using pod = await Pod.start({ token: await identityOf('issuer'), ca: info.otherCA })
    Object.assign(job.env, pod.variables(proxy))
    const main = await step({ ...NO_CLUSTER, command: 'true' }).main()
    expect(main.code).toBe(83)
    expect(proxy.exchanges).toEqual([])
  },
  { idToken: false, action },
)

onGithub(
  'in a Pod, a job that may request ID tokens must set server or identity, too',
  async ({ info, identityOf, job, proxy, step }) => {
    await using pod = await Pod.start({ token: await identityOf('issuer'), ca: info.ca })
    Object.assign(job.env, pod.variables(proxy))
    const main = await step({ ...NO_CLUSTER, command: 'true' }).main()
    expect(main.code).toBe(80)
    expect(main.annotations[0]?.message).toBe(
      'server and certificate_authority are missing: the identity github-oidc does not provide them.\n' +
        'Give both, for example https://10.0.0.1:6443 and /etc/kubernetes/pki/ca.crt; ' +
        'or set identity to in-cluster for the API server of this Pod.',
    )
    const named = await step({ command: 'true' }).main()
    expect(named.log).toContain('Identity: github-oidc')
    expect(named.code).toBe(0)
  },
  { action },
)

onGithub(
  "a problem with the Pod's files is an error before any request",
  async ({ info, identityOf, job, proxy, step }) => {
    await using pod = await Pod.start({ token: await identityOf('issuer'), ca: info.ca })
    Object.assign(job.env, pod.variables(proxy))
    const inputs = { ...NO_CLUSTER, identity: 'in-cluster', command: 'true' }
    const messageFor = async (more: Record<string, string> = {}): Promise<string | undefined> => {
      const main = await step({ ...inputs, ...more }).main()
      expect(main.code).toBe(80)
      return main.annotations[0]?.message
    }
    expect(await messageFor({ server: proxy.url })).toContain(
      'server is given, but the identity in-cluster provides it: leave one of them out',
    )
    const swallowed = { proxy_url: 'http://127.0.0.1:1', tls_server_name: 'no.such.name', token_file: POD_TOKEN }
    for (const id of Object.keys(swallowed))
      expect(await messageFor(swallowed)).toContain(`${id} is given, but the identity in-cluster provides it: leave one of them out`)
    const elsewhere = await step({ command: 'true' }).main()
    expect(elsewhere.code).toBe(81)
    expect(elsewhere.annotations[0]?.message).toContain('The job has no identity')
    pod.write('token', 'short')
    expect(await messageFor()).toContain('its token is too short to be a token')
    pod.write('ca.crt', '')
    expect(await messageFor()).toMatch(/its ca\.crt holds no certificate that can be read\.\nRun the job in a Pod of the cluster/)
    expect(proxy.exchanges).toEqual([])
  },
  { idToken: false, action },
)

onGitlab(
  "on GitLab: identity in-cluster works in script and after_script, and kubepass sends the job's ID token nowhere",
  async ({ info, identityOf, job, proxy, step }) => {
    await using pod = await Pod.start({ token: await identityOf('issuer'), ca: info.ca })
    Object.assign(job.env, pod.variables(proxy))
    const inputs = {
      ...NO_CLUSTER,
      identity: 'in-cluster',
      program: 'standalone',
      program_url: programInPod(join(disk.folder, 'kubepass')),
    }
    const scan = step({ ...inputs, command: 'kubectl get ns kubepass -o name' })
    const main = await scan.main()
    expect(main.log).toContain('Identity: in-cluster, because it was asked for.')
    expect(main.log).toContain('namespace/kubepass')
    expect(main.code).toBe(0)
    const post = await scan.post()
    expect(post.code).toBe(0)
    expect(proxy.seen('DELETE', ONE_SECRET).map(({ status }) => status)).toEqual([200, 404, 404, 404])
    expect(job.secrets.length).toBeGreaterThan(0)
    expect(proxy.exchanges.filter(({ bearer }) => job.secrets.includes(bearer))).toEqual([])
  },
)

onGithubHere('the error about an identity that GitHub does not have names the available ones', async ({ step, proxy }) => {
  const main = await step({ identity: 'gitlab-oidc', command: 'true' }).main()
  expect(main.code).toBe(81)
  expect(main.annotations[0]?.message).toBe(
    'The identity gitlab-oidc is not available on GitHub.\n' +
      'Available: github-oidc (the job may request ID tokens). Set identity to that, or leave it out.',
  )
  expect(proxy.exchanges).toEqual([])
})

inTerminalHere('the error about an identity that a terminal does not have names the available ones', async ({ terminal, flags, proxy }) => {
  const { code, stderr } = await terminal.run(['run', ...flags, '--identity', 'github-oidc', '--', 'true'])
  expect(code).toBe(81)
  expect(stderr).toContain('The identity github-oidc is not available in a terminal.\nGive --token-file or --kubeconfig.')
  expect(proxy.exchanges).toEqual([])
})

onGithubHere(
  'identity in-cluster outside a Pod is an error',
  async ({ proxy, step }) => {
    const main = await step({ ...NO_CLUSTER, identity: 'in-cluster', command: 'true' }).main()
    expect(main.code).toBe(80)
    expect(main.annotations[0]?.message).toMatch(/kubepass does not run in a Pod with a ServiceAccount token: KUBERNETES_SERVICE_HOST and/)
    const auto = await step(
      { ...NO_CLUSTER, command: 'true' },
      { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: '1' },
    ).main()
    expect(auto.code).toBe(80)
    expect(auto.annotations[0]?.message).toContain('server is missing')
    expect(proxy.exchanges).toEqual([])
  },
  { idToken: false },
)

inTerminal('in a shell in a Pod, --service-account is the only necessary flag', async ({ info, identityOf, proxy, terminal }) => {
  await using pod = await Pod.start({ token: await identityOf('issuer'), ca: info.ca })
  const env = pod.variables(proxy)
  for (const flags of [[], ['--identity', 'in-cluster']]) {
    const args = ['run', '--service-account', 'kubepass/scanner', ...flags, '--', 'kubectl', 'get', 'ns', 'kubepass', '-o', 'name']
    const { code, stdout, stderr } = await terminal.shell(IN_POD, args, { env })
    expect(stderr).toMatch(/revoked .*, proven dead/)
    expect(stdout).toBe('namespace/kubepass\n')
    expect(code).toBe(0)
  }
})

/** Each way to the Pod's token prints whether it succeeded. The last ones would remove the simulated Pod's token. */
const WAYS = `
folder=${dirname(POD_TOKEN)}
try() { name=$1; shift; if "$@" >/dev/null 2>&1; then echo "$name: yes"; else echo "$name: no"; fi; }
try 'by its name' grep -q . "$folder/token"
try 'by its name without links' grep -q . "$(readlink -f /var/run)/secrets/kubernetes.io/serviceaccount/token"
try 'by another root' grep -q . "/proc/self/root$folder/token"
try 'by its folder' sh -c "ls -A '$folder' | grep -q ."
try 'by kubectl' env -u KUBECONFIG kubectl auth whoami
try 'variables' sh -c 'env | grep -q ^KUBERNETES_SERVICE_'
[ "$1" = harmless ] && exit
try 'by the root of the first process' grep -q . "/proc/1/root$folder/token"
try 'a file in its place' touch "$folder/token"
try 'its mount taken away' umount "$folder"
try 'its mount taken away later' umount -l "$folder"
try 'its mount changed' mount -o remount,rw "$folder"
try 'its mount taken away elsewhere' unshare --user --map-root-user --mount umount "$folder"
try 'namespaces of the first process' nsenter --target 1 --user --mount true
try 'the namespace of mounts' nsenter --target 1 --mount true
`

function found(stdout: string): Record<string, string> {
  return Object.fromEntries([...stdout.matchAll(/^(.*): (yes|no)$/gm)].map(([, name = '', leads = '']) => [name, leads]))
}

const READS = ['by its name', 'by its name without links', 'by another root', 'by its folder', 'by kubectl']
const ATTACKS = [
  ...['by the root of the first process', 'a file in its place', 'its mount taken away', 'its mount taken away later', 'its mount changed'],
  ...['its mount taken away elsewhere', 'namespaces of the first process', 'the namespace of mounts'],
]
const GIVEN_BACK = 'KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT'

/** The arguments for a scan with the Pod's identity. */
function wordsFor(file: string, isolate: string, passed: string, ...more: string[]): string[] {
  writeFileSync(file, WAYS)
  const flags = ['--service-account', 'kubepass/scanner', '--isolate', isolate, '--pass-env', passed]
  return ['run', ...flags, '--', 'bash', file, ...more]
}

const SAID = /kubepass: The scan can read this Pod's own token in \/.*\/secrets\/kubernetes\.io\/serviceaccount: (.*)\.\n/

for (const [user, enter, isolate] of [
  ['root', IN_POD, 'auto'],
  ['an ordinary user', IN_POD_AS_USER, 'required'],
] as const) {
  inTerminal(`an isolated scan of ${user} in a Pod cannot read the Pod's token`, async ({ info, identityOf, proxy, terminal }) => {
    await using pod = await Pod.start({ token: await identityOf('issuer'), ca: info.ca })
    const env = pod.variables(proxy)
    const words = wordsFor(join(terminal.home, 'ways'), isolate, GIVEN_BACK)
    const hostile = await terminal.shell(enter, words, { env })
    expect(hostile.stderr).toMatch(/\n {2}Isolated +yes/)
    expect(found(hostile.stdout)).toEqual({
      ...Object.fromEntries([...READS, ...ATTACKS].map((name) => [name, 'no'])),
      variables: 'yes',
    })
    expect(hostile.stderr).not.toMatch(SAID)
    expect(hostile.stderr).toMatch(/revoked .*, proven dead/)
    expect(hostile.code).toBe(0)
    const withheld = await terminal.shell(enter, wordsFor(join(terminal.home, 'ways'), isolate, 'NONE', 'harmless'), { env })
    expect(found(withheld.stdout)).toMatchObject({ variables: 'no' })
  })

  inTerminal(`a scan of ${user} in a Pod that is not isolated can read the Pod's token, and kubepass says so`, async (fixture) => {
    const { info, identityOf, proxy, terminal } = fixture
    await using pod = await Pod.start({ token: await identityOf('issuer'), ca: info.ca })
    const words = wordsFor(join(terminal.home, 'ways'), 'off', GIVEN_BACK, 'harmless')
    const { code, stdout, stderr } = await terminal.shell(enter, words, { env: pod.variables(proxy) })
    expect(found(stdout)).toMatchObject(Object.fromEntries([...READS, 'variables'].map((name) => [name, 'yes'])))
    expect(SAID.exec(stderr)?.[1]).toBe('isolate is off')
    expect(code).toBe(0)
  })
}

/** Runs kubepass where the program `mount` does not exist. */
const WITHOUT_MOUNT = IN_POD_AS_USER.replace(
  ' unshare ',
  ' sh -c \'mount --bind /dev/null "$(command -v mount)" && exec "$0" "$@"\' unshare ',
)

inTerminal("if the Pod's token cannot be hidden, isolate: auto warns and isolates, and isolate: required fails", async (fixture) => {
  const { info, identityOf, proxy, terminal } = fixture
  await using pod = await Pod.start({ token: await identityOf('issuer'), ca: info.ca })
  const file = join(terminal.home, 'ways')
  const env = pod.variables(proxy)
  const auto = await terminal.shell(WITHOUT_MOUNT, wordsFor(file, 'auto', 'NONE', 'harmless'), { env })
  expect(found(auto.stdout)).toMatchObject({ 'by its name': 'yes', variables: 'no' })
  expect(auto.stderr).toMatch(/\n {2}Isolated +yes/)
  expect(SAID.exec(auto.stderr)?.[1]).toMatch(/^mount is not in /)
  expect(auto.code).toBe(0)
  const before = proxy.exchanges.length
  // In this Pod the token is gone by now.
  const required = await terminal.shell(IN_POD_AS_USER, wordsFor(file, 'required', 'NONE', 'harmless'), { env })
  expect(required.code).toBe(80)
  expect(required.stderr).toContain('isolate is required, but the scan cannot be isolated here: mount is not in ')
  expect(proxy.exchanges).toHaveLength(before)
})
