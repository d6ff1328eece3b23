import { expect, test } from '@jest/globals'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Proxy } from '../cluster/proxy.ts'
import { within } from '../hosts/child.ts'
import type { GithubJob } from '../hosts/github.ts'
import { leaks } from '../leftovers.ts'
import { Gateway, type Behaviour } from './gateway.ts'
import { allDone, clusters, onGithub, runOnGithub, type GithubFixture } from './scenario.ts'

/** Runs the cases at the same time, each with its own proxy. */
async function eachOnGithub<T>(
  cases: readonly T[],
  scenario: (one: T, fixture: GithubFixture, gateway: Gateway) => Promise<void>,
): Promise<void> {
  const runs = cases.map((one) =>
    runOnGithub(async (fixture) => {
      using gateway = await Gateway.start()
      await scenario(one, fixture, gateway)
    }),
  )
  await allDone(runs)
}

/** A host that only a proxy can resolve. A loopback address would not do: no variable sends it to a proxy. */
function elsewhere(url: string): string {
  return url.replace('127.0.0.1', 'kubernetes.test')
}

/** The inputs of a step whose API server has this host. */
function serverElsewhere({ url }: Proxy): Record<string, string> {
  return { server: elsewhere(url), audience: url }
}

const idTokensElsewhere = { variables: ({ idTokens }: GithubJob) => ({ ACTIONS_ID_TOKEN_REQUEST_URL: elsewhere(idTokens.url) }) }

const PASSWORD = 'p@ss/word-of-the-proxy-4711'

/** The URL of a proxy with a user name and the password, percent-encoded. */
function withPassword(url: string): string {
  const { host } = new URL(url)
  return `http://scanner:${encodeURIComponent(PASSWORD)}@${host}`
}

const otherCertificate = { key: readFileSync(clusters.quick.clientKey), cert: readFileSync(clusters.quick.clientCert) }

test('all requests use HTTPS_PROXY or https_proxy, except those to loopback addresses and to hosts in NO_PROXY', async () => {
  const cases: { variables: (url: string) => Record<string, string>; server: boolean; idTokens: boolean }[] = [
    { variables: (url) => ({ HTTPS_PROXY: url }), server: true, idTokens: true },
    { variables: (url) => ({ https_proxy: url.replace('http://', '') }), server: true, idTokens: false },
    { variables: (url) => ({ https_proxy: url, NO_PROXY: 'example.com, netes.test, kubernetes.test:1' }), server: false, idTokens: true },
    { variables: (url) => ({ HTTPS_PROXY: url, https_proxy: 'http://127.0.0.1:1' }), server: false, idTokens: false },
  ]
  const runs = cases.map(({ variables, server, idTokens }) =>
    runOnGithub(
      async ({ step, proxy, job }) => {
        using gateway = await Gateway.start()
        const use = step(server ? serverElsewhere(proxy) : {}, variables(gateway.url))
        const host = (url: string): string => new URL(elsewhere(url)).host
        const wanted = [...(idTokens ? [host(job.idTokens.url)] : []), ...(server ? [host(proxy.url)] : [])]
        for (const phase of ['main', 'post'] as const) {
          gateway.targets.length = 0
          expect((await use.start(phase).done).code).toBe(0)
          expect(new Set(gateway.targets)).toEqual(new Set(wanted))
        }
        expect(gateway.authorizations.every((authorization) => authorization === undefined)).toBe(true)
      },
      idTokens ? idTokensElsewhere : {},
    ),
  )
  await allDone(runs)
})

test('kubepass sends no request for a host in NO_PROXY to the proxy, whatever the form of the entry', async () => {
  await eachOnGithub(['kubernetes.test', '.TEST', '*'], async (NO_PROXY, { step, proxy }, gateway) => {
    const main = await step(
      { ...serverElsewhere(proxy), deadline: '1s', command: 'echo ran' },
      { HTTPS_PROXY: gateway.url, NO_PROXY },
    ).main()
    expect(main.code).toBe(83)
    expect(main.messages.at(-1)).toMatch(/No answer from kubernetes\.test:\d+ .*(ENOTFOUND|EAI_AGAIN|no answer in time)/)
    expect(gateway.targets).toEqual([])
  })
})

test('a proxy URL that is neither http nor https is an error before any request to the host', async () => {
  await eachOnGithub(['socks5://', 'socks5h://', 'ftp://'], async (scheme, { step, proxy, job }, gateway) => {
    const HTTPS_PROXY = gateway.url.replace('http://', scheme)
    const main = await step({ ...serverElsewhere(proxy), command: 'echo ran' }, { HTTPS_PROXY }).main()
    expect(main.code).toBe(80)
    expect(main.messages).toEqual([
      expect.stringMatching(/^HTTPS_PROXY names a proxy for "kubernetes\.test:\d+" that is neither http nor https\.\n/),
    ])
    expect([proxy.exchanges, gateway.targets, job.idTokens.tokens]).toEqual([[], [], []])
    // The URL does not matter if the host needs no proxy.
    expect((await step({ command: 'true' }, { HTTPS_PROXY }).main()).code).toBe(0)
  })
})

test("a proxy's password reaches the proxy, but not the log, and the scan only through pass_env", async () => {
  const cases = [false, true]
  await eachOnGithub(cases, async (passed, { step, job, proxy }, gateway) => {
    const evidence = join(job.workspace, 'evidence.json')
    const HTTPS_PROXY = withPassword(gateway.url)
    // The scan prints a hash, because the redactor would hide the text.
    const command = 'env; cat "$KUBECONFIG"; printf "%s\\n" "$HTTPS_PROXY"; printf "%s" "$HTTPS_PROXY" | sha256sum'
    const main = await step(
      { ...serverElsewhere(proxy), command, evidence, ...(passed ? { pass_env: 'HTTPS_PROXY' } : {}) },
      { HTTPS_PROXY },
    ).main()
    expect(main.code).toBe(0)
    const basic = `Basic ${Buffer.from(`scanner:${PASSWORD}`).toString('base64')}`
    expect(new Set(gateway.authorizations)).toEqual(new Set([basic]))
    const got = passed ? HTTPS_PROXY : ''
    expect(main.log).toContain(createHash('sha256').update(got).digest('hex'))
    expect(main.log.includes('http://scanner:***@')).toBe(passed)
    expect(main.log.includes('HTTPS_PROXY holds a password')).toBe(!passed)
    const texts = { ...job.texts(), evidence: readFileSync(evidence) }
    for (const secret of [PASSWORD, encodeURIComponent(PASSWORD)]) expect(await leaks([secret], texts)).toEqual([])
  })
})

test('a proxy variable that is not a URL is an error before any request, which does not show the value', async () => {
  const wrong = [PASSWORD, `100%${PASSWORD.replace('/', '')}`, `4711/${PASSWORD}`].map((text) => `http://scanner:${text}@127.0.0.1:1`)
  await eachOnGithub(wrong, async (HTTPS_PROXY, { step, proxy, job }) => {
    const main = await step({ command: 'echo ran' }, { HTTPS_PROXY }).main()
    expect(main.code).toBe(80)
    expect(main.messages).toEqual([expect.stringMatching(/^HTTPS_PROXY .*percent-encoded/)])
    expect(await leaks([PASSWORD, PASSWORD.replace('/', '')], job.texts())).toEqual([])
    expect(proxy.exchanges).toEqual([])
    expect(job.idTokens.tokens).toEqual([])
  })
})

const BROKEN: { behaviour: Behaviour; reason: RegExp; heals: boolean }[] = [
  { behaviour: { status: 407 }, reason: /the proxy answered 407\.\n.*user:password/, heals: false },
  { behaviour: { status: 502 }, reason: /the proxy answered 502\.\nCheck server, and proxy_url or HTTPS_PROXY/, heals: true },
  { behaviour: 'hang', reason: /no answer in time\.\nCheck server, and proxy_url or HTTPS_PROXY/, heals: true },
  { behaviour: 'reset', reason: /ECONNRESET\.\nCheck server, and proxy_url or HTTPS_PROXY/, heals: true },
  { behaviour: 'cut', reason: /ECONNRESET\.\nCheck server, and proxy_url or HTTPS_PROXY/, heals: true },
]

test('after a failure of the proxy kubepass knows that it sent nothing, and it retries', async () => {
  await eachOnGithub(BROKEN, async ({ behaviour, reason, heals }, { step, proxy }, gateway) => {
    gateway.behaviour = behaviour
    const use = step({ command: 'echo ran', proxy_url: gateway.url, deadline: '3s' })
    const phase = use.start('main')
    if (!(await within(30_000, phase.done))) phase.kill('SIGKILL')
    const main = await phase.done
    expect(main.code).toBe(83)
    expect(main.messages.at(-1)).toMatch(reason)
    expect(main.log).not.toContain('\nran\n')
    expect(proxy.exchanges).toEqual([])
    // Without a connection nothing can have been created.
    expect(main.messages).toHaveLength(1)
    gateway.behaviour = 'tunnel'
    expect((await use.post()).code).toBe(0)
    if (behaviour === 'hang' || !heals) return

    gateway.behaviour = behaviour
    const again = step({ command: 'echo ran', proxy_url: gateway.url }).start('main')
    await again.seen('trying again')
    gateway.behaviour = 'tunnel'
    expect((await again.done).code).toBe(0)
  })
})

test('kubepass sends nothing to a proxy that ends TLS, neither for the API server nor for GitHub', async () => {
  const cases = ['the API server', 'the ID token service'] as const
  const runs = cases.map((target) =>
    runOnGithub(
      async ({ step, proxy, job }) => {
        using gateway = await Gateway.start()
        gateway.behaviour = otherCertificate
        const main =
          target === 'the API server'
            ? await step({ command: 'echo ran', proxy_url: gateway.url }).main()
            : await step({ command: 'echo ran' }, { HTTPS_PROXY: gateway.url }).main()
        expect(main.code).toBe(target === 'the API server' ? 83 : 81)
        expect(main.messages[0]).toMatch(
          target === 'the API server' ? /does not verify: give the CA .* as certificate_authority/ : /gave no ID token: INVALID_PURPOSE/,
        )
        expect(gateway.targets).toHaveLength(1)
        expect(gateway.received).toBe('')
        expect(proxy.exchanges).toEqual([])
        expect(job.idTokens.tokens).toHaveLength(target === 'the API server' ? 1 : 0)
      },
      target === 'the API server' ? {} : idTokensElsewhere,
    ),
  )
  await allDone(runs)
})

onGithub('kubepass sends no token to a proxy that starts to end TLS after the first request', async ({ step, proxy }) => {
  using gateway = await Gateway.start()
  proxy.on({ method: 'POST', path: /\/token$/, when: 'after', times: 1 }, ({ status, responseBody }) => {
    gateway.behaviour = otherCertificate
    return { status: status ?? 0, headers: { connection: 'close' }, body: responseBody }
  })
  const use = step({ command: 'echo ran', proxy_url: gateway.url })
  const main = await use.main()
  expect(main.code).toBe(86)
  expect(main.messages[0]).toMatch(/does not verify/)
  expect(gateway.received).toBe('')
  gateway.behaviour = 'tunnel'
  expect((await use.post()).log).toMatch(/Credential: revoked /)
})
