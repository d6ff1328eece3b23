import { afterAll, expect, test } from '@jest/globals'
import { readFileSync } from 'node:fs'
import { kubeconfigOf, RunnerDisk } from './kubeconfigs.ts'
import { whyNoPod } from './pod.ts'
import { allPlayed, inTerminal as inTerminalHere, playOnGithub, type TerminalScene } from './scenario.ts'

const disk = new RunnerDisk()
afterAll(() => disk[Symbol.dispose]())

const reason = whyNoPod()
if (reason !== undefined) console.warn(`The scenarios with a CA bundle of their own are skipped: ${reason}.`)
const inTerminal: typeof inTerminalHere = reason === undefined ? inTerminalHere : (name) => test.skip(name, () => undefined)

/** Runs the program where the distribution's CA bundle is the file BUNDLE. */
const WITH_BUNDLE = `exec unshare --map-root-user --mount sh -ec '
  mount -t tmpfs tmpfs /etc/ssl; mkdir /etc/ssl/certs; cat "$BUNDLE" > /etc/ssl/certs/ca-certificates.crt; exec "$@"' sh "$0" "$@"`

/** What an earlier step could set, so that another CA is trusted. */
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

test('no variable adds to the CAs of the system', async () => {
  const plays = [false, true].map((beside) =>
    playOnGithub(async ({ info, identityOf, proxy, step }) => {
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
  await allPlayed(plays)
})

/** A kubeconfig without a CA, as the DNS endpoint of GKE has it. */
async function withoutCa({ info, identityOf, proxy }: TerminalScene): Promise<string> {
  const user = { token: await identityOf('issuer') }
  return disk.kubeconfig(kubeconfigOf(info, proxy.url, user, { 'certificate-authority-data': '' }))
}

const asked = (kubeconfig: string, ...command: string[]): string[] => [
  ...['run', '--kubeconfig', kubeconfig, '--certificate-authority', 'system', '--service-account', 'kubepass/scanner', '--isolate', 'off'],
  ...['--', ...command],
]

inTerminal("a kubeconfig without a CA: the system's CAs count, and the scan's kubeconfig has them all", async (scene) => {
  const { info, terminal } = scene
  const kubeconfig = await withoutCa(scene)
  // As many as a distribution has.
  const BUNDLE = disk.write('bundle', readFileSync(info.otherCA, 'utf8').repeat(400) + readFileSync(info.ca, 'utf8'))
  const command = `kubectl auth whoami -o 'jsonpath={.status.userInfo.username}'; SSL_CERT_FILE=/dev/null kubectl get ns kubepass -o name`
  const { code, stdout, stderr } = await terminal.shell(WITH_BUNDLE, asked(kubeconfig, 'sh', '-c', command), { env: { BUNDLE } })
  expect(stderr).toMatch(/revoked .*, proven dead/)
  expect(stdout).toBe('system:serviceaccount:kubepass:scannernamespace/kubepass\n')
  expect(code).toBe(0)
  const kubectl = `KUBECONFIG=${kubeconfig} ${WITH_BUNDLE.replace('exec "$@"', 'exec kubectl auth whoami -o name')}`
  expect(await terminal.shell(kubectl, [], { env: { BUNDLE } })).toMatchObject({ code: 0 })
})

inTerminal('a bundle without the CA of the server: nothing is sent, whatever the variables say', async (scene) => {
  const { info, proxy, terminal } = scene
  const kubeconfig = await withoutCa(scene)
  for (const variables of REDIRECTIONS(info.ca)) {
    const { code } = await terminal.shell(WITH_BUNDLE, asked(kubeconfig, 'true'), { env: { ...variables, BUNDLE: info.otherCA } })
    expect([variables, code]).toEqual([variables, 83])
  }
  expect(proxy.exchanges).toEqual([])
})

inTerminal('a machine without CAs: what to install', async (scene) => {
  const { proxy, terminal } = scene
  const bare = WITH_BUNDLE.replace('mkdir /etc/ssl/certs; cat "$BUNDLE" > /etc/ssl/certs/ca-certificates.crt', ':')
  const { code, stderr } = await terminal.shell(bare, asked(await withoutCa(scene), 'true'))
  expect(code).toBe(80)
  expect(stderr).toContain('is system, but this machine has no CAs: install the package ca-certificates')
  expect(proxy.exchanges).toEqual([])
})
