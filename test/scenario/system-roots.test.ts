import { afterAll, expect, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { kubeconfigOf, RunnerDisk } from './kubeconfigs.ts'
import { whyNoPod } from './pod.ts'
import { allDone, inTerminal as inTerminalHere, runOnGithub, type TerminalFixture } from './scenario.ts'

const disk = new RunnerDisk()
afterAll(() => disk[Symbol.dispose]())

const reason = whyNoPod()
if (reason !== undefined) console.warn(`The scenarios with a CA bundle of their own are skipped: ${reason}.`)
const inTerminal: typeof inTerminalHere = reason === undefined ? inTerminalHere : (name) => test.skip(name, () => undefined)

/** Runs the program with the file BUNDLE in place of the distribution's CA bundle. */
const WITH_BUNDLE = `exec unshare --map-root-user --mount sh -ec '
  mount -t tmpfs tmpfs /etc/ssl; mkdir /etc/ssl/certs; cat "$BUNDLE" > /etc/ssl/certs/ca-certificates.crt; exec "$@"' sh "$0" "$@"`

/** The variables by which an earlier step could try to make kubepass trust another CA. */
const REDIRECTIONS = (ca: string): Record<string, string>[] => [
  { NODE_EXTRA_CA_CERTS: ca },
  { SSL_CERT_FILE: ca },
  { SSL_CERT_FILE: ca, NODE_OPTIONS: '--use-openssl-ca' },
  { SSL_CERT_FILE: ca, NODE_OPTIONS: '--use-system-ca' },
  { SSL_CERT_FILE: ca, NODE_USE_SYSTEM_CA: '1' },
  { SSL_CERT_DIR: ca.replace(/[^/]*$/, ''), NODE_USE_SYSTEM_CA: '1' },
  { NODE_EXTRA_CA_CERTS: ca, SSL_CERT_FILE: ca, NODE_TLS_REJECT_UNAUTHORIZED: '0' },
  { REQUESTS_CA_BUNDLE: ca, CURL_CA_BUNDLE: ca },
]

test("no variable adds a CA to the system's CAs", async () => {
  const runs = [false, true].map((beside) =>
    runOnGithub(async ({ info, identityOf, proxy, step }) => {
      const token = await identityOf('issuer')
      const kubeconfig = kubeconfigOf(info, proxy.url, { token }, { 'certificate-authority-data': '' })
      const inputs = beside ? { server: '', kubeconfig } : { token }
      for (const variables of REDIRECTIONS(info.ca)) {
        const main = await step({ ...inputs, certificate_authority: 'system', command: 'echo ran' }, variables).main()
        expect([variables, main.code]).toEqual([variables, 83])
        expect(main.messages.at(-1)).toMatch(/The certificate does not verify/)
      }
      expect(proxy.exchanges).toEqual([])
    }),
  )
  await allDone(runs)
})

/** A kubeconfig without a CA, such as that of a DNS endpoint of GKE. */
async function withoutCa({ info, identityOf, proxy }: TerminalFixture): Promise<string> {
  const user = { token: await identityOf('issuer') }
  return disk.kubeconfig(kubeconfigOf(info, proxy.url, user, { 'certificate-authority-data': '' }))
}

const runArguments = (kubeconfig: string, ...command: string[]): string[] => [
  ...['run', '--kubeconfig', kubeconfig, '--certificate-authority', 'system', '--service-account', 'kubepass/scanner', '--isolate', 'off'],
  ...['--', ...command],
]

for (const [delivery, does] of Object.entries({ kubeconfig: "the scan's kubeconfig contains them", auto: 'so does its API proxy' }))
  inTerminal(`with a kubeconfig without a CA kubepass trusts the system's CAs, and ${does}`, async (fixture) => {
    const { info, terminal } = fixture
    const kubeconfig = await withoutCa(fixture)
    // The number of CAs of a distribution.
    const BUNDLE = disk.write('bundle', readFileSync(info.otherCA, 'utf8').repeat(400) + readFileSync(info.ca, 'utf8'))
    const command = `kubectl auth whoami -o 'jsonpath={.status.userInfo.username}'; SSL_CERT_FILE=/dev/null kubectl get ns kubepass -o name`
    const [run = '', ...words] = runArguments(kubeconfig, 'sh', '-c', command)
    const { code, stdout, stderr } = await terminal.shell(WITH_BUNDLE, [run, '--delivery', delivery, ...words], { env: { BUNDLE } })
    expect(stderr).toMatch(/revoked .*, proven dead/)
    expect(stdout).toBe('system:serviceaccount:kubepass:scannernamespace/kubepass\n')
    expect(code).toBe(0)
    const kubectl = `KUBECONFIG=${kubeconfig} ${WITH_BUNDLE.replace('exec "$@"', 'exec kubectl auth whoami -o name')}`
    expect(await terminal.shell(kubectl, [], { env: { BUNDLE } })).toMatchObject({ code: 0 })
  })

inTerminal("kubepass sends nothing if the system's CAs do not include the server's, whatever the variables say", async (fixture) => {
  const { info, proxy, terminal } = fixture
  const kubeconfig = await withoutCa(fixture)
  for (const variables of REDIRECTIONS(info.ca)) {
    const { code } = await terminal.shell(WITH_BUNDLE, runArguments(kubeconfig, 'true'), { env: { ...variables, BUNDLE: info.otherCA } })
    expect([variables, code]).toEqual([variables, 83])
  }
  expect(proxy.exchanges).toEqual([])
})

inTerminal('the error on a machine without CAs names the package to install', async (fixture) => {
  const { proxy, terminal } = fixture
  const bare = WITH_BUNDLE.replace('mkdir /etc/ssl/certs; cat "$BUNDLE" > /etc/ssl/certs/ca-certificates.crt', ':')
  const { code, stderr } = await terminal.shell(bare, runArguments(await withoutCa(fixture), 'true'))
  expect(code).toBe(80)
  expect(stderr).toContain('is system, but this machine has no CAs: install the package ca-certificates')
  expect(proxy.exchanges).toEqual([])
})
